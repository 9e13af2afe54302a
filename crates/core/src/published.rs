//! Published algorithms: gateways need the public keys of those that sign access tokens or whose tokens may still be valid.

use std::sync::PoisonError;

use crate::auth::Auth;
use crate::clock::Timestamp;
use crate::policy::{AccessTokens, Policy};
use crate::signing::Algorithm;

/// Until when tokens of an algorithm that no policy names any more may be valid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GivenUp {
    algorithm: Algorithm,
    until: Timestamp,
}

impl GivenUp {
    /// No algorithm yet.
    pub fn none() -> [GivenUp; 2] {
        Algorithm::BEST_KNOWN_FIRST.map(|algorithm| GivenUp { algorithm, until: Timestamp::from_millis(0) })
    }
}

impl Auth {
    /// The algorithms whose keys are published at `now`, the most widely supported first: those of the default policy, of an
    /// application's policy, of the configuration, and former ones until their last token has expired. If there are none, all:
    /// keys are known before the first application gets a signed token.
    pub fn published_algorithms(&self, now: Timestamp) -> Vec<Algorithm> {
        let signing = self.registry().signing_algorithms();
        let may_be_good = self.given_up(now);
        let is_published = |algorithm: &Algorithm| {
            signing.contains(*algorithm)
                || self.settings().published.contains(*algorithm)
                || self.settings().policy.access_tokens == AccessTokens::Jwt(*algorithm)
                || may_be_good.iter().any(|kept| kept.algorithm == *algorithm && now < kept.until)
        };
        let all = Algorithm::BEST_KNOWN_FIRST;
        let published: Vec<_> = all.into_iter().filter(is_published).collect();
        if published.is_empty() { all.to_vec() } else { published }
    }

    /// The former algorithms, with those since the last call. The last token of such an algorithm may be from this moment.
    fn given_up(&self, now: Timestamp) -> [GivenUp; 2] {
        let new = self.registry().take_given_up_algorithms();
        let mut kept = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        for given_up in kept.iter_mut().filter(|kept| new.contains(kept.algorithm)) {
            given_up.until = now.plus(self.longest_access_lifetime());
        }
        *kept
    }

    /// Keeps the algorithm of the default policy published where the next one names another.
    pub(crate) fn give_up_default_algorithm(&self, next: &Policy, now: Timestamp) {
        let default = self.settings().policy.access_tokens;
        let AccessTokens::Jwt(algorithm) = default else { return };
        if next.access_tokens != default {
            let until = now.plus(self.longest_access_lifetime());
            let mut kept = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
            kept.iter_mut().filter(|kept| kept.algorithm == algorithm).for_each(|kept| kept.until = until);
        }
    }
}
