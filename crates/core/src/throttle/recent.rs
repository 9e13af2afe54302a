//! A bounded hash table of times; the oldest entry of a set gives way.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Entries of a set, which share a lock: a scan of so few is as cheap as a hash.
const PLACES: usize = 16;

/// A time for each key. Keys are stored as 64 bits of a hash with a secret seed, so that no attacker can choose which entry to
/// evict; collisions are negligible.
pub(super) struct Recent {
    sets: Box<[Mutex<Vec<Entry>>]>,
    hash: RandomState,
}

#[derive(Clone, Copy)]
struct Entry {
    key: u64,
    time_us: u64,
}

impl Recent {
    /// A table for `count` keys, 16 bytes each once they are present.
    pub fn new(count: usize) -> Recent {
        let sets = (0..count.div_ceil(PLACES)).map(|_| Mutex::default()).collect();
        Recent { sets, hash: RandomState::new() }
    }

    /// The time of `key`; 0 where it is absent.
    pub fn find(&self, key: &impl Hash) -> u64 {
        let key = self.hash.hash_one(key);
        self.set(key).iter().find(|entry| entry.key == key).map_or(0, |entry| entry.time_us)
    }

    /// Replaces the time of `key` by what `change` makes of it. Returns the time before.
    pub fn change(&self, key: &impl Hash, change: impl FnOnce(u64) -> u64) -> u64 {
        let key = self.hash.hash_one(key);
        let mut set = self.set(key);
        if let Some(known) = set.iter_mut().find(|entry| entry.key == key) {
            let before = known.time_us;
            known.time_us = change(before);
            return before;
        }
        if set.len() == PLACES {
            let oldest = (0..PLACES).min_by_key(|place| set[*place].time_us);
            oldest.map(|place| set.swap_remove(place));
        }
        set.push(Entry { key, time_us: change(0) });
        0
    }

    fn set(&self, key: u64) -> MutexGuard<'_, Vec<Entry>> {
        let index = (key % self.sets.len() as u64) as usize;
        // A panic leaves an entry changed completely or not at all.
        self.sets[index].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_forgets_the_oldest() {
        let recent = Recent::new(PLACES);
        for key in 1..=PLACES as u64 {
            recent.change(&key, |_| 100 + key);
        }
        // The first one was used again and is not the oldest any more.
        assert_eq!(recent.change(&1_u64, |before| before + 1000), 101);
        recent.change(&99_u64, |_| 200);
        assert_eq!((recent.find(&1_u64), recent.find(&2_u64), recent.find(&99_u64)), (1101, 0, 200));
    }

    #[test]
    fn it_never_holds_more_than_it_was_made_for() {
        let recent = Recent::new(100);
        (0..10_000_u64).for_each(|key| {
            recent.change(&key, |_| key);
        });
        let held: usize = recent.sets.iter().map(|set| set.lock().expect("no panic").len()).sum();
        assert!(held <= 100_usize.next_multiple_of(PLACES), "{held}");
    }
}
