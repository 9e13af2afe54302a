//! Load shedding: paces 503 responses, so that rejections cannot starve accepted work.
//!
//! Many clients retry at once, whatever `Retry-After` says, and a rejection costs half as much as a refresh: without pacing, an
//! overloaded machine does little else than reject.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The time between two rejections: 2,000 in a second cost some percent of one core.
const APART: Duration = Duration::from_micros(500);

/// The longest delay, however many wait.
const AT_MOST: Duration = Duration::from_secs(1);

/// Paces the answers to rejected requests.
pub struct RejectionPacer {
    last: Mutex<Instant>,
}

impl RejectionPacer {
    /// The first rejection is due now.
    pub fn new() -> RejectionPacer {
        RejectionPacer { last: Mutex::new(Instant::now()) }
    }

    /// Waits until the next rejection is due.
    pub async fn wait(&self) {
        sleep_until(self.take(Instant::now())).await;
    }

    fn take(&self, now: Instant) -> Instant {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = (*last + APART).clamp(now, now + AT_MOST);
        *last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_alone_waits_for_nobody() {
        let pacer = RejectionPacer::new();
        let first = pacer.take(Instant::now());
        let later = first + APART;
        assert_eq!(pacer.take(later), later);
    }

    #[test]
    fn those_who_come_at_once_hear_it_one_after_the_other_and_within_a_second() {
        let pacer = RejectionPacer::new();
        let now = Instant::now() + APART;
        let waits: Vec<_> = (0..5_000).map(|_| pacer.take(now) - now).collect();
        assert_eq!(waits[..3], [Duration::ZERO, APART, 2 * APART]);
        assert_eq!(waits[2_000..], [AT_MOST; 3_000]);
    }

    #[test]
    fn the_turns_begin_anew_once_all_are_taken() {
        let pacer = RejectionPacer::new();
        let now = Instant::now() + APART;
        let last = (0..100).map(|_| pacer.take(now)).last().expect("a hundred");
        assert_eq!(last - now, 99 * APART);
        assert_eq!(pacer.take(last + APART), last + APART);
    }
}
