//! Token introspection (RFC 7662): the present state of a token, for its own application or for a gateway.

use std::sync::Arc;

use crate::admit::{AdmissionError, Caller};
use crate::application::Application;
use crate::auth::Auth;
use crate::clock::Timestamp;
use crate::refresh;
use crate::store::StoreError;
use crate::token::{Binding, Claims, Kind, TokenError};
use crate::verify::VerifyError;

/// The answer about a token.
pub enum Introspection {
    Active(Active),
    /// The reason is for the log: the client learns only that the token is inactive.
    Inactive(Inactive),
}

/// An active token.
pub struct Active {
    pub application: Arc<Application>,
    pub kind: Kind,
    pub binding: Option<Binding>,
    pub issued_at: Timestamp,
    /// The expiry, before the leeway.
    pub expires_at: Timestamp,
}

/// Reason why a token is inactive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inactive {
    #[error("{0}")]
    Token(TokenError),
    #[error("{0}")]
    Access(VerifyError),
    #[error("it belongs to another application or to one that was deleted")]
    NotYours,
    #[error("its application is frozen")]
    Frozen,
    #[error("it has expired")]
    Expired,
    #[error("it was used before, its grant is closed, or all tokens of its application were revoked")]
    Over,
}

/// Reason why introspection fails.
#[derive(Debug, thiserror::Error)]
pub enum IntrospectError {
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    #[error("could not read the grant")]
    Store(#[source] StoreError),
}

impl Auth {
    /// Introspects a token for an application, which learns about its own tokens only.
    pub async fn introspect_own(
        &self,
        caller: &Caller<'_>,
        presented: Result<Claims, TokenError>,
        now: Timestamp,
    ) -> Result<Introspection, IntrospectError> {
        let (application, _) = self.admit(caller, now).await?;
        let introspection = self.introspect(presented, now).await?;
        Ok(match introspection {
            Introspection::Active(active) if active.application.number != application.number => {
                Introspection::Inactive(Inactive::NotYours)
            }
            Introspection::Active(_) | Introspection::Inactive(_) => introspection,
        })
    }

    /// Introspects any application's token. Access tokens need no read of the store.
    pub async fn introspect(
        &self,
        presented: Result<Claims, TokenError>,
        now: Timestamp,
    ) -> Result<Introspection, IntrospectError> {
        match presented {
            Ok(claims) => self.introspect_claims(&claims, now).await,
            Err(error) => Ok(Introspection::Inactive(Inactive::Token(error))),
        }
    }

    async fn introspect_claims(
        &self,
        claims: &Claims,
        now: Timestamp,
    ) -> Result<Introspection, IntrospectError> {
        let Some(application) = self.registry().application(claims.grant.application) else {
            return Ok(Introspection::Inactive(Inactive::NotYours));
        };
        let standing = match claims.kind {
            Kind::Access => self.standing(&application, claims, now).map_err(Inactive::Access),
            Kind::Refresh => self.refreshable(&application, claims, now).await?,
        };
        let Claims { kind, binding, issued_at, .. } = *claims;
        Ok(match standing {
            Ok(expires_at) => {
                Introspection::Active(Active { application, kind, binding, issued_at, expires_at })
            }
            Err(inactive) => Introspection::Inactive(inactive),
        })
    }

    /// The expiry of a refresh token of `application`, if a refresh with it would succeed.
    async fn refreshable(
        &self,
        application: &Application,
        claims: &Claims,
        now: Timestamp,
    ) -> Result<Result<Timestamp, Inactive>, IntrospectError> {
        if application.is_frozen() {
            return Ok(Err(Inactive::Frozen));
        }
        if now >= claims.expires_at {
            return Ok(Err(Inactive::Expired));
        }
        if application.has_revoked(claims.issued_at) {
            return Ok(Err(Inactive::Over));
        }
        let record = self.store.grant(claims.grant).await.map_err(IntrospectError::Store)?;
        let policy = self.policy(application);
        let is_good =
            record.is_some_and(|record| refresh::is_answered(claims.generation, &record, &policy, now));
        Ok(if is_good { Ok(claims.expires_at) } else { Err(Inactive::Over) })
    }
}
