//! Client credentials: an application shows that it is itself and gets an access token, and nothing to refresh it with
//! (RFC 6749 §4.4).
//!
//! Each token belongs to a grant of its own, of which nothing is stored: issuing writes nothing, and who shows its
//! credentials can always do so again. A logout or a revocation of it writes that the grant is over, as of any other.

use std::time::Duration;

use crate::admit::{AdmissionError, Caller};
use crate::auth::Auth;
use crate::clock::Timestamp;
use crate::grant::{Grant, GrantId};
use crate::policy::AccessTokens;
use crate::possession::PossessionError;
use crate::token::Claims;

/// An access token that stands alone.
pub struct Issued {
    pub access_token: String,
    /// From now to its end.
    pub expires_in: Duration,
    /// What it says, and in which form it is given.
    pub claims: Claims,
    pub access_tokens: AccessTokens,
}

/// Why no token was issued.
#[derive(Debug, thiserror::Error)]
pub enum ClientCredentialsError {
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    #[error(transparent)]
    Possession(#[from] PossessionError),
    /// What is issued could not be revoked any more.
    #[error("the application has closed too many grants within the lifetime of their access tokens")]
    TooManyClosed,
}

impl Auth {
    /// Issues an access token to the caller.
    pub async fn client_credentials(
        &self,
        caller: &Caller<'_>,
        now: Timestamp,
    ) -> Result<Issued, ClientCredentialsError> {
        let (application, policy) = self.admit(caller, now).await?;
        if self.has_closed_too_many(application.number, now) {
            return Err(ClientCredentialsError::TooManyClosed);
        }
        let binding = self.bind(caller, &application, &policy, now)?;
        let (refreshed_at, expires_at) = (application.issues_at(now), now.plus(policy.access_lifetime));
        let grant = Grant { id: GrantId::random(), generation: 0, refreshed_at, expires_at };
        let claims = self.access_claims(&application, &grant, binding, &policy, now);
        Ok(Issued {
            access_token: claims.mint(&self.keyring(), now),
            expires_in: policy.access_lifetime,
            claims,
            access_tokens: policy.access_tokens,
        })
    }
}
