//! Time as a value: read once at the edge of the program, then passed to every operation.

use std::time::Duration;

/// A point in time, in milliseconds since the Unix epoch (UTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
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

    /// How long ago `earlier` was; zero where it lies ahead, as it does when a clock was set back.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}
