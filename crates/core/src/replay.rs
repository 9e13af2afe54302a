//! Replay cache of DPoP proofs (RFC 9449 §11.1): single-use in memory, for as long as each proof would be accepted again.
//!
//! Only proofs of authenticated applications are recorded, so that strangers take no room. Each application has a share. A full
//! cache rejects proofs: none is forgotten before its time.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::application::AppNumber;
use crate::clock::Timestamp;
use crate::possession::KeyProof;

/// Length of a slot; the proofs of a slot are forgotten together, so that a lookup compares with a few sets.
const SLOT_MS: u64 = 15_000;

/// Full shares that fit into the cache together. At the default share: a million proofs, some 40 MiB.
const SHARES: usize = 16;

/// The last quarter of the cache is for applications that hold less than this part of their share, so that busy ones cannot lock
/// out the others.
const SMALL_PART: usize = 64;

/// Reason why the use of a proof is not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    #[error("the DPoP proof was used before")]
    Replayed,
    /// Wait until some of the application's proofs are forgotten.
    #[error("the replay cache of DPoP proofs is full; retry in {}s", .0.as_secs_f32())]
    Full(Duration),
}

/// The recorded proofs.
pub(crate) struct ReplayCache {
    /// The most proofs of one application.
    share: AtomicUsize,
    used: Mutex<Used>,
}

struct Used {
    by_application: FxHashMap<AppNumber, Slots>,
    count: usize,
    swept_at: Timestamp,
}

/// The proofs of a slot, by the time at which they expire.
#[derive(Default)]
struct Slots(BTreeMap<u64, HashSet<[u8; 16]>>);

impl ReplayCache {
    /// An empty cache with this share for each application.
    pub fn new(share: usize) -> ReplayCache {
        let (by_application, swept_at) = (FxHashMap::default(), Timestamp::from_millis(0));
        ReplayCache {
            share: AtomicUsize::new(share),
            used: Mutex::new(Used { by_application, count: 0, swept_at }),
        }
    }

    /// Switches to another share.
    pub fn limit(&self, share: usize) {
        self.share.store(share, Ordering::Relaxed);
    }

    /// Records a single-use proof of `application`; of any number of uses exactly one succeeds.
    pub fn record_once(
        &self,
        application: AppNumber,
        proof: &KeyProof,
        now: Timestamp,
    ) -> Result<(), ReplayError> {
        // A panic leaves sets that were changed completely or not at all.
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.forget_some(application, now);
        if used.of(application).is_some_and(|slots| slots.has(&proof.digest)) {
            return Err(ReplayError::Replayed);
        }
        if !self.has_room(&used, application) {
            used.forget_all(now);
            if !self.has_room(&used, application) {
                let first = used.of(application).and_then(Slots::first_end);
                let wait = first.map_or(Duration::from_millis(SLOT_MS), |end| end.since(now));
                return Err(ReplayError::Full(wait));
            }
        }
        used.count += 1;
        let slot = proof.good_until.as_millis() / SLOT_MS;
        let slots = used.by_application.entry(application).or_default();
        slots.0.entry(slot).or_default().insert(proof.digest);
        Ok(())
    }

    fn has_room(&self, used: &Used, application: AppNumber) -> bool {
        let share = self.share.load(Ordering::Relaxed);
        let (held, all) = (used.of(application).map_or(0, Slots::count), SHARES * share);
        let is_small = held < (share / SMALL_PART).max(1);
        held < share && (used.count < all / 4 * 3 || is_small && used.count < all)
    }
}

impl Used {
    fn of(&self, application: AppNumber) -> Option<&Slots> {
        self.by_application.get(&application)
    }

    /// Forgets the expired proofs of one application.
    fn forget_some(&mut self, application: AppNumber, now: Timestamp) {
        if let Some(slots) = self.by_application.get_mut(&application) {
            self.count -= slots.forget(now);
        }
    }

    /// Forgets all expired proofs, at most once a second: a full cache must not cost more for each proof that it rejects.
    fn forget_all(&mut self, now: Timestamp) {
        if now.since(self.swept_at) < Duration::from_secs(1) && self.swept_at <= now {
            return;
        }
        self.swept_at = now;
        let count = &mut self.count;
        self.by_application.retain(|_, slots| {
            *count -= slots.forget(now);
            !slots.0.is_empty()
        });
    }
}

impl Slots {
    fn has(&self, digest: &[u8; 16]) -> bool {
        self.0.values().any(|digests| digests.contains(digest))
    }

    fn count(&self) -> usize {
        self.0.values().map(HashSet::len).sum()
    }

    /// The end of the first slot.
    fn first_end(&self) -> Option<Timestamp> {
        self.0.keys().next().map(|slot| Timestamp::from_millis((slot + 1) * SLOT_MS))
    }

    /// Drops the slots that are over; returns the number of proofs in them.
    fn forget(&mut self, now: Timestamp) -> usize {
        let mut forgotten = 0;
        while let Some(first) =
            self.0.first_entry().filter(|first| (first.key() + 1) * SLOT_MS <= now.as_millis())
        {
            forgotten += first.remove().len();
        }
        forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: usize = 128;
    const ONE: AppNumber = AppNumber(1);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + seconds * 1000)
    }

    /// A proof that is valid for a minute.
    fn proof(number: u64, made_at: Timestamp) -> KeyProof {
        let mut digest = [0; 16];
        digest[..8].copy_from_slice(&number.to_be_bytes());
        KeyProof { key: [0; 32], digest, good_until: made_at.plus(Duration::from_secs(60)) }
    }

    /// Records proofs until one is rejected, and returns their number.
    fn fill(cache: &ReplayCache, application: u32, now: Timestamp) -> u64 {
        let mut numbers = 0..;
        let full = numbers
            .find(|number| cache.record_once(AppNumber(application), &proof(*number, now), now).is_err());
        full.expect("it is bounded")
    }

    #[test]
    fn a_proof_is_remembered_for_as_long_as_it_would_be_accepted() {
        let cache = ReplayCache::new(SHARE);
        for made_s in 0..40 {
            let proof = proof(made_s, at(made_s));
            assert_eq!(cache.record_once(ONE, &proof, at(40)), Ok(()));
        }
        for made_s in 0..40 {
            let proof = proof(made_s, at(made_s));
            assert_eq!(cache.record_once(ONE, &proof, proof.good_until), Err(ReplayError::Replayed));
        }
        // A minute and a slot later all of them are forgotten.
        assert_eq!(fill(&cache, 1, at(120)), SHARE as u64);
    }

    /// Regression: two generations for all applications together made room by forgetting. Strangers and busy neighbours evicted a
    /// used proof, which could then be replayed.
    #[test]
    fn an_application_that_uses_up_its_share_is_refused_and_nothing_is_forgotten() {
        let cache = ReplayCache::new(SHARE);
        assert_eq!(fill(&cache, 1, at(0)), SHARE as u64);
        let refused = cache.record_once(ONE, &proof(u64::MAX, at(0)), at(0));
        assert!(matches!(refused, Err(ReplayError::Full(wait)) if !wait.is_zero()), "{refused:?}");
        for number in 0..SHARE as u64 {
            assert_eq!(cache.record_once(ONE, &proof(number, at(0)), at(0)), Err(ReplayError::Replayed));
        }
        assert_eq!(cache.record_once(AppNumber(2), &proof(0, at(0)), at(0)), Ok(()));
    }

    #[test]
    fn another_share_holds_at_once_and_forgets_no_proof() {
        let cache = ReplayCache::new(SHARE);
        assert_eq!(fill(&cache, 1, at(0)), SHARE as u64);
        cache.limit(2 * SHARE);
        assert_eq!(cache.record_once(ONE, &proof(u64::MAX, at(0)), at(0)), Ok(()));
        cache.limit(1);
        assert!(matches!(
            cache.record_once(ONE, &proof(u64::MAX - 1, at(0)), at(0)),
            Err(ReplayError::Full(_))
        ));
        assert_eq!(cache.record_once(ONE, &proof(0, at(0)), at(0)), Err(ReplayError::Replayed));
    }

    #[test]
    fn busy_applications_together_take_no_more_than_their_part_and_the_whole_is_bounded() {
        let cache = ReplayCache::new(SHARE);
        let taken: u64 = (0..1_000).map(|application| fill(&cache, application, at(0))).sum();
        assert_eq!(taken, (SHARES * SHARE) as u64);
        let small = (SHARE / SMALL_PART) as u64;
        let again = ReplayCache::new(SHARE);
        for application in 0..12 {
            assert_eq!(fill(&again, application, at(0)), SHARE as u64);
        }
        assert_eq!(fill(&again, 12, at(0)), small);
        assert_eq!(fill(&again, 13, at(0)), small);
        // Room that other applications do not need any more.
        assert_eq!(fill(&again, 13, at(90)), SHARE as u64);
    }
}
