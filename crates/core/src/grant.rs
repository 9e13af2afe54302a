//! A grant: the chain of refresh tokens that a login opens; one of them is current.

use std::fmt;

use crate::application::AppNumber;
use crate::clock::{CLOCK_SKEW, Timestamp};
use crate::random;
use crate::store::Opening;

/// Identifies a grant within its application. Random, so that an id is not given twice, not even after the database was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GrantId(pub u64);

impl GrantId {
    /// A new id.
    pub fn random() -> GrantId {
        GrantId(random::number())
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Identifies a grant within the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GrantKey {
    pub application: AppNumber,
    pub id: GrantId,
}

/// A live grant: everything that is stored about the tokens of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    pub id: GrantId,
    /// Number of refreshes; only the refresh token of this generation is current.
    pub generation: u32,
    pub refreshed_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Grant {
    /// Whether the refresh token is unexpired at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}

/// The grants of one application that give way to the opening's grant. Every store follows this rule.
///
/// `grants` are in the order in which they were opened or last refreshed, the least recent one first. The store keeps that order
/// without a clock: nodes' clocks differ, clocks are set, and a refresh overtakes a login that began before it. Grants that are
/// expired or revoked by the not-before go first, then the least recently refreshed ones. None goes while there is room, since
/// the clock may be wrong.
pub fn gives_way(grants: &[Grant], opening: &Opening) -> Vec<GrantId> {
    let room = (opening.at_most as usize).saturating_sub(1);
    let surplus = grants.len().saturating_sub(room);
    let is_over = |grant: &&Grant| {
        opening.now >= grant.expires_at.plus(CLOCK_SKEW)
            || opening.not_before.is_some_and(|not_before| grant.refreshed_at < not_before)
    };
    let over = grants.iter().filter(is_over);
    let live = grants.iter().filter(|grant| !is_over(grant));
    over.chain(live).take(surplus).map(|grant| grant.id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    /// A grant that was refreshed at a time and expires ten hours later.
    fn grant(id: u64, refreshed_at: Timestamp) -> Grant {
        let expires_at = refreshed_at.plus(36_000 * SECOND);
        Grant { id: GrantId(id), generation: 0, refreshed_at, expires_at }
    }

    fn opening(at_most: u32) -> Opening {
        let (application, not_before) = (AppNumber(1), None);
        Opening { application, grant: grant(99, NOW), at_most, close_others: None, not_before, now: NOW }
    }

    #[test]
    fn the_least_recently_refreshed_grant_gives_way_when_there_is_no_room() {
        let grants = [grant(2, NOW), grant(3, NOW), grant(1, NOW)];
        assert_eq!(gives_way(&grants, &opening(3)), [GrantId(2)]);
        assert_eq!(gives_way(&grants, &opening(2)), [GrantId(2), GrantId(3)]);
        assert_eq!(gives_way(&grants, &opening(4)), []);
    }

    /// Regression: a grant that was refreshed later than the login's `now` gave way first. Nodes' clocks differ, and a refresh
    /// overtakes a login, so that applications at their limit lost the grant that they had just refreshed.
    #[test]
    fn the_most_recent_grant_stays_whatever_clock_it_was_refreshed_by() {
        let year = 31_536_000 * SECOND;
        for refreshed_at in [NOW, NOW.plus(3 * SECOND), NOW.minus(3 * SECOND), NOW.plus(year)] {
            let grants = [grant(1, NOW), grant(2, NOW.plus(SECOND)), grant(3, refreshed_at)];
            assert_eq!(gives_way(&grants, &opening(3)), [GrantId(1)], "{refreshed_at:?}");
            assert_eq!(gives_way(&grants, &opening(2)), [GrantId(1), GrantId(2)], "{refreshed_at:?}");
        }
    }

    #[test]
    fn an_expired_grant_gives_way_before_a_live_one_and_not_because_of_clock_skew() {
        let expired = |by: Duration| Grant { expires_at: NOW.minus(by), ..grant(3, NOW) };
        let with = |last| [grant(1, NOW), grant(2, NOW), last];
        assert_eq!(gives_way(&with(expired(CLOCK_SKEW)), &opening(3)), [GrantId(3)]);
        assert_eq!(gives_way(&with(expired(CLOCK_SKEW)), &opening(2)), [GrantId(3), GrantId(1)]);
        assert_eq!(gives_way(&with(expired(CLOCK_SKEW - SECOND)), &opening(3)), [GrantId(1)]);
        assert_eq!(gives_way(&with(expired(CLOCK_SKEW)), &opening(4)), []);
    }

    #[test]
    fn a_grant_that_a_not_before_has_ended_gives_way_before_a_live_one() {
        let not_before = NOW.plus(6 * SECOND);
        let opening = Opening { not_before: Some(not_before), ..opening(3) };
        let grants = [grant(1, not_before), grant(2, NOW), grant(3, not_before)];
        assert_eq!(gives_way(&grants, &opening), [GrantId(2)]);
    }
}
