//! An application: a customer's server that may log in (OAuth: the client).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::allow::Allow;
use crate::app_id::AppId;
use crate::clock::{CLOCK_SKEW, Timestamp};
use crate::credential::Credential;
use crate::owner::Owner;
use crate::policy::Overrides;
use crate::secret::Secrets;
use crate::throttle::Calls;

/// How far ahead of now a not-before lies: other nodes learn it within a second, and their clocks may be ahead.
const REVOKED_AHEAD: Duration = CLOCK_SKEW.saturating_add(SECOND);
const SECOND: Duration = Duration::from_secs(1);

/// The number of an application within the installation, assigned in the order of creation and never reused. Tokens carry it,
/// since it is shorter than the appId.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppNumber(pub u32);

/// The state of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Active,
    /// Frozen by the operator: login and refresh are refused, and its tokens do not verify.
    Frozen,
}

impl State {
    pub const ALL: [State; 2] = [State::Active, State::Frozen];

    /// Parses the word.
    pub fn parse(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// The word in answers and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Active => "active",
            State::Frozen => "frozen",
        }
    }
}

/// An application in the registry. Changes replace it as a whole, so that a reader sees one state of it.
#[derive(Clone, Debug)]
pub struct Application {
    pub number: AppNumber,
    pub id: AppId,
    /// The operator's name for it; need not be unique.
    pub name: String,
    /// The team or customer that it belongs to.
    pub owner: Option<Owner>,
    pub state: State,
    pub overrides: Overrides,
    /// The calls that it may make on the platform.
    pub allow: Allow,
    pub created_at: Timestamp,
    /// The not-before: tokens issued earlier are revoked. A whole second, since `iat` in signed tokens has no fraction.
    pub tokens_from: Option<Timestamp>,
    /// Count of changes: the guard for optimistic concurrency.
    pub revision: u32,
    /// At most [`crate::secret::MAX_SECRETS`], in the order of their ids.
    pub secrets: Secrets,
    /// At most [`crate::credential::MAX_CREDENTIALS`], in the order of their ids.
    pub credentials: Vec<Credential>,
    /// The rate limiter's buckets; they survive the replacement of the application.
    pub calls: Arc<Calls>,
}

/// Names one state of an application's record: the guard of a change that was decided on that state. Last uses and grants are no
/// part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    pub number: AppNumber,
    pub revision: u32,
}

impl Tag {
    /// Parses a tag.
    pub fn parse(text: &str) -> Option<Tag> {
        let (number, revision) = text.split_once('-')?;
        Some(Tag { number: AppNumber(number.parse().ok()?), revision: revision.parse().ok()? })
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.number.0, self.revision)
    }
}

impl Application {
    /// The tag of this state. One with the same appId that was created later has another number.
    pub fn tag(&self) -> Tag {
        Tag { number: self.number, revision: self.revision }
    }

    /// Whether the operator froze it.
    pub fn is_frozen(&self) -> bool {
        self.state == State::Frozen
    }

    /// The last use of any of its secrets.
    pub fn last_used_at(&self) -> Option<Timestamp> {
        self.secrets.iter().filter_map(|secret| secret.last_used_at()).max()
    }

    /// Whether the not-before revokes a token with this issue time.
    pub fn has_revoked(&self, issued_at: Timestamp) -> bool {
        self.tokens_from.is_some_and(|tokens_from| issued_at < tokens_from)
    }

    /// The issue time of a new token: at or after the not-before. The expiry does not depend on it: a not-before from a clock
    /// that was ahead makes no token last longer.
    pub(crate) fn issues_at(&self, now: Timestamp) -> Timestamp {
        self.tokens_from.map_or(now, |tokens_from| now.max(tokens_from))
    }

    /// The new not-before: later than any token already issued here or on a lagging node.
    pub(crate) fn revoking_at(&self, now: Timestamp) -> Timestamp {
        // Today's tokens may carry the previous not-before, if that still lies ahead.
        let after_the_last = self.tokens_from.map_or(now, |last| last.plus(SECOND));
        not_before(now).max(after_the_last)
    }

    /// The not-before that replaces one from a clock far ahead: later than any token of a right clock.
    pub(crate) fn repaired_not_before(&self, now: Timestamp) -> Option<Timestamp> {
        self.tokens_from.map(|last| if last.is_ahead_of(now) { not_before(now) } else { last })
    }
}

/// Rounds up to a whole second, since `iat` in signed tokens has no fraction.
fn not_before(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.plus(REVOKED_AHEAD).as_millis().div_ceil(1_000) * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(tokens_from: Option<u64>) -> Application {
        let new = crate::store::NewApplication {
            id: AppId::random(),
            name: String::new(),
            owner: None,
            state: State::Active,
            overrides: Overrides::default(),
            allow: Allow::default(),
            created_at: Timestamp::from_millis(0),
            secrets: Secrets::new(),
        };
        let tokens_from = tokens_from.map(Timestamp::from_millis);
        Application { tokens_from, ..new.numbered(AppNumber(1)) }
    }

    #[test]
    fn what_is_issued_after_a_revocation_is_good_and_ends_with_the_next() {
        for (last, now_ms) in [(None, 0), (None, 1), (Some(3_000), 1_001), (Some(900_000), 5)] {
            let now = Timestamp::from_millis(now_ms);
            let before = application(last).issues_at(now);
            let tokens_from = application(last).revoking_at(now);
            assert_eq!(tokens_from.as_millis() % 1_000, 0);
            let after = application(Some(tokens_from.as_millis()));
            assert!(
                after.has_revoked(before) && !after.has_revoked(after.issues_at(now)),
                "{last:?} {now_ms}"
            );
        }
    }
}
