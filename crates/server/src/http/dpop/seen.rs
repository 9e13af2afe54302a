//! Which proofs were used: in memory, for as long as they would be accepted again.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use northgate_core::clock::Timestamp;

use super::{AHEAD_MAX, OLD_MAX};

/// Proofs that are remembered in each of two generations; 16 bytes each and some overhead, 10 MiB in all. Beyond 2,900
/// calls a second the older ones are forgotten before their time, and no good call is refused.
const REMEMBERED_MAX: usize = 262_144;

/// The proofs that were used of late.
#[derive(Default)]
pub struct Seen(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    began_at: Option<Timestamp>,
    present: HashSet<[u8; 16]>,
    before: HashSet<[u8; 16]>,
}

impl Seen {
    /// Whether a proof with this name is used for the first time; from now on it is not.
    pub fn is_new(&self, name: &[u8], now: Timestamp) -> bool {
        let mut short = [0; 16];
        short.copy_from_slice(&digest(&SHA256, name).as_ref()[..16]);
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        generations.turn(now);
        !generations.before.contains(&short) && generations.present.insert(short)
    }
}

impl Generations {
    /// Begins a new generation when all of the one before would not be accepted any more, or when there is no room.
    fn turn(&mut self, now: Timestamp) {
        let began_at = *self.began_at.get_or_insert(now);
        if now.since(began_at) > OLD_MAX + AHEAD_MAX || self.present.len() >= REMEMBERED_MAX {
            self.before = std::mem::take(&mut self.present);
            self.began_at = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_remembered_for_as_long_as_it_would_be_accepted() {
        let seen = Seen::default();
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1000);
        assert!(seen.is_new(b"other", at(0)));
        assert!(seen.is_new(b"proof", at(80)));
        assert!(!seen.is_new(b"proof", at(80)));
        // Made 30 s ahead of our clock, it is good for 90 s from its first use.
        assert!(!seen.is_new(b"proof", at(170)));
        assert!(!seen.0.lock().expect("no panic").present.contains(b"0123456789abcdef"));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let seen = Seen::default();
        let now = Timestamp::from_millis(0);
        for number in 0..=2 * REMEMBERED_MAX as u64 {
            assert!(seen.is_new(&number.to_be_bytes(), now));
        }
        let generations = seen.0.lock().expect("no panic");
        assert!(generations.present.len() + generations.before.len() <= 2 * REMEMBERED_MAX);
    }
}
