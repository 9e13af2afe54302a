//! The rules' state: the store, the keyring, the policy defaults, rate limits and replay caches. The operations are its methods.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};

use crate::application::{AppNumber, Application};
use crate::clock::Timestamp;
use crate::grant::Grant;
use crate::keyring::Keyring;
use crate::policy::Policy;
use crate::published::GivenUp;
use crate::registry::Registry;
use crate::replay::ReplayCache;
use crate::secret::Hashing;
use crate::signing::Algorithms;
use crate::store::{Store, StoreError};
use crate::throttle::Failures;

/// The rules over a store. Its methods are the operations, each in the file of its name.
pub struct Auth {
    pub(crate) store: Arc<dyn Store>,
    settings: ArcSwap<Settings>,
    pub(crate) hashing: Hashing,
    pub(crate) failures: Failures,
    /// Replay cache of DPoP proofs at the token endpoint.
    pub(crate) token_proofs: ReplayCache,
    /// Replay cache of DPoP proofs with calls on the platform.
    pub(crate) call_proofs: ReplayCache,
    /// Algorithms that no policy names any more, while their tokens may still be valid.
    pub(crate) given_up: Mutex<[GivenUp; 2]>,
    keyring: RwLock<Arc<Keyring>>,
    /// The latest issue time of this process. It may lie ahead of a clock that was set back since.
    pub(crate) issued_until: AtomicU64,
}

/// The settings of the rules.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The default policy.
    pub policy: Policy,
    /// Leeway after the expiry in which an access token still verifies: some clients replace it at the very moment of its expiry.
    pub leeway: Duration,
    /// The most closed grants of one application with unexpired access tokens; above it logins are refused.
    pub closed_grants: usize,
    /// The time from the publication of a new key to its use.
    pub key_lead: Duration,
    /// Algorithms whose keys are published although no policy names them yet.
    pub published: Algorithms,
    /// Argon2id hashes computed at a time, 19 MiB each.
    pub hashes_at_once: usize,
    /// Wrong secrets in a minute from one IPv4 address or IPv6 /64; 0 disables the limit.
    pub failures_per_source: u32,
    /// Wrong secrets in a minute for one application; 0 disables the limit.
    pub failures_per_application: u32,
    /// Used DPoP proofs of one application that are remembered at once, at the token endpoint and apart from it for calls.
    pub dpop_proofs: usize,
}

impl Auth {
    /// The rules over `store`.
    pub fn new(store: Arc<dyn Store>, keyring: Keyring, settings: Settings) -> Auth {
        let hashing = Hashing::new(settings.hashes_at_once);
        let failures = Failures::new(settings.failures_per_source, settings.failures_per_application);
        let proofs = || ReplayCache::new(settings.dpop_proofs);
        let (token_proofs, call_proofs) = (proofs(), proofs());
        let (keyring, issued_until) = (RwLock::new(Arc::new(keyring)), AtomicU64::new(0));
        let given_up = Mutex::new(GivenUp::none());
        Auth {
            store,
            settings: ArcSwap::from_pointee(settings),
            hashing,
            failures,
            token_proofs,
            call_proofs,
            given_up,
            keyring,
            issued_until,
        }
    }

    /// The settings in force.
    pub(crate) fn settings(&self) -> Guard<Arc<Settings>> {
        self.settings.load()
    }

    /// Switches to other settings at `now`. Operations under way may read some of either. `hashes_at_once` stays.
    pub fn replace_settings(&self, settings: Settings, now: Timestamp) {
        self.give_up_default_algorithm(&settings.policy, now);
        self.failures.limit(settings.failures_per_source, settings.failures_per_application);
        for proofs in [&self.token_proofs, &self.call_proofs] {
            proofs.limit(settings.dpop_proofs);
        }
        self.settings.store(Arc::new(settings));
    }

    /// The applications and revocations.
    pub fn registry(&self) -> &Registry {
        self.store.registry()
    }

    /// The leeway after the expiry in which an access token still verifies.
    pub fn leeway(&self) -> Duration {
        self.settings().leeway
    }

    /// The time from the publication of a new key to its use.
    pub fn key_lead(&self) -> Duration {
        self.settings().key_lead
    }

    /// The effective policy of `application`.
    pub fn policy(&self, application: &Application) -> Policy {
        application.overrides.over(&self.settings().policy)
    }

    /// The live grants of an application, the most recently refreshed first.
    pub async fn grants(&self, application: AppNumber, now: Timestamp) -> Result<Vec<Grant>, StoreError> {
        let mut grants = self.store.grants(application).await?;
        grants.retain(|grant| grant.is_live(now));
        grants.sort_by_key(|grant| std::cmp::Reverse(grant.refreshed_at));
        Ok(grants)
    }

    /// The keyring in use.
    pub fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.keyring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Switches to another keyring. It must be durable already, since its tokens outlive a restart.
    pub fn replace_keyring(&self, keyring: Keyring) {
        *self.keyring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keyring);
    }
}
