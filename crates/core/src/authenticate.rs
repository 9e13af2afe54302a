//! Client authentication by secret: constant-time comparison of digests, Argon2id for imported secrets, rate limits on failures.

use std::net::IpAddr;
use std::sync::Arc;

use crate::admit::AdmissionError;
use crate::app_id::AppId;
use crate::application::Application;
use crate::auth::Auth;
use crate::clock::Timestamp;
use crate::secret::{Busy, Digest, Kept, Secret, SecretText};

impl Auth {
    /// Authenticates an application by its secret. An unknown application costs the same work as a wrong secret, so that the time
    /// does not reveal which it was.
    ///
    /// A right allocated secret passes before any rate limit: an attacker cannot lock its owner out.
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
            // Boxed: few requests come here, and it would enlarge the future of all others.
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

    /// Authenticates by an imported secret, which may be weak: the rate limits on failures come first.
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
                // An imported secret that was never presented has cost a hash already.
                let is_hashed = secrets.iter().any(|kept| kept.is_live(now) && kept.digest().is_none());
                if !is_hashed && self.registry().has_imported_secrets() {
                    self.hashing.burn(presented).await;
                }
            }
        }
        Ok(matched)
    }

    /// Matches a secret for the operator, without the rate limits on failures.
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

    /// Matches imported secrets; checks the cached digests before hashing.
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
}

/// The live allocated secret with this digest.
fn allocated<'a>(secrets: &'a [Arc<Secret>], digest: &Digest, now: Timestamp) -> Option<&'a Secret> {
    same(secrets.iter().filter(|secret| secret.is_live(now) && !secret.is_imported()), digest)
}

/// The secret with this digest. All are compared, so that the time does not reveal the match.
fn same<'a>(secrets: impl Iterator<Item = &'a Arc<Secret>>, digest: &Digest) -> Option<&'a Secret> {
    let matches = |secret: &&Arc<Secret>| secret.digest().is_some_and(|kept| kept.matches(digest));
    secrets.filter(matches).fold(None, |_, matched| Some(matched))
}
