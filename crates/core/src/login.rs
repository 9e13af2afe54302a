//! Login: an application presents its secret and opens a grant.

use std::net::IpAddr;
use std::time::Duration;

use crate::application::AppId;
use crate::auth::{AdmissionError, Auth, Pair};
use crate::clock::Timestamp;
use crate::grant::{Grant, GrantId, GrantKey};
use crate::policy::{LAST_ONLY_OVERLAP, Logins, Policy};
use crate::registry::Revocation;
use crate::secret::SecretText;
use crate::store::{Opened, Opening, StoreError};

/// A login that succeeded.
pub struct Login {
    pub pair: Pair,
    pub grant: GrantKey,
}

/// Why a login did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    #[error("the appId or the secret is not right")]
    Rejected,
    /// So many were wrong that this one may not even have been looked at.
    #[error("too many secrets were wrong; the next one is looked at in {}s", .0.as_secs_f32())]
    TooManyFailures(Duration),
    #[error("the application is frozen")]
    Frozen,
    #[error("the application calls too often; the next call is in {}s", .0.as_secs_f32())]
    TooManyCalls(Duration),
    /// It has closed so many grants that their revocations reach their bound.
    #[error("the application has closed too many grants within the lifetime of their access tokens")]
    TooManyClosed,
    #[error("too many imported secrets wait to be checked")]
    Busy,
    #[error("could not open the grant")]
    Store(#[source] StoreError),
}

impl Auth {
    /// Opens a grant for the application that presents its secret from an address (API: Application Access Security, Authentication).
    pub async fn login(
        &self,
        app: &AppId,
        secret: &SecretText,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<Login, LoginError> {
        let (application, policy) = self.admit(app, secret, from, now).await?;
        if self.has_closed_too_many(application.number, now) {
            return Err(LoginError::TooManyClosed);
        }
        let grant = Grant {
            id: GrantId::random(),
            generation: 0,
            refreshed_at: now,
            expires_at: now.plus(policy.refresh_lifetime),
        };
        let opening = Opening {
            application: application.number,
            grant,
            at_most: policy.max_grants,
            close_others: close_others(&policy, self.settings.leeway, now),
            now,
        };
        match self.store.open(opening).await.map_err(LoginError::Store)? {
            Opened::Opened => Ok(Login {
                pair: self.pair(application.number, &grant, &policy, now),
                grant: GrantKey { application: application.number, id: grant.id },
            }),
            Opened::Unknown => Err(LoginError::Rejected),
        }
    }
}

fn close_others(policy: &Policy, leeway: Duration, now: Timestamp) -> Option<Revocation> {
    match policy.logins {
        Logins::Many => None,
        Logins::LastOnly => Some(Revocation {
            ends_at: now.plus(LAST_ONLY_OVERLAP),
            forget_at: now.plus(policy.access_lifetime).plus(leeway),
        }),
    }
}

impl From<AdmissionError> for LoginError {
    fn from(error: AdmissionError) -> LoginError {
        match error {
            AdmissionError::Rejected => LoginError::Rejected,
            AdmissionError::Throttled(wait) => LoginError::TooManyFailures(wait),
            AdmissionError::Busy => LoginError::Busy,
            AdmissionError::Frozen => LoginError::Frozen,
            AdmissionError::TooManyCalls(wait) => LoginError::TooManyCalls(wait),
        }
    }
}
