//! Chance that can be repeated.

use std::hash::{BuildHasher, RandomState};

pub struct Chance(u64);

impl Chance {
    /// Prints its seed; `NORTHGATE_FAULTS_SEED` repeats it.
    pub fn new() -> Chance {
        // A test has no configuration to take it from.
        #[allow(clippy::disallowed_methods)]
        let given = std::env::var("NORTHGATE_FAULTS_SEED").ok();
        let seed = given.map_or_else(|| RandomState::new().hash_one(0), |seed| seed.parse().unwrap());
        println!("seed {seed}: NORTHGATE_FAULTS_SEED repeats it");
        Chance(seed)
    }

    /// Another sequence, decided by this one and `number`.
    pub fn fork(&self, number: u32) -> Chance {
        Chance(Chance(self.0 ^ u64::from(number)).next())
    }

    /// Anything up to `most`.
    pub fn up_to(&mut self, most: u64) -> u64 {
        self.next() % (most + 1)
    }

    /// SplitMix64: each step adds an odd constant and mixes the bits.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
