//! Detection of clock jumps: compares the wall clock, which can be set, with the monotonic clock, which cannot.

use std::time::{Duration, Instant};

use northgate_core::clock::Timestamp;

/// The largest gain from one look to the next that counts as a fast clock and not as a jump.
const TOLERANCE: Duration = Duration::from_secs(1);

/// Detects forward jumps of the wall clock. A backward jump makes nothing look expired that is not.
pub(crate) struct ClockJumpDetector {
    since: Instant,
    last: (Instant, Timestamp),
}

impl ClockJumpDetector {
    pub fn begin(at: Instant, now: Timestamp) -> ClockJumpDetector {
        ClockJumpDetector { since: at, last: (at, now) }
    }

    /// Compares the clocks; returns for how long the wall clock, which says `now`, has not jumped forward.
    pub fn look(&mut self, at: Instant, now: Timestamp) -> Duration {
        let (then, before) = self.last;
        if now.since(before) > at.duration_since(then) + TOLERANCE {
            self.since = at;
        }
        self.last = (at, now);
        at.duration_since(self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_believed_for_as_long_as_it_has_not_jumped_forward() {
        let (begun, now) = (Instant::now(), Timestamp::from_millis(1_700_000_000_000));
        let seconds = Duration::from_secs;
        let mut detector = ClockJumpDetector::begin(begun, now);
        assert_eq!(detector.look(begun + seconds(10), now.plus(seconds(10))), seconds(10));
        // A day ahead, and on from there.
        let ahead = now.plus(seconds(86_400));
        assert_eq!(detector.look(begun + seconds(20), ahead), seconds(0));
        assert_eq!(detector.look(begun + seconds(30), ahead.plus(seconds(10))), seconds(10));
        // Back again.
        assert_eq!(detector.look(begun + seconds(40), now.plus(seconds(40))), seconds(20));
    }
}
