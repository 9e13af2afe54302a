//! Time as a value: read once at the edge of the program, then passed to every operation.

use std::time::Duration;

/// The clock skew that every rule tolerates between nodes: NTP keeps clocks closer than this. Within it no good token is
/// refused and no revoked one accepted because two nodes' clocks differ.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// How far ahead of now a stored time may lie before it counts as written by a clock that was wrong. The five minutes
/// that Kerberos allows (RFC 4120 §1.6); legitimate times in the future are longer ahead by what they are for.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(300);

/// A point in time, in milliseconds since the Unix epoch (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The beginning of the count: earlier than any time of a clock.
    pub const EPOCH: Timestamp = Timestamp(0);

    /// The last moment that the 48 bits of a token's time field can hold (year 10889).
    pub const MAX: Timestamp = Timestamp((1 << 48) - 1);

    /// A time from milliseconds since the Unix epoch; what lies after [`Timestamp::MAX`] becomes it.
    pub const fn from_millis(millis: u64) -> Timestamp {
        if millis > Timestamp::MAX.0 { Timestamp::MAX } else { Timestamp(millis) }
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The time that lies `later` after this one, at most [`Timestamp::MAX`].
    pub fn plus(self, later: Duration) -> Timestamp {
        Timestamp::from_millis(self.0.saturating_add(u64::try_from(later.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The time that lies `earlier` before this one, at least the epoch.
    pub fn minus(self, earlier: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(u64::try_from(earlier.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Whether it lies so far ahead of `now` that a wrong clock wrote it.
    pub fn is_ahead_of(self, now: Timestamp) -> bool {
        self.since(now) > CLOCK_TOLERANCE
    }

    /// How long ago `earlier` was; zero where it lies ahead, as it does when a clock was set back.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}
