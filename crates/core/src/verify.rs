//! Verify: whether an access token is valid for a call, from memory alone.

use std::sync::Arc;
use std::time::Duration;

use crate::allow::Call;
use crate::app_id::AppId;
use crate::application::Application;
use crate::auth::Auth;
use crate::clock::Timestamp;
use crate::grant::GrantKey;
use crate::possession::Evidence;
use crate::replay::ReplayError;
use crate::token::{Binding, Claims, Kind, TokenError};

/// A valid token.
pub struct Verified {
    pub application: Arc<Application>,
    pub grant: GrantKey,
    /// The expiry, before the leeway.
    pub expires_at: Timestamp,
}

/// Reason why a token is rejected, for the log: the client learns only that it is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error("{0}")]
    Token(TokenError),
    #[error("it is a refresh token")]
    WrongKind,
    #[error("it has expired")]
    Expired,
    /// It lasts longer than any token that is issued now, or its issue time lies ahead.
    #[error("a clock that was ahead issued it")]
    Ahead,
    #[error("it belongs to another application or to one that was deleted")]
    NotYours,
    #[error("its application is frozen")]
    Frozen,
    #[error("its grant was closed, or all tokens of its application were revoked")]
    Revoked,
    /// It is bound to a certificate or a key that the call does not present.
    #[error("it is bound to a certificate or a key that the call does not present")]
    NotShown,
    /// It is valid, but the allow rules do not cover the call, or the gateway did not say which call it is.
    #[error("its application may not make this call")]
    Forbidden,
    /// It is valid, but the application is above its rate limit.
    #[error("its application exceeds its rate limit; retry in {}s", .0.as_secs_f32())]
    TooManyCalls(Duration),
    /// It is valid, but its proof was used before, or the replay cache is full.
    #[error(transparent)]
    Proof(#[from] ReplayError),
}

impl Auth {
    /// Verifies the access token of a call (API: headers `app_key` and `Authorization`). `shown` is the evidence of possession
    /// that a bound token needs. Without an `app_key`, the token alone names its application.
    pub fn verify(
        &self,
        app_key: Option<&AppId>,
        access_token: &str,
        call: Option<Call<'_>>,
        shown: &[Evidence],
        now: Timestamp,
    ) -> Result<Verified, VerifyError> {
        let claims = Claims::authenticate(access_token, &self.keyring()).map_err(VerifyError::Token)?;
        self.verify_claims(app_key, &claims, call, shown, now)
    }

    /// Verifies the claims of an authenticated access token, in whatever form it came.
    pub fn verify_claims(
        &self,
        app_key: Option<&AppId>,
        claims: &Claims,
        call: Option<Call<'_>>,
        shown: &[Evidence],
        now: Timestamp,
    ) -> Result<Verified, VerifyError> {
        if claims.kind != Kind::Access {
            return Err(VerifyError::WrongKind);
        }
        let application =
            self.registry().application(claims.grant.application).ok_or(VerifyError::NotYours)?;
        if app_key.is_some_and(|app_key| application.id != *app_key) {
            return Err(VerifyError::NotYours);
        }
        let expires_at = self.standing(&application, claims, now)?;
        let held = held(claims.binding, shown)?;
        if !application.allow.permits(call) {
            return Err(VerifyError::Forbidden);
        }
        // Only the holder's own proofs take room, and a replayed proof does not count as a call.
        if let Some(Evidence::Key(proof)) = held {
            self.call_proofs.record_once(application.number, proof, now)?;
        }
        // Only calls that would pass are counted: any client can make others in its name.
        let per_minute = self.policy(&application).calls_per_minute;
        application.calls.verify(per_minute, now).map_err(VerifyError::TooManyCalls)?;
        Ok(Verified { application, grant: claims.grant, expires_at })
    }

    /// The expiry of an access token of `application`, if it is valid.
    pub(crate) fn standing(
        &self,
        application: &Application,
        claims: &Claims,
        now: Timestamp,
    ) -> Result<Timestamp, VerifyError> {
        let lifetime = self.policy(application).access_lifetime;
        // A shortened lifetime holds for tokens issued before, too: a revocation need not be kept for longer than today's policy
        // says.
        let expires_at = claims.expires_at.min(claims.issued_at.plus(lifetime));
        if self.is_past(claims, expires_at, now) {
            return Err(VerifyError::Expired);
        }
        if application.is_frozen() {
            return Err(VerifyError::Frozen);
        }
        if application.has_revoked(claims.issued_at) || self.registry().is_revoked(claims.grant, now) {
            return Err(VerifyError::Revoked);
        }
        let issue_time = self.issue_time(application, now);
        if expires_at.is_ahead_of(now.plus(lifetime)) || claims.issued_at.is_ahead_of(issue_time) {
            return Err(VerifyError::Ahead);
        }
        Ok(expires_at)
    }

    /// Whether an access token with this expiry is over by the clock, or by the high-water mark of forgotten revocations.
    pub(crate) fn is_past(&self, claims: &Claims, expires_at: Timestamp, now: Timestamp) -> bool {
        let (end, forgotten) =
            (expires_at.plus(self.settings().leeway), self.registry().high_water().tokens());
        now >= end || end <= forgotten && claims.issued_at < forgotten
    }
}

/// The evidence in `shown` that satisfies `binding`, if the token is bound.
fn held(binding: Option<Binding>, shown: &[Evidence]) -> Result<Option<&Evidence>, VerifyError> {
    let Some(binding) = binding else { return Ok(None) };
    let held = shown.iter().find(|evidence| evidence.binding() == binding);
    held.ok_or(VerifyError::NotShown).map(Some)
}
