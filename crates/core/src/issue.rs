//! Token issuance: a pure function of the grant, the policy and the time, so that nothing can fail after the commit.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::application::{AppNumber, Application};
use crate::auth::Auth;
use crate::clock::Timestamp;
use crate::grant::Grant;
use crate::policy::{AccessTokens, Policy};
use crate::token::{Binding, Claims};

/// A token pair: an access token, and the refresh token for the next pair.
pub struct Pair {
    pub access_token: String,
    pub refresh_token: String,
    /// Time from now to the expiry of the access token.
    pub expires_in: Duration,
    /// The claims of the access token, and its form.
    pub claims: Claims,
    pub access_tokens: AccessTokens,
}

impl Auth {
    /// The refresh token of a grant's present state. It is the same each time, also after a key rotation: the key is the one that
    /// was current when the grant came into this state.
    pub(crate) fn refresh_token(&self, application: AppNumber, grant: &Grant) -> String {
        Claims::refresh(application, grant).mint(&self.keyring(), grant.refreshed_at)
    }

    /// The claims of an access token that is issued now. Its issue time is at or after the application's not-before and the
    /// high-water mark.
    pub(crate) fn access_claims(
        &self,
        application: &Application,
        grant: &Grant,
        binding: Option<Binding>,
        policy: &Policy,
        now: Timestamp,
    ) -> Claims {
        // Usually the noted millisecond is the present one, so that threads only read the shared line.
        if self.issued_until.load(Ordering::Relaxed) < now.as_millis() {
            self.issued_until.fetch_max(now.as_millis(), Ordering::Relaxed);
        }
        let issued_at = self.issue_time(application, now);
        Claims::access(application.number, grant, binding, issued_at, now.plus(policy.access_lifetime))
    }

    /// The issue time (`iat`) of an access token that is issued now.
    pub(crate) fn issue_time(&self, application: &Application, now: Timestamp) -> Timestamp {
        application.issues_at(now).max(self.registry().high_water().tokens())
    }

    /// The latest issue time that a token of this process may carry.
    pub(crate) fn issued_until(&self, now: Timestamp) -> Timestamp {
        let latest = Timestamp::from_millis(self.issued_until.load(Ordering::Relaxed));
        let latest = if latest.is_ahead_of(now) { now } else { latest.max(now) };
        latest.max(self.registry().high_water().tokens())
    }

    /// The token pair of a grant in its present state: its refresh token, and a new access token.
    pub(crate) fn pair(
        &self,
        application: &Application,
        grant: &Grant,
        refresh_token: String,
        binding: Option<Binding>,
        policy: &Policy,
        now: Timestamp,
    ) -> Pair {
        let access = self.access_claims(application, grant, binding, policy, now);
        Pair {
            access_token: access.mint(&self.keyring(), now),
            refresh_token,
            expires_in: policy.access_lifetime,
            claims: access,
            access_tokens: policy.access_tokens,
        }
    }
}
