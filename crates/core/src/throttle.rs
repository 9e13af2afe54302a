//! Rate limiting: calls of an application, and failed attempts of a source.
//!
//! Each limit is a token bucket: burst N, refill N per minute. A bucket is one number, the time at which it will be full (GCRA's
//! theoretical arrival time): idle buckets cost nothing, and an absent bucket is a full one.

mod failures;
mod recent;
mod source;

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::activity::Activity;
use crate::clock::Timestamp;

pub(crate) use failures::Failures;
pub use source::Source;

const MINUTE_US: u64 = 60_000_000;

/// A rate limit: the burst, and the refill per minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate(NonZeroU32);

impl Rate {
    /// The largest rate: more than one application can ask of a machine.
    pub const MAX: u32 = 1_000_000;

    /// A rate of `count` per minute, at most [`Rate::MAX`]; `None` for 0, which disables the limit.
    pub fn per_minute(count: u32) -> Option<Rate> {
        NonZeroU32::new(count.min(Rate::MAX)).map(Rate)
    }

    /// The refill time of one token.
    fn one_us(self) -> u64 {
        MINUTE_US / u64::from(self.0.get())
    }

    /// The refill time of the whole bucket.
    fn all_us(self) -> u64 {
        self.one_us() * u64::from(self.0.get())
    }
}

/// A token bucket, as the time at which it will be full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Level {
    full_at_us: u64,
}

impl Level {
    /// The bucket at `now`. A time further ahead than an empty bucket's shows that the clock was set back.
    fn at(full_at_us: u64, now: Timestamp, furthest_us: u64) -> Level {
        let now_us = micros(now);
        Level { full_at_us: full_at_us.clamp(now_us, now_us + furthest_us) }
    }

    /// Time until a token is there; `None` where one is there now.
    fn wait(self, rate: Rate, now: Timestamp) -> Option<Duration> {
        let missing_us = (self.full_at_us + rate.one_us()).checked_sub(micros(now) + rate.all_us())?;
        (missing_us > 0).then(|| Duration::from_micros(missing_us))
    }
}

fn micros(at: Timestamp) -> u64 {
    at.as_millis() * 1000
}

/// A token bucket outside the applications, such as that of the console's sign-in. Lock-free.
#[derive(Debug, Default)]
pub struct Bucket(AtomicU64);

impl Bucket {
    /// Takes a token, or returns the wait until one is there. A rate of 0 disables the limit.
    pub fn take(&self, per_minute: u32, now: Timestamp) -> Result<(), Duration> {
        take(&self.0, per_minute, now)
    }
}

/// The buckets and the activity of an application. Calls on the platform have a bucket of their own, so that too many of them do not keep it from
/// refreshing. Lock-free, and untouched without a limit.
#[derive(Debug, Default)]
pub struct Calls {
    grants: AtomicU64,
    verifies: AtomicU64,
    /// Beside the buckets, since it survives the replacement of the application as well.
    pub activity: Activity,
}

impl Calls {
    /// Takes a token for a login, refresh or logout, or returns the wait.
    pub(crate) fn use_grant(&self, per_minute: u32, now: Timestamp) -> Result<(), Duration> {
        take(&self.grants, per_minute, now).inspect_err(|_| self.activity.throttled(now))
    }

    /// Takes a token for a call on the platform, or returns the wait.
    pub(crate) fn verify(&self, per_minute: u32, now: Timestamp) -> Result<(), Duration> {
        take(&self.verifies, per_minute, now).inspect_err(|_| self.activity.throttled(now))
    }
}

fn take(bucket: &AtomicU64, per_minute: u32, now: Timestamp) -> Result<(), Duration> {
    let Some(rate) = Rate::per_minute(per_minute) else { return Ok(()) };
    let mut full_at_us = bucket.load(Ordering::Relaxed);
    loop {
        let level = Level::at(full_at_us, now, rate.all_us());
        if let Some(wait) = level.wait(rate, now) {
            return Err(wait);
        }
        let taken_us = level.full_at_us + rate.one_us();
        match bucket.compare_exchange_weak(full_at_us, taken_us, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return Ok(()),
            // Lost the race for a token; the bucket is empty after enough losses.
            Err(present) => full_at_us = present,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn after(millis: u64) -> Timestamp {
        BEGIN.plus(Duration::from_millis(millis))
    }

    /// The number of tokens taken at one moment.
    fn taken(calls: &Calls, per_minute: u32, now: Timestamp) -> usize {
        std::iter::repeat_with(|| calls.use_grant(per_minute, now)).take(10_000).filter(Result::is_ok).count()
    }

    #[test]
    fn a_minutes_worth_may_come_at_once_and_then_comes_evenly() {
        let calls = Calls::default();
        assert_eq!(taken(&calls, 60, BEGIN), 60);
        assert_eq!(calls.use_grant(60, BEGIN), Err(Duration::from_secs(1)));
        assert_eq!(taken(&calls, 60, after(999)), 0);
        assert_eq!(taken(&calls, 60, after(1000)), 1);
        assert_eq!(taken(&calls, 60, after(3500)), 2);
        assert_eq!(taken(&calls, 60, after(10 * 60_000)), 60);
    }

    #[test]
    fn what_is_refused_costs_nothing_so_that_hammering_does_not_shut_out() {
        let calls = Calls::default();
        assert_eq!(taken(&calls, 1, BEGIN), 1);
        assert_eq!(taken(&calls, 1, after(59_999)), 0);
        assert_eq!(taken(&calls, 1, after(60_000)), 1);
    }

    #[test]
    fn calls_on_the_platform_leave_refreshes_alone() {
        let calls = Calls::default();
        while calls.verify(3, BEGIN).is_ok() {}
        assert_eq!(taken(&calls, 3, BEGIN), 3);
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let calls = Calls::default();
        assert_eq!(taken(&calls, 0, BEGIN), 10_000);
        assert_eq!(taken(&calls, 5, BEGIN), 5);
    }

    #[test]
    fn a_clock_that_is_set_back_costs_a_minute_at_most() {
        let calls = Calls::default();
        assert_eq!(taken(&calls, 10, after(1_000_000_000)), 10);
        assert_eq!(calls.use_grant(10, BEGIN), Err(Duration::from_secs(6)));
        assert_eq!(taken(&calls, 10, after(0)), 0);
        let first = Calls::default();
        assert_eq!(taken(&first, Rate::MAX, Timestamp::MAX), 10_000);
    }

    proptest! {
        #[test]
        fn in_no_minute_twice_what_is_allowed(
            per_minute in 1_u32..200,
            steps in prop::collection::vec(0_u64..5_000, 1..400),
        ) {
            let calls = Calls::default();
            let mut now = 0;
            let mut passed = Vec::new();
            for step in steps {
                now += step;
                if calls.use_grant(per_minute, after(now)).is_ok() {
                    passed.push(now);
                }
            }
            for begin in &passed {
                let within = passed.iter().filter(|at| (*begin..begin + 60_000).contains(*at)).count();
                // The burst at the beginning of the minute, and the refill during it.
                prop_assert!(within <= 2 * per_minute as usize, "{within}");
            }
        }
    }
}
