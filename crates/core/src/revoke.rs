//! Revoke: an application ends the grant of one of its tokens (RFC 7009), as a logout does.

use crate::admit::{AdmissionError, Caller};
use crate::auth::Auth;
use crate::clock::Timestamp;
use crate::grant::GrantKey;
use crate::logout::{EndError, Logout};
use crate::token::{Claims, TokenError};

/// What a revocation did. The caller hears the same each time: that the token is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// The grant is closed: its refresh token and all its access tokens are refused from now on.
    Closed(GrantKey),
    /// No more closed grants of the application can be kept: all its tokens that are out have ended, this one's with them.
    EndedAll(GrantKey),
    /// The token was over already.
    AlreadyOver(GrantKey),
    /// It is no token of ours.
    Unknown(TokenError),
    /// It belongs to another application, for which it stays good.
    NotYours,
}

/// Why a token was not revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    #[error(transparent)]
    End(#[from] EndError),
}

impl Auth {
    /// Ends the grant of an access or refresh token of the caller; `presented` is what it says, in whatever form it came.
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
