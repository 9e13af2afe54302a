//! Counts of the applications whose access tokens are signed, by algorithm: their keys are published.

use crate::application::Application;
use crate::policy::AccessTokens;
use crate::signing::{Algorithm, Algorithms};

/// The number of applications whose own policy names each algorithm.
#[derive(Default)]
pub(super) struct Signers {
    eddsa: usize,
    es256: usize,
    /// Algorithms that no application names any more, while their last tokens may still be valid.
    pub given_up: Algorithms,
}

impl Signers {
    pub fn add(&mut self, application: &Application) {
        if let Some(algorithm) = algorithm(application) {
            *self.count(algorithm) += 1;
        }
    }

    pub fn remove(&mut self, application: &Application) {
        if let Some(algorithm) = algorithm(application) {
            *self.count(algorithm) -= 1;
            if *self.count(algorithm) == 0 {
                self.given_up.insert(algorithm);
            }
        }
    }

    /// Replaces the counts of `before`.
    pub fn follow(&mut self, before: &Signers) {
        self.given_up = before.given_up;
        for algorithm in Algorithm::ALL {
            if before.present().contains(algorithm) && !self.present().contains(algorithm) {
                self.given_up.insert(algorithm);
            }
        }
    }

    pub fn present(&self) -> Algorithms {
        Algorithms { eddsa: self.eddsa > 0, es256: self.es256 > 0 }
    }

    fn count(&mut self, algorithm: Algorithm) -> &mut usize {
        match algorithm {
            Algorithm::EdDsa => &mut self.eddsa,
            Algorithm::Es256 => &mut self.es256,
        }
    }
}

fn algorithm(application: &Application) -> Option<Algorithm> {
    match application.overrides.access_tokens {
        Some(AccessTokens::Jwt(algorithm)) => Some(algorithm),
        Some(AccessTokens::Opaque) | None => None,
    }
}
