//! Introspect: what a token is good for at this moment, for whoever may know (RFC 7662).

use std::sync::Arc;

use crate::admit::{AdmissionError, Caller};
use crate::application::Application;
use crate::auth::Auth;
use crate::clock::Timestamp;
use crate::refresh;
use crate::store::StoreError;
use crate::token::{Binding, Claims, Kind, TokenError};
use crate::verify::VerifyError;

/// What is told of a token.
pub enum Introspection {
    Active(Active),
    /// Why is for the log: who asks hears only that it is not.
    Inactive(Inactive),
}

/// A token that is good.
pub struct Active {
    pub application: Arc<Application>,
    pub kind: Kind,
    pub binding: Option<Binding>,
    pub issued_at: Timestamp,
    /// The end of the token, before the leeway.
    pub expires_at: Timestamp,
}

/// Why a token is good for nothing.
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
    #[error("it was used up before, its grant is closed, or all tokens of its application were ended")]
    Over,
}

/// Why nothing is told.
#[derive(Debug, thiserror::Error)]
pub enum IntrospectError {
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    #[error("could not read the grant")]
    Store(#[source] StoreError),
}

impl Auth {
    /// What a token is good for that says this, in whatever form it came. An application learns it of its own only.
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

    /// The same, whosoever it is. For access tokens no storage is touched.
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

    /// The end of a refresh token of `application`, if a refresh with it would be answered.
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
