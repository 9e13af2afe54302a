//! Logout: the holder of an access token closes its grant.

use std::time::Duration;

use crate::application::{AppNumber, Application};
use crate::auth::Auth;
use crate::clock::{CLOCK_SKEW, Timestamp};
use crate::grant::GrantKey;
use crate::policy::Policy;
use crate::registry::Revocation;
use crate::store::{Closing, StoreError};
use crate::token::{Claims, Kind, TokenError};

/// The result of a logout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logout {
    /// The grant is closed: its refresh token and all its access tokens are rejected from now on.
    Closed(GrantKey),
    /// The revocations have reached their bound: all issued tokens of the application are revoked, with this one.
    EndedAll(GrantKey),
    /// The token had expired or was revoked before.
    AlreadyOver(GrantKey),
}

/// Reason why a logout did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum LogoutError {
    #[error("the access token is not of this installation")]
    Token(#[source] TokenError),
    #[error("the token is a refresh token")]
    WrongKind,
    #[error("the application exceeds its rate limit; retry in {}s", .0.as_secs_f32())]
    TooManyCalls(Duration),
    #[error(transparent)]
    End(#[from] EndError),
}

/// Reason why a grant could not be closed.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    #[error("could not close the grant")]
    Store(#[source] StoreError),
}

impl Auth {
    /// Closes the grant of an access token (API: Application Access Security, Logout). Idempotent: a second logout changes
    /// nothing.
    pub async fn logout(&self, access_token: &str, now: Timestamp) -> Result<Logout, LogoutError> {
        let claims = Claims::authenticate(access_token, &self.keyring()).map_err(LogoutError::Token)?;
        if claims.kind != Kind::Access {
            return Err(LogoutError::WrongKind);
        }
        if let Some(application) = self.registry().application(claims.grant.application) {
            let per_minute = self.policy(&application).calls_per_minute;
            if !self.is_over(&application, &claims, now) {
                application.calls.use_grant(per_minute, now).map_err(LogoutError::TooManyCalls)?;
            }
        }
        Ok(self.end(&claims, now).await?)
    }

    /// Closes the grant of a token with these claims.
    pub(crate) async fn end(&self, claims: &Claims, now: Timestamp) -> Result<Logout, EndError> {
        let application = self.registry().application(claims.grant.application);
        let Some(application) = application.filter(|application| !self.is_over(application, claims, now))
        else {
            return Ok(Logout::AlreadyOver(claims.grant));
        };
        if self.has_closed_too_many(application.number, now) && self.is_gone(claims.grant).await? {
            let ended = self.end_all(&application.id, now).await.map_err(EndError::Store)?;
            return Ok(ended.map_or(Logout::AlreadyOver(claims.grant), |_| Logout::EndedAll(claims.grant)));
        }
        let mut revocation = self.ended(&self.policy(&application), now);
        if claims.kind == Kind::Access {
            // The token may have a longer lifetime than today's policy gives, and a later policy may honour it again.
            revocation.forget_at = revocation.forget_at.max(claims.expires_at.plus(self.settings().leeway));
        }
        let closing = Closing { grant: claims.grant, revocation };
        self.store.close(closing).await.map_err(EndError::Store)?;
        Ok(Logout::Closed(claims.grant))
    }

    /// The revocation of a grant's access tokens, kept for as long as one can be unexpired on a node whose clock is behind.
    pub(crate) fn ended(&self, policy: &Policy, now: Timestamp) -> Revocation {
        Revocation::at_once(now.plus(policy.access_lifetime).plus(self.settings().leeway).plus(CLOCK_SKEW))
    }

    /// Whether the grant is gone. Live grants are bounded and may always be closed; grants that gave way are not bounded.
    async fn is_gone(&self, grant: GrantKey) -> Result<bool, EndError> {
        Ok(self.store.grant(grant).await.map_err(EndError::Store)?.is_none())
    }

    /// Whether the application's revocations have reached their bound.
    pub(crate) fn has_closed_too_many(&self, application: AppNumber, now: Timestamp) -> bool {
        self.registry().has_revocations(application, self.settings().closed_grants, now)
    }

    fn is_over(&self, application: &Application, claims: &Claims, now: Timestamp) -> bool {
        self.is_past(claims, claims.expires_at, now)
            || application.has_revoked(claims.issued_at)
            || self.registry().is_revoked(claims.grant, now)
    }
}
