//! Token revocation (RFC 7009): an application closes the grant of one of its tokens, as a logout does.

use crate::admit::{AdmissionError, Caller};
use crate::auth::Auth;
use crate::clock::Timestamp;
use crate::grant::GrantKey;
use crate::logout::{EndError, Logout};
use crate::token::{Claims, TokenError};

/// The result of a revocation. The client gets the same answer each time: the token is not valid any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// The grant is closed: its refresh token and all its access tokens are rejected from now on.
    Closed(GrantKey),
    /// The revocations have reached their bound: all issued tokens of the application are revoked, with this one.
    EndedAll(GrantKey),
    /// The token had expired or was revoked before.
    AlreadyOver(GrantKey),
    /// The text is not a token of this installation.
    Unknown(TokenError),
    /// The token belongs to another application, for which it stays valid.
    NotYours,
}

/// Reason why a token was not revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    #[error(transparent)]
    End(#[from] EndError),
}

impl Auth {
    /// Closes the grant of an access or refresh token of the client; `presented` are its claims, in whatever form it came.
    pub async fn revoke(
        &self,
        caller: &Caller<'_>,
        presented: Result<Claims, TokenError>,
        now: Timestamp,
    ) -> Result<Revoked, RevokeError> {
        let (application, _) = self.admit(caller, now).await?;
        let claims = match presented {
            Ok(claims) => claims,
            Err(error) => return Ok(Revoked::Unknown(error)),
        };
        if claims.grant.application != application.number {
            return Ok(Revoked::NotYours);
        }
        Ok(match self.end(&claims, now).await? {
            Logout::Closed(grant) => Revoked::Closed(grant),
            Logout::EndedAll(grant) => Revoked::EndedAll(grant),
            Logout::AlreadyOver(grant) => Revoked::AlreadyOver(grant),
        })
    }
}
