//! Rate limit of log lines about one kind of event.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Lets one line pass in an interval and counts those that it suppresses.
#[derive(Debug)]
pub(super) struct LogThrottle {
    every: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    last: Option<Instant>,
    suppressed: u64,
}

impl LogThrottle {
    pub fn new(every: Duration) -> LogThrottle {
        LogThrottle { every, state: Mutex::new(State { last: None, suppressed: 0 }) }
    }

    /// The number of lines suppressed since the last one, where a line may be written now.
    pub fn pass(&self) -> Option<u64> {
        self.pass_at(Instant::now())
    }

    fn pass_at(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < self.every) {
            state.suppressed += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_passes_in_an_interval_and_the_next_one_says_how_many_did_not() {
        let throttle = LogThrottle::new(Duration::from_secs(10));
        let begin = Instant::now();
        assert_eq!(throttle.pass_at(begin), Some(0));
        for seconds in 1..10 {
            assert_eq!(throttle.pass_at(begin + Duration::from_secs(seconds)), None);
        }
        assert_eq!(throttle.pass_at(begin + Duration::from_secs(10)), Some(9));
        assert_eq!(throttle.pass_at(begin + Duration::from_secs(20)), Some(0));
    }
}
