//! Time as a value: read once at the edge of the program, then passed to every operation.

use std::time::Duration;

/// The clock skew between nodes that every rule tolerates; NTP keeps clocks closer than this. Within it no valid token is refused
/// and no revoked one accepted.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// The farthest a stored time may lie ahead of now before it counts as written by a wrong clock. The five minutes that Kerberos
/// allows (RFC 4120 §1.6), plus the lifetime of the thing for times that lie in the future rightly.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(300);

/// A point in time, in milliseconds since the Unix epoch (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The Unix epoch: earlier than any clock's time.
    pub const EPOCH: Timestamp = Timestamp(0);

    /// The last moment that fits into the 48-bit time field of a token (year 10889).
    pub const MAX: Timestamp = Timestamp((1 << 48) - 1);

    /// A time from milliseconds since the Unix epoch, at most [`Timestamp::MAX`].
    pub const fn from_millis(millis: u64) -> Timestamp {
        if millis > Timestamp::MAX.0 { Timestamp::MAX } else { Timestamp(millis) }
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This time plus `later`, at most [`Timestamp::MAX`].
    pub fn plus(self, later: Duration) -> Timestamp {
        Timestamp::from_millis(self.0.saturating_add(u64::try_from(later.as_millis()).unwrap_or(u64::MAX)))
    }

    /// This time minus `earlier`, at least the epoch.
    pub fn minus(self, earlier: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(u64::try_from(earlier.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Whether this time lies so far ahead of `now` that a wrong clock wrote it.
    pub fn is_ahead_of(self, now: Timestamp) -> bool {
        self.since(now) > CLOCK_TOLERANCE
    }

    /// Time since `earlier`; zero where `earlier` lies ahead, as after a clock was set back.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}
