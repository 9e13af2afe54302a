//! Clock watch: log lines and metrics about clock jumps and about stored times far ahead.

use std::sync::Arc;
use std::time::{Duration, Instant};

use northgate_core::auth::Auth;
use northgate_core::clock::{CLOCK_TOLERANCE, Timestamp};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::sleep;
use tracing::warn;

use crate::clock::Clock;
use crate::metrics::Metrics;

/// How often the wall clock is compared with the monotonic clock; every so many comparisons include the stored times.
const LOOK_EVERY: Duration = Duration::from_secs(10);
const STORED_TIMES_EVERY: u32 = 6;
/// The largest deviation between two comparisons that does not count as a jump.
const DRIFT: Duration = Duration::from_secs(1);
/// How often the warning about the same stored times is repeated.
const REMIND_EVERY: Duration = Duration::from_secs(3_600);

/// Watches the clock for as long as the server runs.
pub struct ClockWatch {
    auth: Arc<Auth>,
    clock: Clock,
    jumps: Counter,
    times_ahead: Gauge,
    last: (Instant, Timestamp),
    warned: Option<(usize, Instant)>,
}

impl ClockWatch {
    pub fn new(auth: &Arc<Auth>, clock: &Clock, metrics: &Metrics) -> ClockWatch {
        let (jumps, times_ahead) = (Counter::default(), Gauge::default());
        let mut registry = metrics.registry();
        registry.register("northgate_clock_jumps", "How often the clock was set", jumps.clone());
        let help = "Stored times far ahead of the clock, grants aside";
        registry.register("northgate_clock_times_ahead", help, times_ahead.clone());
        let last = (Instant::now(), clock.now());
        ClockWatch { auth: Arc::clone(auth), clock: clock.clone(), jumps, times_ahead, last, warned: None }
    }

    /// Runs until it is dropped.
    pub async fn run(mut self) {
        loop {
            self.look_at_stored_times(Instant::now());
            for _ in 0..STORED_TIMES_EVERY {
                sleep(LOOK_EVERY).await;
                self.look(Instant::now());
            }
        }
    }

    fn look(&mut self, at: Instant) {
        let now = self.clock.now();
        let (then, before) = std::mem::replace(&mut self.last, (at, now));
        let expected = before.plus(at.duration_since(then));
        let (ahead, behind) = (now.since(expected), expected.since(now));
        if ahead.max(behind) > DRIFT {
            self.jumps.inc();
            let (seconds, whither) =
                (ahead.max(behind).as_secs(), if behind.is_zero() { "forward" } else { "back" });
            warn!(seconds, "the clock was set {whither} by {seconds} s: keep it by NTP");
        }
    }

    fn look_at_stored_times(&mut self, at: Instant) {
        let now = self.clock.now();
        let (of_applications, example) = self.auth.registry().not_befores_ahead(now);
        let times = of_applications + self.auth.installation_ahead(now).len();
        self.times_ahead.set(times as i64);
        let is_known = self
            .warned
            .is_some_and(|(count, since)| count == times && at.duration_since(since) < REMIND_EVERY);
        if times == 0 {
            self.warned = None;
        } else if !is_known {
            self.warned = Some((times, at));
            let application = example.as_ref().map_or("", |id| id.as_str());
            warn!(
                times,
                application,
                "{times} stored times lie more than {} s ahead of this clock: a clock was wrong when they were written, or is \
                 behind now. Set the clock right, look at `northgate clock check` and run `northgate clock repair`",
                CLOCK_TOLERANCE.as_secs()
            );
        }
    }
}
