//! Rate limits of wrong secrets, per source and per application.
//!
//! A secret of 256 random bits cannot be guessed, so these limits never delay one. They protect imported secrets, which may be
//! weak, and decide whether one is compared for this client at all: docs/decisions/0014-guessing-costs-the-guesser.md has the
//! reasons.

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use super::recent::Recent;
use super::source::Source;
use super::{Level, MINUTE_US, Rate, micros};
use crate::app_id::AppId;
use crate::application::AppNumber;
use crate::clock::Timestamp;

/// Addresses and appIds with failures that are kept at once: 256 KiB each.
const REMEMBERED: usize = 16_384;
/// Pairs of an application and a familiar source that are kept at once: 1 MiB.
const FAMILIAR: usize = 65_536;

/// The largest debt of a bucket. Guesses that are sent at once are compared together, before the first has failed; later ones
/// wait for them all the same.
const DEBT_US: u64 = 2 * MINUTE_US;

/// The two limits, each of which holds by itself, and the familiar sources.
pub(crate) struct Failures {
    limits: RwLock<Limits>,
    sources: Recent,
    /// By the presented appId, whether or not it exists: the answers must not reveal it.
    applications: Recent,
    /// The bucket of a familiar source for its own failures at the application.
    familiar: Recent,
}

/// The rates of failures.
#[derive(Clone, Copy)]
enum Limits {
    None,
    PerSource(Rate),
    /// One limit for all sources, for instance behind a proxy that hides them.
    PerApplication(Rate),
    Both {
        source: Rate,
        application: Rate,
    },
}

impl Limits {
    fn per_minute(per_source: u32, per_application: u32) -> Limits {
        match (Rate::per_minute(per_source), Rate::per_minute(per_application)) {
            (None, None) => Limits::None,
            (Some(source), None) => Limits::PerSource(source),
            (None, Some(application)) => Limits::PerApplication(application),
            (Some(source), Some(application)) => Limits::Both { source, application },
        }
    }
}

impl Failures {
    /// Limits of failures per minute; 0 disables the limit.
    pub fn new(per_source: u32, per_application: u32) -> Failures {
        Failures {
            limits: RwLock::new(Limits::per_minute(per_source, per_application)),
            sources: Recent::new(REMEMBERED),
            applications: Recent::new(REMEMBERED),
            familiar: Recent::new(FAMILIAR),
        }
    }

    /// Switches to other limits; failures that were counted before stay counted.
    pub fn limit(&self, per_source: u32, per_application: u32) {
        let limits = Limits::per_minute(per_source, per_application);
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    fn limits(&self) -> Limits {
        *self.limits.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The wait before a guessable secret is compared for this client; `None` for at once.
    ///
    /// A familiar source does not wait for others that guess at its address. Its own wrong guesses count against the
    /// application's limit, in a bucket that no other source can empty.
    pub fn wait(
        &self,
        app: &AppId,
        number: Option<AppNumber>,
        from: IpAddr,
        now: Timestamp,
    ) -> Option<Duration> {
        let source = Source::of(from);
        match (self.limits(), self.familiar(number, source)) {
            (Limits::None, _) | (Limits::PerSource(_), Some(_)) => None,
            (Limits::PerApplication(rate), _) => wait(&self.applications, app, rate, now),
            (Limits::PerSource(rate) | Limits::Both { source: rate, .. }, None) => {
                wait(&self.sources, &source, rate, now)
            }
            (Limits::Both { application, .. }, Some(pair)) => wait(&self.familiar, &pair, application, now),
        }
    }

    /// Records that a source knows a secret of the application.
    pub fn succeeded(&self, number: AppNumber, from: IpAddr, now: Timestamp) {
        match self.limits() {
            Limits::None | Limits::PerApplication(_) => {}
            Limits::PerSource(_) | Limits::Both { .. } => {
                let pair = (number, Source::of(from));
                self.familiar.change(&pair, |full_at_us| full_at_us.max(micros(now)).max(1));
            }
        }
    }

    /// The bucket of a familiar source.
    fn familiar(&self, number: Option<AppNumber>, source: Source) -> Option<(AppNumber, Source)> {
        number.map(|number| (number, source)).filter(|pair| self.familiar.find(pair) > 0)
    }

    /// Counts a failure. Returns the wait where a limit was reached before.
    pub fn failed(
        &self,
        app: &AppId,
        number: Option<AppNumber>,
        from: IpAddr,
        now: Timestamp,
    ) -> Option<Duration> {
        let source = Source::of(from);
        match self.limits() {
            Limits::None => None,
            Limits::PerSource(rate) => charge(&self.sources, &source, rate, rate.one_us(), DEBT_US, now),
            Limits::PerApplication(rate) => {
                charge(&self.applications, app, rate, rate.one_us(), DEBT_US, now)
            }
            Limits::Both { source: per_source, application } => {
                if let Some(pair) = self.familiar(number, source) {
                    charge(&self.familiar, &pair, application, application.one_us(), DEBT_US, now);
                }
                let told = charge(&self.applications, app, application, application.one_us(), 0, now);
                // Many addresses guess at the application, each within its limit: each has one guess left.
                let cost_us = if told.is_some() { per_source.all_us() } else { per_source.one_us() };
                told.max(charge(&self.sources, &source, per_source, cost_us, DEBT_US, now))
            }
        }
    }
}

/// Time until a bucket holds a token.
fn wait(buckets: &Recent, key: &impl Hash, rate: Rate, now: Timestamp) -> Option<Duration> {
    Level::at(buckets.find(key), now, rate.all_us() + DEBT_US).wait(rate, now)
}

/// Takes `cost_us` out of a bucket, down to `debt_us` below empty. Returns the wait where it was empty before.
fn charge(
    buckets: &Recent,
    key: &impl Hash,
    rate: Rate,
    cost_us: u64,
    debt_us: u64,
    now: Timestamp,
) -> Option<Duration> {
    let furthest_us = rate.all_us() + debt_us;
    let before = buckets.change(key, |full_at_us| {
        let level = Level::at(full_at_us, now, furthest_us);
        (level.full_at_us + cost_us).min(micros(now) + furthest_us)
    });
    Level::at(before, now, furthest_us).wait(rate, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const NUMBER: AppNumber = AppNumber(1);

    fn at(seconds: u64) -> Timestamp {
        BEGIN.plus(Duration::from_secs(seconds))
    }

    fn from(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn app() -> AppId {
        AppId::parse("a").expect("an appId")
    }

    fn waits(failures: &Failures, address: &str, now: Timestamp) -> bool {
        failures.wait(&app(), Some(NUMBER), from(address), now).is_some()
    }

    fn fail(failures: &Failures, count: usize, now: Timestamp) {
        for _ in 0..count {
            failures.failed(&app(), Some(NUMBER), from("192.0.2.1"), now);
        }
    }

    #[test]
    fn a_source_has_its_budget_and_others_have_theirs() {
        let failures = Failures::new(2, 0);
        for _ in 0..2 {
            assert!(!waits(&failures, "192.0.2.1", BEGIN));
            assert_eq!(failures.failed(&app(), Some(NUMBER), from("192.0.2.1"), BEGIN), None);
        }
        assert_eq!(failures.wait(&app(), None, from("192.0.2.1"), BEGIN), Some(Duration::from_secs(30)));
        assert!(waits(&failures, "::ffff:192.0.2.1", BEGIN));
        assert!(!waits(&failures, "192.0.2.2", BEGIN));
        assert!(!waits(&failures, "192.0.2.1", at(30)));
    }

    #[test]
    fn other_limits_hold_at_once_for_failures_that_were_counted_before() {
        let failures = Failures::new(2, 0);
        fail(&failures, 1, BEGIN);
        assert!(!waits(&failures, "192.0.2.1", BEGIN));
        failures.limit(1, 0);
        assert!(waits(&failures, "192.0.2.1", BEGIN));
        failures.limit(0, 0);
        assert!(!waits(&failures, "192.0.2.1", BEGIN));
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_source() {
        let failures = Failures::new(1, 0);
        failures.failed(&app(), Some(NUMBER), from("2001:db8:0:1::1"), BEGIN);
        assert!(waits(&failures, "2001:db8:0:1:ffff::2", BEGIN));
        assert!(!waits(&failures, "2001:db8:0:2::1", BEGIN));
    }

    #[test]
    fn guesses_sent_at_once_are_paid_for_afterwards_but_not_for_ever() {
        let failures = Failures::new(60, 0);
        fail(&failures, 100, BEGIN);
        assert!(waits(&failures, "192.0.2.1", at(40)));
        assert!(!waits(&failures, "192.0.2.1", at(41)));
        fail(&failures, 10_000, at(41));
        assert!(!waits(&failures, "192.0.2.1", at(41 + 121)));
    }

    #[test]
    fn who_was_right_before_does_not_wait_but_only_for_that_application() {
        let failures = Failures::new(1, 0);
        failures.succeeded(NUMBER, from("192.0.2.1"), BEGIN);
        fail(&failures, 9, BEGIN);
        assert!(!waits(&failures, "192.0.2.1", BEGIN));
        assert!(failures.wait(&app(), Some(AppNumber(2)), from("192.0.2.1"), BEGIN).is_some());
        assert!(failures.wait(&app(), None, from("192.0.2.1"), BEGIN).is_some());
    }

    #[test]
    fn an_application_that_many_guess_at_leaves_one_guess_to_each_and_a_right_secret_its_first_try() {
        let failures = Failures::new(30, 3);
        for last in 1..=3 {
            assert_eq!(failures.failed(&app(), Some(NUMBER), from(&format!("192.0.2.{last}")), BEGIN), None);
        }
        assert!(!waits(&failures, "192.0.2.4", BEGIN));
        assert_eq!(
            failures.failed(&app(), Some(NUMBER), from("192.0.2.4"), BEGIN),
            Some(Duration::from_secs(20))
        );
        assert!(waits(&failures, "192.0.2.4", BEGIN));
        // Another application is not under attack, and no client of it waits.
        let other = AppId::parse("b").expect("an appId");
        assert_eq!(failures.failed(&other, None, from("192.0.2.5"), BEGIN), None);
        assert!(!waits(&failures, "192.0.2.5", BEGIN));
    }

    /// Regression: without a limit per source, the limit per application did nothing.
    #[test]
    fn the_limit_of_an_application_holds_alone_and_sources_are_not_told_apart() {
        let failures = Failures::new(0, 60);
        failures.succeeded(NUMBER, from("192.0.2.1"), BEGIN);
        fail(&failures, 60, BEGIN);
        assert!(waits(&failures, "192.0.2.1", BEGIN));
        assert!(waits(&failures, "192.0.2.2", BEGIN));
        let other = AppId::parse("b").expect("an appId");
        assert_eq!(failures.wait(&other, None, from("192.0.2.1"), BEGIN), None);
        assert!(!waits(&failures, "192.0.2.1", at(1)));
        fail(&failures, 1000, at(1));
        assert!(waits(&failures, "192.0.2.1", at(121)));
        assert!(!waits(&failures, "192.0.2.1", at(122)));
    }

    #[test]
    fn a_source_that_was_right_before_may_be_wrong_as_often_as_the_application_and_others_cannot_use_that_up()
    {
        let failures = Failures::new(2, 10);
        failures.succeeded(NUMBER, from("192.0.2.1"), BEGIN);
        for last in 0..200 {
            failures.failed(&app(), Some(NUMBER), from(&format!("203.0.113.{last}")), BEGIN);
        }
        fail(&failures, 9, BEGIN);
        assert!(!waits(&failures, "192.0.2.1", BEGIN));
        fail(&failures, 1, BEGIN);
        assert!(waits(&failures, "192.0.2.1", BEGIN));
        // A success does not refill the bucket.
        failures.succeeded(NUMBER, from("192.0.2.1"), BEGIN);
        assert!(waits(&failures, "192.0.2.1", BEGIN));
        assert!(!waits(&failures, "192.0.2.1", at(6)));
    }

    #[test]
    fn without_budgets_nothing_waits() {
        let failures = Failures::new(0, 0);
        for _ in 0..1000 {
            assert_eq!(failures.failed(&app(), Some(NUMBER), from("192.0.2.1"), BEGIN), None);
        }
        assert!(!waits(&failures, "192.0.2.1", BEGIN));
    }
}
