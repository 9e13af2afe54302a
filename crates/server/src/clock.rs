//! The one place where the clock is read (elsewhere `clippy.toml` bans it).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use northgate_core::clock::Timestamp;
use rustls::pki_types::UnixTime;

/// The source of the current time.
#[derive(Clone)]
pub enum Clock {
    /// The machine's clock, UTC.
    System,
    /// A clock that tests move.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// A clock that stands at `now` until it is moved.
    pub fn manual(now: Timestamp) -> Clock {
        Clock::Manual(Arc::new(AtomicU64::new(now.as_millis())))
    }

    /// The present time.
    pub fn now(&self) -> Timestamp {
        match self {
            Clock::System => system_now(),
            Clock::Manual(millis) => Timestamp::from_millis(millis.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock forward; the system's clock cannot be moved.
    pub fn advance(&self, by: Duration) {
        if let Clock::Manual(millis) = self {
            millis.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
        }
    }
}

/// The wall clock for log lines, whatever time the rules get.
#[allow(clippy::disallowed_methods)]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

/// The wall clock in the form that TLS takes; a clock before 1970 counts as 1970, as for the rules.
pub fn unix_time() -> UnixTime {
    UnixTime::since_unix_epoch(wall().duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn system_now() -> Timestamp {
    // A clock before 1970 belongs to a machine without one; everything then happens at the epoch.
    let since_epoch = wall().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(since_epoch.as_millis() as u64)
}
