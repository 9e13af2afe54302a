//! Clock repair: finds stored times that a clock far ahead wrote, and lets an operator correct them.
//!
//! A stored time that lies ahead by more than [`CLOCK_TOLERANCE`](crate::clock::CLOCK_TOLERANCE) came from a wrong clock. None
//! makes a token last longer than it should; [`What`] says what each costs until it is corrected.

use std::time::Duration;

use crate::actor::Actor;
use crate::administer::{AdministerError, Change};
use crate::app_id::AppId;
use crate::application::Application;
use crate::assertion;
use crate::auth::Auth;
use crate::clock::{CLOCK_SKEW, Timestamp};
use crate::grant::{Grant, GrantId, GrantKey};
use crate::high_water::Marks;
use crate::key_id::KeyId;
use crate::registry::Revocation;
use crate::store::{Closing, Step, StoreError};

/// A stored time that lies far ahead of the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ahead {
    pub what: What,
    pub application: Option<AppId>,
    pub at: Timestamp,
}

/// The kind of a stored time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The not-before of an application. New tokens carry it as their issue time, and libraries reject signed ones.
    NotBefore,
    /// A grant, whose refresh token is valid for as much longer until its next refresh.
    Grant(GrantId),
    /// A key of the keyring that is not in use yet. The next rotation corrects it.
    Key(KeyId),
    /// The high-water mark of forgotten revocations. New tokens carry it as their issue time.
    ForgottenTokens,
    /// The high-water mark of forgotten single-use identifiers. Assertions that end before it are refused.
    ForgottenSingleUse,
}

impl What {
    /// The word in answers and log lines.
    pub fn as_str(self) -> &'static str {
        match self {
            What::NotBefore => "not-before",
            What::Grant(_) => "grant",
            What::Key(_) => "key",
            What::ForgottenTokens => "forgotten-tokens",
            What::ForgottenSingleUse => "forgotten-single-use",
        }
    }
}

impl Auth {
    /// Times far ahead in the keyring and the high-water marks, which belong to no application.
    pub fn installation_ahead(&self, now: Timestamp) -> Vec<Ahead> {
        let Marks { tokens, single_use } = self.registry().high_water().get();
        let keyring = self.keyring();
        // A key that has a successor is not used at all.
        let newest = keyring.record().keys.iter().filter(|key| key.retire_at.is_none());
        let keys = newest.map(|key| (What::Key(key.id), key.created_at));
        let marks = [(What::ForgottenTokens, tokens), (What::ForgottenSingleUse, single_use)];
        let all = marks.into_iter().chain(keys).filter(|(_, at)| at.is_ahead_of(now));
        all.map(|(what, at)| Ahead { what, application: None, at }).collect()
    }

    /// The times far ahead of one application.
    pub async fn application_ahead(
        &self,
        application: &Application,
        now: Timestamp,
    ) -> Result<Vec<Ahead>, StoreError> {
        let of_it = |what, at| Ahead { what, application: Some(application.id.clone()), at };
        let not_before = application.tokens_from.filter(|at| self.is_not_before_ahead(*at, now));
        let mut ahead: Vec<_> = not_before.map(|at| of_it(What::NotBefore, at)).into_iter().collect();
        let grants = self.store.grants(application.number).await?;
        let grants = grants.iter().filter(|grant| grant.refreshed_at.is_ahead_of(now));
        ahead.extend(grants.map(|grant| of_it(What::Grant(grant.id), grant.refreshed_at)));
        Ok(ahead)
    }

    /// Lowers the high-water marks to the latest expiry of any token or assertion of a right clock. Forgotten tokens stay
    /// rejected.
    #[expect(unused_variables, reason = "the audit trail will record it")]
    pub async fn set_marks_right(&self, actor: &Actor, now: Timestamp) -> Result<(), StoreError> {
        let applications = self.registry().all();
        let longest = applications.iter().map(|application| self.policy(application).access_lifetime).max();
        let longest = longest.unwrap_or_default().max(self.settings().policy.access_lifetime);
        let (tokens, single_use) = (longest + self.settings().leeway + CLOCK_SKEW, LONGEST_ASSERTION);
        let to = Marks { tokens: now.plus(tokens), single_use: now.plus(single_use) };
        self.store.lower_forgotten(to).await
    }

    /// Corrects the times far ahead of one application and returns the old ones. Closes the grants that its not-before had
    /// revoked, since the new one would revive them. Access tokens from that time are rejected; refresh tokens of live grants
    /// yield new ones.
    pub async fn set_application_right(
        &self,
        application: &Application,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Vec<Ahead>, AdministerError> {
        let ahead = self.application_ahead(application, now).await.map_err(AdministerError::Store)?;
        if ahead.is_empty() {
            return Ok(ahead);
        }
        let grants = self.store.grants(application.number).await.map_err(AdministerError::Store)?;
        let grants = grants.iter().filter(|grant| grant.refreshed_at.is_ahead_of(now));
        let (over, live): (Vec<_>, Vec<_>) =
            grants.partition(|grant| application.has_revoked(grant.refreshed_at));
        for grant in over {
            self.close_ahead(application, grant).await.map_err(AdministerError::Store)?;
        }
        let refreshed_at = if application.tokens_from.is_some_and(|at| self.is_not_before_ahead(at, now)) {
            self.change(&application.id, &Change::RepairNotBefore, actor, now).await?.issues_at(now)
        } else {
            application.issues_at(now)
        };
        let expires_at = now.plus(self.policy(application).refresh_lifetime);
        for grant in live {
            // Same generation, so that its refresh token stays valid. A grant that advances meanwhile is corrected by that.
            let to = Grant { refreshed_at, expires_at, ..*grant };
            let step = Step { application: application.number, from: grant.generation, to };
            self.store.advance(step).await.map_err(AdministerError::Store)?;
        }
        Ok(ahead)
    }

    /// While the clock is behind the high-water mark, a not-before lies behind the mark.
    fn is_not_before_ahead(&self, at: Timestamp, now: Timestamp) -> bool {
        at.is_ahead_of(now.max(self.registry().high_water().tokens()))
    }

    /// Keeps the revocations for as long as the clock that was ahead let access tokens live.
    pub(crate) async fn close_ahead(
        &self,
        application: &Application,
        grant: &Grant,
    ) -> Result<(), StoreError> {
        let lifetime = self.policy(application).access_lifetime + self.settings().leeway + CLOCK_SKEW;
        let revocation = Revocation::at_once(grant.refreshed_at.plus(lifetime));
        let grant = GrantKey { application: application.number, id: grant.id };
        self.store.close(Closing { grant, revocation }).await
    }
}

/// From the first use of an assertion to the end of its record.
const LONGEST_ASSERTION: Duration = assertion::MAX_LIFETIME.saturating_add(assertion::SKEW.saturating_mul(2));
