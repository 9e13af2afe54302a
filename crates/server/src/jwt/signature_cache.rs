//! Signature cache: tokens whose signature was verified, so that a repeated token skips the public-key operation.
//!
//! A gateway sends the same token with call after call. The cache spares only the signature: expiry and revocation are checked
//! on every call.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

/// Entries in each of the two generations: 32 bytes each and some overhead, 8 MiB in all. With more tokens in use at once,
/// signatures are verified more often.
const GENERATION_MAX: usize = 65_536;

/// Digests of tokens with a valid signature, in two generations: when the present one is full, the previous one is evicted.
#[derive(Default)]
pub struct SignatureCache(Mutex<Generations>);

type Digest = [u8; SHA256_OUTPUT_LEN];

#[derive(Default)]
struct Generations {
    present: HashSet<Digest>,
    previous: HashSet<Digest>,
}

impl SignatureCache {
    /// Whether the signature of `token` is valid, by the cache or by `verify`. Invalid tokens are not cached, so that forgers
    /// cannot evict entries.
    pub fn is_valid(&self, token: &str, verify: impl FnOnce() -> bool) -> bool {
        let mut key = Digest::default();
        key.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        if self.generations(|generations| generations.contains(key)) {
            return true;
        }
        let is_valid = verify();
        if is_valid {
            self.generations(|generations| generations.insert(key));
        }
        is_valid
    }

    fn generations<T>(&self, look: impl FnOnce(&mut Generations) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Generations {
    /// Whether the digest is cached. A hit in the previous generation moves it to the present one, so that a token in use stays.
    fn contains(&mut self, digest: Digest) -> bool {
        let was_previous = !self.present.contains(&digest) && self.previous.contains(&digest);
        if was_previous {
            self.insert(digest);
        }
        was_previous || self.present.contains(&digest)
    }

    fn insert(&mut self, digest: Digest) {
        if self.present.len() >= GENERATION_MAX {
            self.previous = std::mem::take(&mut self.present);
        }
        self.present.insert(digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_checked(cache: &SignatureCache, token: &str) -> bool {
        let mut is_checked = false;
        let is_good = cache.is_valid(token, || {
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
        assert!(!cache.is_valid("a.b.d", || false) && !cache.is_valid("a.b.d", || false));
        assert!(is_checked(&cache, "a.b.d"));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_one_in_use_stays() {
        let cache = SignatureCache::default();
        assert!(is_checked(&cache, "in use"));
        for number in 0..3 * GENERATION_MAX {
            is_checked(&cache, &number.to_string());
            assert!(number % 1000 > 0 || !is_checked(&cache, "in use"));
        }
        let kept = cache.generations(|generations| generations.present.len() + generations.previous.len());
        assert!(kept <= 2 * GENERATION_MAX);
    }
}
