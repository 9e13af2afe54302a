//! Seeded random choices: the same seed makes the same choices, though not the same timing.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

pub struct Chance {
    seed: u64,
    state: u64,
}

impl Chance {
    /// With the seed in the environment variable `name`, or another one each time. Prints the seed.
    pub fn from_env(name: &str) -> Chance {
        // A test has no configuration to take it from.
        #[allow(clippy::disallowed_methods)]
        let given = std::env::var(name).ok();
        let seed = given.map_or_else(|| RandomState::new().hash_one(0), |seed| seed.parse().unwrap());
        println!("seed {seed}: {name} repeats it");
        Chance::of(seed)
    }

    pub fn of(seed: u64) -> Chance {
        Chance { seed, state: seed }
    }

    /// Another sequence, decided by this one.
    pub fn fork(&mut self) -> Chance {
        Chance::of(self.next())
    }

    /// Another sequence, decided by the seed of this one and `number`.
    pub fn numbered(&self, number: u32) -> Chance {
        Chance::of(self.seed ^ u64::from(number)).fork()
    }

    pub fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }

    /// Any number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Any number up to `most`.
    pub fn up_to(&mut self, most: u64) -> u64 {
        self.next() % (most + 1)
    }

    /// Anything below `longest`.
    pub fn duration(&mut self, longest: Duration) -> Duration {
        Duration::from_micros(self.next() % longest.as_micros() as u64)
    }

    /// SplitMix64: each step adds an odd constant and mixes the bits.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}
