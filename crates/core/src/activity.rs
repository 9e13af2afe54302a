//! Activity of an application since the start of this node: a few counters, from which [`attention`](crate::attention) concludes.
//!
//! An event is an addition or a store in memory that the operation has touched anyway. Counters of a race may miss one event.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::clock::Timestamp;

/// Events further apart than this are no series: the count starts again.
const SERIES: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The counters of an application. Times are in seconds since the epoch, 0 for never.
#[derive(Debug, Default)]
pub struct Activity {
    /// Logins since the last refresh.
    logins: AtomicU32,
    first_login_s: AtomicU32,
    last_login_s: AtomicU32,
    /// Expiry of the refresh token that was issued last.
    token_ends_s: AtomicU32,
    /// Expiry of the client certificate that authenticated last.
    certificate_ends_s: AtomicU32,
    reused: Series,
    throttled: Series,
}

/// A run of logins without a refresh between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logins {
    pub count: u32,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// Repeated events, each within a week of the one before.
#[derive(Debug, Default)]
struct Series {
    count: AtomicU32,
    last_s: AtomicU32,
}

impl Activity {
    /// Records a login and the expiry of its refresh token.
    pub(crate) fn logged_in(&self, token_ends: Timestamp, now: Timestamp) {
        let last = time(&self.last_login_s);
        if self.logins.load(Ordering::Relaxed) == 0 || last.is_none_or(|last| now.since(last) >= SERIES) {
            self.logins.store(0, Ordering::Relaxed);
            set(&self.first_login_s, now);
        }
        self.logins.fetch_add(1, Ordering::Relaxed);
        set(&self.last_login_s, now);
        set(&self.token_ends_s, token_ends);
    }

    /// Records a refresh and the expiry of the refresh token that it gave.
    pub(crate) fn refreshed(&self, token_ends: Timestamp) {
        // Writes only news: workers of one application would take the cache line from each other.
        if self.logins.load(Ordering::Relaxed) != 0 {
            self.logins.store(0, Ordering::Relaxed);
        }
        if self.token_ends_s.load(Ordering::Relaxed) != seconds(token_ends) {
            set(&self.token_ends_s, token_ends);
        }
    }

    /// Records a refresh token that was used before.
    pub(crate) fn reused(&self, now: Timestamp) {
        self.reused.add(now);
    }

    /// Records a request above the rate limit.
    pub(crate) fn throttled(&self, now: Timestamp) {
        self.throttled.add(now);
    }

    /// Records the expiry of the client certificate that authenticated.
    pub(crate) fn authenticated_until(&self, certificate_ends: Timestamp) {
        set(&self.certificate_ends_s, certificate_ends);
    }

    /// The logins since the last refresh, if there are any.
    pub fn logins(&self) -> Option<Logins> {
        let count = self.logins.load(Ordering::Relaxed);
        let (first, last) = (time(&self.first_login_s)?, time(&self.last_login_s)?);
        (count > 0).then_some(Logins { count, first, last })
    }

    /// The expiry of the refresh token that was issued last.
    pub fn token_ends(&self) -> Option<Timestamp> {
        time(&self.token_ends_s)
    }

    /// The expiry of the client certificate that authenticated last.
    pub fn certificate_ends(&self) -> Option<Timestamp> {
        time(&self.certificate_ends_s)
    }

    /// The number of refresh tokens presented again, and the last time.
    pub fn reuses(&self) -> Option<(u32, Timestamp)> {
        self.reused.read()
    }

    /// The number of requests above the rate limit, and the last time.
    pub fn throttlings(&self) -> Option<(u32, Timestamp)> {
        self.throttled.read()
    }
}

impl Series {
    fn add(&self, now: Timestamp) {
        if time(&self.last_s).is_some_and(|last| now.since(last) >= SERIES) {
            self.count.store(0, Ordering::Relaxed);
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        set(&self.last_s, now);
    }

    fn read(&self) -> Option<(u32, Timestamp)> {
        time(&self.last_s).map(|last| (self.count.load(Ordering::Relaxed), last))
    }
}

fn seconds(at: Timestamp) -> u32 {
    u32::try_from(at.as_millis() / 1_000).unwrap_or(u32::MAX)
}

fn set(cell: &AtomicU32, at: Timestamp) {
    cell.store(seconds(at), Ordering::Relaxed);
}

fn time(cell: &AtomicU32) -> Option<Timestamp> {
    match cell.load(Ordering::Relaxed) {
        0 => None,
        seconds => Some(Timestamp::from_millis(u64::from(seconds) * 1_000)),
    }
}
