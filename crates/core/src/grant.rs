//! A grant: what a login opens, a chain of refresh tokens of which one is the current one.

use std::fmt;

use crate::application::AppNumber;
use crate::clock::Timestamp;
use crate::random;

/// Names a grant within its application. Random, so that an id is not given twice even when the database goes back
/// in time.
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

/// Names a grant within the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GrantKey {
    pub application: AppNumber,
    pub id: GrantId,
}

/// One live grant: all that is stored about the tokens of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    pub id: GrantId,
    /// How many times it was refreshed; only the refresh token of this generation is current.
    pub generation: u32,
    pub refreshed_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Grant {
    /// Whether its refresh token can still be used at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}

/// The grants of one application that must go so that one more fits into `at_most`: those that have expired, then
/// those that were refreshed last before the clock was set back, then the least recently refreshed ones. None goes
/// while there is room, since the clock may be wrong. Every store follows this rule.
pub fn gives_way(grants: &[Grant], at_most: u32, now: Timestamp) -> Vec<GrantId> {
    let room = (at_most as usize).saturating_sub(1);
    let surplus = grants.len().saturating_sub(room);
    // Mostly there is room, and otherwise one goes, for which nothing need be sorted.
    let turn = |grant: &Grant| (grant.is_live(now), grant.refreshed_at <= now, grant.refreshed_at, grant.id);
    match surplus {
        0 => Vec::new(),
        1 => grants.iter().min_by_key(|grant| turn(grant)).map(|grant| grant.id).into_iter().collect(),
        _ => {
            let mut in_turn = grants.to_vec();
            in_turn.sort_by_key(turn);
            in_turn[..surplus].iter().map(|grant| grant.id).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(id: u64, refreshed_at: u64, expires_at: u64) -> Grant {
        Grant {
            id: GrantId(id),
            generation: 0,
            refreshed_at: Timestamp::from_millis(refreshed_at),
            expires_at: Timestamp::from_millis(expires_at),
        }
    }

    #[test]
    fn the_least_recently_refreshed_grant_gives_way_when_there_is_no_room() {
        let grants = [grant(1, 30, 100), grant(2, 10, 100), grant(3, 20, 100)];
        assert_eq!(gives_way(&grants, 3, Timestamp::from_millis(50)), [GrantId(2)]);
        assert_eq!(gives_way(&grants, 4, Timestamp::from_millis(50)), []);
    }

    #[test]
    fn an_expired_grant_gives_way_before_a_live_one() {
        let grants = [grant(1, 30, 40), grant(2, 10, 100), grant(3, 20, 100)];
        assert_eq!(gives_way(&grants, 3, Timestamp::from_millis(50)), [GrantId(1)]);
        assert_eq!(gives_way(&grants, 4, Timestamp::from_millis(50)), []);
    }

    #[test]
    fn after_the_clock_was_set_back_the_newest_grant_does_not_give_way() {
        let grants = [grant(1, 30, 200), grant(2, 90, 200), grant(3, 40, 200)];
        assert_eq!(gives_way(&grants, 3, Timestamp::from_millis(50)), [GrantId(2)]);
    }
}
