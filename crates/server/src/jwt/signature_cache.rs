//! Tokens whose signature was found to be ours: a gateway shows the same one with call after call, and checking a
//! signature takes some times as long as all the rest. What a token says, and whether that still holds, is looked at each time.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

/// Tokens that are remembered in each of two generations; 32 bytes each and some overhead, 8 MiB in all. With more of them
/// in use at once their signatures are cache more often.
const REMEMBERED_MAX: usize = 65_536;

/// The tokens that were found good of late.
#[derive(Default)]
pub struct SignatureCache(Mutex<Generations>);

type Digest = [u8; SHA256_OUTPUT_LEN];

#[derive(Default)]
struct Generations {
    present: HashSet<Digest>,
    before: HashSet<Digest>,
}

impl SignatureCache {
    /// Whether the signature of `token` is good, as `check` found once or finds now. Nothing is remembered of one that is not,
    /// so that forgers push nobody out.
    pub fn is_good(&self, token: &str, check: impl FnOnce() -> bool) -> bool {
        let mut name = Digest::default();
        name.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        if self.generations(|generations| generations.knows(name)) {
            return true;
        }
        let is_good = check();
        if is_good {
            self.generations(|generations| generations.remember(name));
        }
        is_good
    }

    fn generations<T>(&self, look: impl FnOnce(&mut Generations) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Generations {
    /// One that is in use stays.
    fn knows(&mut self, name: Digest) -> bool {
        let was_before = !self.present.contains(&name) && self.before.contains(&name);
        if was_before {
            self.remember(name);
        }
        was_before || self.present.contains(&name)
    }

    fn remember(&mut self, name: Digest) {
        if self.present.len() >= REMEMBERED_MAX {
            self.before = std::mem::take(&mut self.present);
        }
        self.present.insert(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_checked(signatures: &SignatureCache, token: &str) -> bool {
        let mut is_checked = false;
        let is_good = cache.is_good(token, || {
            is_checked = true;
            true
        });
        assert!(is_good);
        is_checked
    }

    #[test]
    fn a_good_signature_is_checked_once_and_a_bad_one_each_time() {
        let cache = SignatureCache::default();
        assert!(is_checked(&cache, "a.b.c") && !is_checked(&cache, "a.b.c"));
        assert!(!cache.is_good("a.b.d", || false) && !cache.is_good("a.b.d", || false));
        assert!(is_checked(&cache, "a.b.d"));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_one_in_use_stays() {
        let cache = SignatureCache::default();
        assert!(is_checked(&cache, "in use"));
        for number in 0..3 * REMEMBERED_MAX {
            is_checked(&cache, &number.to_string());
            assert!(number % 1000 > 0 || !is_checked(&cache, "in use"));
        }
        let kept = cache.generations(|generations| generations.present.len() + generations.before.len());
        assert!(kept <= 2 * REMEMBERED_MAX);
    }
}
