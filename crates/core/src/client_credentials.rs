//! Client credentials grant: an authenticated application gets an access token without a refresh token (RFC 6749 §4.4).
//!
//! Each token belongs to a grant of its own that is not stored: issuing writes nothing, since the client can always authenticate
//! again. A logout or a revocation records that the grant is closed, as for any other grant.

use std::time::Duration;

use crate::admit::{AdmissionError, Caller};
use crate::auth::Auth;
use crate::clock::Timestamp;
use crate::grant::{Grant, GrantId};
use crate::policy::AccessTokens;
use crate::possession::PossessionError;
use crate::token::Claims;

/// An access token without a refresh token.
pub struct Issued {
    pub access_token: String,
    /// Time from now to its expiry.
    pub expires_in: Duration,
    /// The claims, and the form of the token.
    pub claims: Claims,
    pub access_tokens: AccessTokens,
}

/// Reason why no token was issued.
#[derive(Debug, thiserror::Error)]
pub enum ClientCredentialsError {
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    #[error(transparent)]
    Possession(#[from] PossessionError),
    /// The revocations have reached their bound, so that a new token could not be revoked.
    #[error("the application has closed too many grants within the lifetime of their access tokens")]
    TooManyClosed,
}

impl Auth {
    /// Issues an access token to the client.
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
