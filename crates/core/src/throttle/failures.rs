//! Failures: what guessing a secret costs the address that guesses.
//!
//! A secret of 256 random bits cannot be guessed, so these budgets never stand before one. They stand before imported
//! secrets, which may be weak, and decide whether one is looked at for this caller at all:
//! docs/decisions/0014-guessing-costs-the-guesser.md has the reasons.

use std::net::IpAddr;
use std::time::Duration;

use super::recent::Recent;
use super::{Level, MINUTE_US, Rate, micros};
use crate::application::{AppId, AppNumber};
use crate::clock::Timestamp;

/// Addresses and appIds with failures that are remembered at once: 256 KiB each.
const REMEMBERED: usize = 16_384;
/// Pairs of an application and a source that was right, remembered at once: 1 MiB.
const FAMILIAR: usize = 65_536;

/// How far a source can run into debt. Guesses that are sent at once are looked at together, before the first has failed;
/// later ones wait for them all the same.
const DEBT_US: u64 = 2 * MINUTE_US;

/// Where a caller comes from, as far as it cannot choose: one IPv4 address, or the /64 that everybody is given whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Source {
    V4(u32),
    V6(u64),
}

impl Source {
    fn of(address: IpAddr) -> Source {
        match address.to_canonical() {
            IpAddr::V4(address) => Source::V4(address.to_bits()),
            IpAddr::V6(address) => Source::V6((address.to_bits() >> 64) as u64),
        }
    }
}

/// The budgets of failures, and who has been right before.
pub(crate) struct Failures {
    per_source: Option<Rate>,
    per_application: Option<Rate>,
    sources: Recent,
    /// By the appId that was presented, whether or not somebody has it: the answers must not tell.
    applications: Recent,
    familiar: Recent,
}

impl Failures {
    /// Budgets of so many in a minute; 0 is no limit.
    pub fn new(per_source: u32, per_application: u32) -> Failures {
        Failures {
            per_source: Rate::per_minute(per_source),
            per_application: Rate::per_minute(per_application),
            sources: Recent::new(REMEMBERED),
            applications: Recent::new(REMEMBERED),
            familiar: Recent::new(FAMILIAR),
        }
    }

    /// How long a caller has to wait before a secret that may be weak is looked at for it; `None` where it need not. One
    /// that was right before need not, whoever else guesses at its address.
    pub fn wait(&self, application: Option<AppNumber>, from: IpAddr, now: Timestamp) -> Option<Duration> {
        let (rate, source) = (self.per_source?, Source::of(from));
        let level = Level::at(self.sources.find(&source), now, rate.all_us() + DEBT_US);
        let wait = level.wait(rate, now)?;
        let is_familiar = application.is_some_and(|number| self.familiar.find(&(number, source)) > 0);
        (!is_familiar).then_some(wait)
    }

    /// Remembers that a source knows a secret of the application.
    pub fn succeeded(&self, application: AppNumber, from: IpAddr, now: Timestamp) {
        if self.per_source.is_some() {
            self.familiar.change(&(application, Source::of(from)), |_| micros(now).max(1));
        }
    }

    /// Counts a failure. Says how long to wait where a budget was used up before.
    pub fn failed(&self, app: &AppId, from: IpAddr, now: Timestamp) -> Option<Duration> {
        let of_application = self
            .per_application
            .and_then(|rate| charge(&self.applications, app, rate, rate.one_us(), 0, now));
        let of_source = self.per_source.and_then(|rate| {
            // An application that many addresses guess at, each within its budget: one guess is all that is left to each.
            let cost_us = if of_application.is_some() { rate.all_us() } else { rate.one_us() };
            charge(&self.sources, &Source::of(from), rate, cost_us, DEBT_US, now)
        });
        of_application.max(of_source)
    }
}

/// Takes `cost_us` out of a bucket, down to `debt_us` below empty. Says how long to wait where it was empty before.
fn charge(
    buckets: &Recent,
    key: &impl std::hash::Hash,
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
        failures.wait(Some(NUMBER), from(address), now).is_some()
    }

    fn fail(failures: &Failures, count: usize, now: Timestamp) {
        for _ in 0..count {
            failures.failed(&app(), from("192.0.2.1"), now);
        }
    }

    #[test]
    fn a_source_has_its_budget_and_others_have_theirs() {
        let failures = Failures::new(2, 0);
        for _ in 0..2 {
            assert!(!waits(&failures, "192.0.2.1", BEGIN));
            assert_eq!(failures.failed(&app(), from("192.0.2.1"), BEGIN), None);
        }
        assert_eq!(failures.wait(None, from("192.0.2.1"), BEGIN), Some(Duration::from_secs(30)));
        assert!(waits(&failures, "::ffff:192.0.2.1", BEGIN));
        assert!(!waits(&failures, "192.0.2.2", BEGIN));
        assert!(!waits(&failures, "192.0.2.1", at(30)));
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_source() {
        let failures = Failures::new(1, 0);
        failures.failed(&app(), from("2001:db8:0:1::1"), BEGIN);
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
        assert!(failures.wait(Some(AppNumber(2)), from("192.0.2.1"), BEGIN).is_some());
        assert!(failures.wait(None, from("192.0.2.1"), BEGIN).is_some());
    }

    #[test]
    fn an_application_that_many_guess_at_leaves_one_guess_to_each_and_a_right_secret_its_first_try() {
        let failures = Failures::new(30, 3);
        for last in 1..=3 {
            assert_eq!(failures.failed(&app(), from(&format!("192.0.2.{last}")), BEGIN), None);
        }
        assert!(!waits(&failures, "192.0.2.4", BEGIN));
        assert_eq!(failures.failed(&app(), from("192.0.2.4"), BEGIN), Some(Duration::from_secs(20)));
        assert!(waits(&failures, "192.0.2.4", BEGIN));
        // Another application is not their target, and nobody else has to wait.
        let other = AppId::parse("b").expect("an appId");
        assert_eq!(failures.failed(&other, from("192.0.2.5"), BEGIN), None);
        assert!(!waits(&failures, "192.0.2.5", BEGIN));
    }

    #[test]
    fn without_budgets_nothing_waits() {
        let failures = Failures::new(0, 0);
        for _ in 0..1000 {
            assert_eq!(failures.failed(&app(), from("192.0.2.1"), BEGIN), None);
        }
        assert!(!waits(&failures, "192.0.2.1", BEGIN));
    }
}
