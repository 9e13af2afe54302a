//! Login: authenticates an application by its secret and opens a grant.

use std::net::IpAddr;
use std::time::Duration;

use crate::admit::{AdmissionError, Caller};
use crate::app_id::AppId;
use crate::auth::Auth;
use crate::clock::{CLOCK_SKEW, Timestamp};
use crate::grant::{Grant, GrantId, GrantKey};
use crate::issue::Pair;
use crate::policy::{LAST_ONLY_OVERLAP, Logins, Policy};
use crate::registry::Revocation;
use crate::secret::SecretText;
use crate::store::{Opened, Opening, StoreError};

/// A successful login.
pub struct Login {
    pub pair: Pair,
    pub grant: GrantKey,
    /// Whether it revoked all earlier tokens, because the application's revocations reached their bound.
    pub has_ended_all: bool,
}

/// Reason why a login did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// The revocations of its closed grants have reached their bound.
    #[error("the application has closed too many grants within the lifetime of their access tokens")]
    TooManyClosed,
    #[error("could not open the grant")]
    Store(#[source] StoreError),
}

impl Auth {
    /// Opens a grant for an application (API: Application Access Security, Authentication).
    pub async fn login(
        &self,
        app: &AppId,
        secret: &SecretText,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<Login, LoginError> {
        let (application, policy) = self.admit(&Caller::with_secret(app, secret, from), now).await?;
        let is_full = self.has_closed_too_many(application.number, now);
        let application = match (is_full, policy.logins) {
            (false, _) => application,
            (true, Logins::Many) => return Err(LoginError::TooManyClosed),
            (true, Logins::LastOnly) => {
                let ended = self.end_all(&application.id, now).await.map_err(LoginError::Store)?;
                ended.ok_or(AdmissionError::Rejected)?
            }
        };
        let grant = Grant {
            id: GrantId::random(),
            generation: 0,
            refreshed_at: application.issues_at(now),
            expires_at: now.plus(policy.refresh_lifetime),
        };
        let opening = Opening {
            application: application.number,
            grant,
            at_most: policy.max_grants,
            close_others: close_others(&policy, self.settings().leeway, now),
            not_before: application.tokens_from,
            now,
        };
        match self.store.open(opening).await.map_err(LoginError::Store)? {
            Opened::Opened => {
                application.calls.activity.logged_in(grant.expires_at, now);
                let refresh_token = self.refresh_token(application.number, &grant);
                Ok(Login {
                    pair: self.pair(&application, &grant, refresh_token, None, &policy, now),
                    grant: GrantKey { application: application.number, id: grant.id },
                    has_ended_all: is_full,
                })
            }
            Opened::Unknown => Err(AdmissionError::Rejected.into()),
        }
    }
}

fn close_others(policy: &Policy, leeway: Duration, now: Timestamp) -> Option<Revocation> {
    match policy.logins {
        Logins::Many => None,
        Logins::LastOnly => Some(Revocation {
            ends_at: now.plus(LAST_ONLY_OVERLAP),
            // Covers a node whose clock is ahead.
            forget_at: now.plus(policy.access_lifetime).plus(leeway).plus(CLOCK_SKEW),
        }),
    }
}
