//! Verify: whether an access token is good for a call, from memory alone.

use std::sync::Arc;
use std::time::Duration;

use crate::allow::Call;
use crate::application::{AppId, Application};
use crate::auth::Auth;
use crate::clock::Timestamp;
use crate::grant::GrantKey;
use crate::token::{Claims, Kind, TokenError};

/// A token that is good.
pub struct Verified {
    pub application: Arc<Application>,
    pub grant: GrantKey,
    /// The end of the token, before the leeway.
    pub expires_at: Timestamp,
}

/// Why a token is not good. For the log: the client hears only that it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error("{0}")]
    Token(TokenError),
    #[error("it is a refresh token")]
    WrongKind,
    #[error("it has expired")]
    Expired,
    #[error("it belongs to another application or to one that was deleted")]
    NotYours,
    #[error("its application is frozen")]
    Frozen,
    #[error("its grant was closed")]
    Revoked,
    /// It is good, but the application's allow rules do not cover the call, or nobody said which call it is.
    #[error("its application may not make this call")]
    Forbidden,
    /// It is good, but the application makes too many calls.
    #[error("its application calls too often; the next call is in {}s", .0.as_secs_f32())]
    TooManyCalls(Duration),
}

impl Auth {
    /// Checks the access token with which an application makes a call (API: headers `app_key` and `Authorization`).
    /// Without an `app_key`, the token alone names its application.
    pub fn verify(
        &self,
        app_key: Option<&AppId>,
        access_token: &str,
        call: Option<Call<'_>>,
        now: Timestamp,
    ) -> Result<Verified, VerifyError> {
        let claims = Claims::open(access_token, &self.keyring()).map_err(VerifyError::Token)?;
        if claims.kind != Kind::Access {
            return Err(VerifyError::WrongKind);
        }
        let application =
            self.registry().application(claims.grant.application).ok_or(VerifyError::NotYours)?;
        if app_key.is_some_and(|app_key| application.id != *app_key) {
            return Err(VerifyError::NotYours);
        }
        let policy = self.policy(&application);
        // A lifetime that the operator made shorter holds for tokens issued before, too: a revocation need not be
        // remembered for longer than today's policy says.
        let expires_at = claims.expires_at.min(claims.issued_at.plus(policy.access_lifetime));
        if now >= expires_at.plus(self.settings.leeway) {
            return Err(VerifyError::Expired);
        }
        if application.is_frozen() {
            return Err(VerifyError::Frozen);
        }
        if self.registry().is_revoked(claims.grant, now) {
            return Err(VerifyError::Revoked);
        }
        if !application.allow.permits(call) {
            return Err(VerifyError::Forbidden);
        }
        // Only calls that would pass are counted: anybody can make others in its name.
        application.calls.verify(policy.calls_per_minute, now).map_err(VerifyError::TooManyCalls)?;
        Ok(Verified { application, grant: claims.grant, expires_at })
    }
}
