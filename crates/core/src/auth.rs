//! What the operations lean on: the store, the keyring, the policy defaults, and the secrets of applications.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::admit::AdmissionError;
use crate::application::{AppId, AppNumber, Application};
use crate::clock::Timestamp;
use crate::grant::Grant;
use crate::keyring::Keyring;
use crate::policy::{AccessTokens, Policy};
use crate::published::GivenUp;
use crate::registry::Registry;
use crate::replay::ReplayCache;
use crate::secret::{Busy, Digest, Hashing, Kept, Secret, SecretText};
use crate::signing::Algorithms;
use crate::store::{Store, StoreError};
use crate::throttle::Failures;
use crate::token::{Binding, Claims};

/// The rules over a store. The verbs are its methods, each in the file of its name.
pub struct Auth {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) settings: Settings,
    pub(crate) hashing: Hashing,
    pub(crate) failures: Failures,
    /// DPoP proofs that were used at the token endpoint.
    pub(crate) token_proofs: ReplayCache,
    /// DPoP proofs that were used with calls on the platform.
    pub(crate) call_proofs: ReplayCache,
    /// Algorithms that no policy names any more, while their tokens may be good.
    pub(crate) given_up: Mutex<[GivenUp; 2]>,
    keyring: RwLock<Arc<Keyring>>,
    /// The latest time at which this process issued a token, which may lie ahead of a clock that was set back since.
    issued_until: AtomicU64,
}

/// What the configuration says about the rules.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The policy of applications for which nothing else is set.
    pub policy: Policy,
    /// How long after its end an access token still verifies: some clients replace it at the very moment it ends.
    pub leeway: Duration,
    /// Closed grants of one application with unexpired access tokens, above which it may not log in.
    pub closed_grants: usize,
    /// How long a new key of the keyring is known before it is used.
    pub key_lead: Duration,
    /// Algorithms whose keys are published although no policy names them yet.
    pub published: Algorithms,
    /// Argon2id hashes computed at a time, 19 MiB each.
    pub hashes_at_once: usize,
    /// Wrong secrets in a minute from one IPv4 address or IPv6 /64; 0 is no limit.
    pub failures_per_source: u32,
    /// Wrong secrets in a minute for one application; 0 is no limit.
    pub failures_per_application: u32,
    /// Used DPoP proofs of one application that are remembered at once, at the token endpoint and apart from it for calls.
    pub dpop_proofs: usize,
}

/// An access token, and the refresh token for the next pair.
pub struct Pair {
    pub access_token: String,
    pub refresh_token: String,
    /// From now to the end of the access token.
    pub expires_in: Duration,
    /// What the access token says, and in which form OAuth gives it.
    pub claims: Claims,
    pub access_tokens: AccessTokens,
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
            settings,
            hashing,
            failures,
            token_proofs,
            call_proofs,
            given_up,
            keyring,
            issued_until,
        }
    }

    /// The applications and revocations.
    pub fn registry(&self) -> &Registry {
        self.store.registry()
    }

    /// How long after its end an access token still verifies.
    pub fn leeway(&self) -> Duration {
        self.settings.leeway
    }

    /// How long a new key of the keyring is known before it is used.
    pub fn key_lead(&self) -> Duration {
        self.settings.key_lead
    }

    /// The policy that holds for `application`.
    pub fn policy(&self, application: &Application) -> Policy {
        application.overrides.over(&self.settings.policy)
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

    /// Uses another keyring from now on. It must be durable already, since tokens made with it outlive a restart.
    pub fn replace_keyring(&self, keyring: Keyring) {
        *self.keyring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keyring);
    }

    /// The application that presents `secret` from an address. An unknown one costs the same work as a wrong secret.
    ///
    /// An allocated secret that is right is let through before anything is asked about its caller.
    pub(crate) async fn authenticate(
        &self,
        app: &AppId,
        secret: &SecretText,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<Arc<Application>, AdmissionError> {
        let application = self.registry().find(app);
        let secrets = application.as_ref().map_or(&[][..], |application| &application.secrets);
        let digest = self.keyring().pepper().digest(app, secret);
        let matched = match allocated(secrets, &digest, now) {
            Some(matched) => Some(matched),
            // Boxed: few come here, and all would carry the room for it with them.
            None => {
                Box::pin(self.authenticate_imported(app, application.as_deref(), secret, digest, from, now))
                    .await?
            }
        };
        let (Some(matched), Some(application)) = (matched, &application) else {
            let number = application.as_ref().map(|application| application.number);
            return Err(match self.failures.failed(app, number, from, now) {
                None => AdmissionError::Rejected,
                Some(wait) => AdmissionError::Throttled(wait),
            });
        };
        if matched.used(now) {
            self.registry().mark_used(application.number);
        }
        Ok(Arc::clone(application))
    }

    /// The live imported secret that the presented one is. Those may be weak: who was wrong too often is not told.
    async fn authenticate_imported<'a>(
        &self,
        app: &AppId,
        application: Option<&'a Application>,
        presented: &SecretText,
        digest: Digest,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<Option<&'a Secret>, AdmissionError> {
        let number = application.map(|application| application.number);
        if let Some(wait) = self.failures.wait(app, number, from, now) {
            return Err(AdmissionError::Throttled(wait));
        }
        let secrets = application.map_or(&[][..], |application| &application.secrets);
        let Ok(matched) = self.imported(secrets, presented, digest, now).await else {
            return Err(AdmissionError::Busy);
        };
        match (matched, application) {
            (Some(_), Some(application)) => self.failures.succeeded(application.number, from, now),
            (_, _) => {
                // One that is imported and was never presented has just cost a hash.
                let is_hashed = secrets.iter().any(|kept| kept.is_live(now) && kept.digest().is_none());
                if !is_hashed && self.registry().has_imported_secrets() {
                    self.hashing.burn(presented).await;
                }
            }
        }
        Ok(matched)
    }

    /// The live secret among `secrets` that the presented one is, for the operator, who guesses at none.
    pub(crate) async fn matching<'a>(
        &self,
        app: &AppId,
        secrets: &'a [Arc<Secret>],
        presented: &SecretText,
        now: Timestamp,
    ) -> Result<Option<&'a Secret>, Busy> {
        let digest = self.keyring().pepper().digest(app, presented);
        match allocated(secrets, &digest, now) {
            Some(matched) => Ok(Some(matched)),
            None => self.imported(secrets, presented, digest, now).await,
        }
    }

    /// The live imported secret that the presented one is: first those that were presented before.
    async fn imported<'a>(
        &self,
        secrets: &'a [Arc<Secret>],
        presented: &SecretText,
        digest: Digest,
        now: Timestamp,
    ) -> Result<Option<&'a Secret>, Busy> {
        let live = || secrets.iter().filter(|secret| secret.is_live(now));
        if let Some(matched) = same(live().filter(|secret| secret.is_imported()), &digest) {
            return Ok(Some(matched));
        }
        for secret in live().filter(|secret| secret.digest().is_none()) {
            if let Kept::Argon2id(phc) = &secret.kept
                && self.hashing.verify(presented, phc).await?
            {
                secret.remember(digest);
                return Ok(Some(secret));
            }
        }
        Ok(None)
    }

    /// The refresh token of a grant in its present state. It is the same each time, also after a rotation: it is made with the
    /// key that was current when the grant came into this state.
    pub(crate) fn refresh_token(&self, application: AppNumber, grant: &Grant) -> String {
        Claims::refresh(application, grant).mint(&self.keyring(), grant.refreshed_at)
    }

    /// What an access token that is issued now says: never issued before the not-before of its application or the
    /// high-water mark, and good for its lifetime from now.
    pub(crate) fn access_claims(
        &self,
        application: &Application,
        grant: &Grant,
        binding: Option<Binding>,
        policy: &Policy,
        now: Timestamp,
    ) -> Claims {
        // Mostly nothing is newer than what is noted to the millisecond, and threads share what they only read.
        if self.issued_until.load(Ordering::Relaxed) < now.as_millis() {
            self.issued_until.fetch_max(now.as_millis(), Ordering::Relaxed);
        }
        let issued_at = self.issue_time(application, now);
        Claims::access(application.number, grant, binding, issued_at, now.plus(policy.access_lifetime))
    }

    /// When an access token that is issued now says that it was.
    pub(crate) fn issue_time(&self, application: &Application, now: Timestamp) -> Timestamp {
        application.issues_at(now).max(self.registry().forgotten().tokens())
    }

    /// The latest time at which this process may have issued a token that is not refused for its time.
    pub(crate) fn issued_until(&self, now: Timestamp) -> Timestamp {
        let latest = Timestamp::from_millis(self.issued_until.load(Ordering::Relaxed));
        let latest = if latest.is_ahead_of(now) { now } else { latest.max(now) };
        latest.max(self.registry().forgotten().tokens())
    }

    /// The tokens of a grant in its present state: its refresh token, and an access token that is new.
    pub(crate) fn pair(
        &self,
        application: &Application,
        grant: &Grant,
        refresh_token: String,
        binding: Option<Binding>,
        policy: &Policy,
        now: Timestamp,
    ) -> Pair {
        let access = self.access_claims(application, grant, binding, policy, now);
        Pair {
            access_token: access.mint(&self.keyring(), now),
            refresh_token,
            expires_in: policy.access_lifetime,
            claims: access,
            access_tokens: policy.access_tokens,
        }
    }
}

/// The live allocated secret with this digest.
fn allocated<'a>(secrets: &'a [Arc<Secret>], digest: &Digest, now: Timestamp) -> Option<&'a Secret> {
    same(secrets.iter().filter(|secret| secret.is_live(now) && !secret.is_imported()), digest)
}

/// The one with this digest. All are compared, so that the time does not tell which one it was.
fn same<'a>(secrets: impl Iterator<Item = &'a Arc<Secret>>, digest: &Digest) -> Option<&'a Secret> {
    let matches = |secret: &&Arc<Secret>| secret.digest().is_some_and(|kept| kept.matches(digest));
    secrets.filter(matches).fold(None, |_, matched| Some(matched))
}
