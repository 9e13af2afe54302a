//! Eviction of idle connections: the least recently active one closes first.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::listener::timeouts::Activity;

/// Idle connections found by one scan. A scan costs as much as accepting some connections, and under a flood each new one needs a
/// place.
const FOUND_AT_ONCE: usize = 64;

/// Candidates of the last scan, the least recently active last.
#[derive(Default)]
pub(super) struct Idle(Vec<Candidate>);

struct Candidate {
    index: usize,
    activity: Arc<Activity>,
    idle_since: u64,
}

impl Idle {
    /// Asks the least recently active idle connection of `all` to close. Returns its index; `None` if none is idle.
    pub fn close_one<'p>(&mut self, all: impl Iterator<Item = (usize, &'p Arc<Activity>)>) -> Option<usize> {
        if let Some(index) = self.close_known() {
            return Some(index);
        }
        self.look(all);
        self.close_known()
    }

    fn close_known(&mut self) -> Option<usize> {
        while let Some(Candidate { index, activity, idle_since }) = self.0.pop() {
            // All others became idle after the last scan: a connection that is idle since then is the least recent.
            if activity.idle_since() == Some(idle_since) {
                activity.close();
                return Some(index);
            }
        }
        None
    }

    fn look<'p>(&mut self, all: impl Iterator<Item = (usize, &'p Arc<Activity>)>) {
        let mut idle: Vec<_> =
            all.filter_map(|(index, activity)| Some((activity.idle_since()?, index, activity))).collect();
        if idle.len() > FOUND_AT_ONCE {
            idle.select_nth_unstable_by_key(FOUND_AT_ONCE, |(idle_since, ..)| *idle_since);
            idle.truncate(FOUND_AT_ONCE);
        }
        idle.sort_unstable_by_key(|(idle_since, ..)| Reverse(*idle_since));
        let candidate = |(idle_since, index, activity): (u64, usize, &Arc<Activity>)| Candidate {
            index,
            activity: Arc::clone(activity),
            idle_since,
        };
        self.0 = idle.into_iter().map(candidate).collect();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn the_oldest_go_first_and_one_that_was_active_again_goes_last() {
        let began = Instant::now();
        let activities: Vec<_> = (0..200).map(|_| Arc::new(Activity::new(began))).collect();
        let mut idle = Idle::default();
        let mut close = || idle.close_one(activities.iter().enumerate());
        assert_eq!(close(), Some(0));
        activities[1].request_begins();
        activities[2].request_begins();
        activities[2].request_ends(false);
        for expected in (3..200).chain([2]) {
            assert_eq!(close(), Some(expected));
        }
        // The other one is busy.
        assert_eq!(close(), None);
        activities[1].request_ends(false);
        assert_eq!(close(), Some(1));
    }
}
