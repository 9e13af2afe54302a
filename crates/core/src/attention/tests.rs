use super::*;
use crate::allow::Allow;
use crate::app_id::AppId;
use crate::application::State;
use crate::policy::{AccessTokens, BindTokens, Dpop, Logins as LoginPolicy, OnReuse, Overrides, Rotation};
use crate::secret::{Digest, Kept, Secrets};
use crate::store::NewApplication;

const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const HOUR: Duration = Duration::from_secs(60 * 60);
const MINUTE: Duration = Duration::from_secs(60);

/// Access tokens for one hour, refresh tokens for ten days.
fn policy() -> Policy {
    Policy {
        rotation: Rotation::Once,
        retry_window: MINUTE,
        on_reuse: OnReuse::Deny,
        logins: LoginPolicy::Many,
        max_grants: 10,
        access_lifetime: HOUR,
        refresh_lifetime: 10 * DAY,
        calls_per_minute: 0,
        bind_tokens: BindTokens::Authenticated,
        access_tokens: AccessTokens::Opaque,
        dpop: Dpop::Off,
    }
}

/// A secret made and last used so long after BEGIN.
fn secret(id: u32, made: Duration, used: Option<Duration>) -> Arc<Secret> {
    let kept = Kept::Digest(Digest::from_bytes([1; 32]));
    let secret = Secret::new(SecretId(id), "one".to_owned(), BEGIN.plus(made), kept);
    Arc::new(secret.restored(None, used.map(|used| BEGIN.plus(used))))
}

fn application(secrets: &[Arc<Secret>]) -> Application {
    let new = NewApplication {
        id: AppId::random(),
        name: "the application".to_owned(),
        owner: None,
        state: State::Active,
        overrides: Overrides::default(),
        allow: Allow::default(),
        created_at: BEGIN,
        secrets: secrets.iter().cloned().collect::<Secrets>(),
    };
    new.numbered(AppNumber(1))
}

/// What is found so long after BEGIN.
fn found(application: &Application, after: Duration) -> Vec<(Kind, u32)> {
    let found = findings(application, &policy(), BEGIN.plus(after));
    found.into_iter().map(|finding| (finding.kind, finding.count)).collect()
}

/// An application that has logged in so often, in this interval.
fn logged_in(count: u32, interval: Duration) -> Application {
    let application = application(&[]);
    for number in 0..count {
        let now = BEGIN.plus(interval * number);
        application.calls.activity.logged_in(now.plus(10 * DAY), now);
    }
    application
}

#[test]
fn an_application_that_refreshes_needs_no_attention() {
    let application = logged_in(100, MINUTE);
    application.calls.activity.refreshed(BEGIN.plus(11 * DAY));
    assert_eq!(found(&application, 2 * HOUR), []);
}

#[test]
fn logins_far_more_often_than_tokens_expire_are_a_login_at_each_call() {
    assert_eq!(found(&logged_in(11, MINUTE), 11 * MINUTE), [(Kind::LoginEachCall, 11)]);
    assert_eq!(found(&logged_in(9, MINUTE), 9 * MINUTE), []);
    // The workers of one program that start together.
    assert_eq!(found(&logged_in(20, Duration::from_secs(1)), 11 * MINUTE), []);
}

#[test]
fn a_login_at_the_end_of_each_access_token_never_refreshes() {
    assert_eq!(found(&logged_in(3, HOUR), 3 * HOUR), [(Kind::NeverRefreshes, 3)]);
    assert_eq!(found(&logged_in(2, HOUR), 3 * HOUR), []);
    // An application that stopped a week ago does it no more; one that comes rarely has nothing to refresh.
    assert_eq!(found(&logged_in(3, HOUR), 8 * DAY), []);
    assert_eq!(found(&logged_in(3, 10 * DAY), 21 * DAY), []);
}

#[test]
fn a_refresh_token_is_reported_in_the_last_tenth_of_its_lifetime_until_it_expires() {
    let application = logged_in(1, HOUR);
    assert_eq!(found(&application, 9 * DAY), []);
    assert_eq!(found(&application, 9 * DAY + HOUR), [(Kind::TokenEnding, 1)]);
    assert_eq!(found(&application, 10 * DAY), []);
}

#[test]
fn a_secret_that_a_newer_one_replaces_is_reported_while_it_is_used_a_day_later() {
    let both = |used| application(&[secret(1, Duration::ZERO, Some(used)), secret(2, 5 * DAY, None)]);
    assert_eq!(found(&both(6 * DAY), 7 * DAY), [(Kind::OldSecret, 1)]);
    assert_eq!(found(&both(6 * DAY - HOUR), 7 * DAY), []);
    assert_eq!(found(&both(6 * DAY), 13 * DAY), [], "not used for a week");
    let alone = application(&[secret(1, Duration::ZERO, Some(6 * DAY))]);
    assert_eq!(found(&alone, 7 * DAY), []);
}

#[test]
fn a_secret_in_use_is_reported_two_weeks_before_it_retires() {
    let retiring = secret(1, Duration::ZERO, Some(6 * DAY)).retired(BEGIN.plus(20 * DAY));
    let application = application(&[Arc::new(retiring)]);
    assert_eq!(found(&application, 6 * DAY), []);
    assert_eq!(found(&application, 6 * DAY + HOUR), [(Kind::SecretEnding, 1)]);
    assert_eq!(found(&application, 13 * DAY), [], "not used for a week");
}

#[test]
fn a_client_certificate_is_reported_two_weeks_before_it_expires_and_afterwards() {
    let application = application(&[]);
    application.calls.activity.authenticated_until(BEGIN.plus(30 * DAY));
    assert_eq!(found(&application, 16 * DAY), []);
    assert_eq!(found(&application, 16 * DAY + HOUR), [(Kind::CertificateEnding, 1)]);
    assert_eq!(found(&application, 31 * DAY), [(Kind::CertificateEnding, 1)]);
    application.calls.activity.authenticated_until(BEGIN.plus(300 * DAY));
    assert_eq!(found(&application, 31 * DAY), []);
}

#[test]
fn a_reused_token_is_reported_for_a_week_and_a_rate_limit_for_a_day() {
    let application = application(&[]);
    application.calls.activity.reused(BEGIN);
    application.calls.activity.reused(BEGIN.plus(HOUR));
    while application.calls.use_grant(1, BEGIN).is_ok() {}
    assert_eq!(found(&application, HOUR), [(Kind::ReusedToken, 2), (Kind::Throttled, 1)]);
    assert_eq!(found(&application, DAY), [(Kind::ReusedToken, 2)]);
    assert_eq!(found(&application, 7 * DAY + HOUR), []);
    // A new series counts from one.
    application.calls.activity.reused(BEGIN.plus(8 * DAY + HOUR));
    assert_eq!(found(&application, 8 * DAY + HOUR), [(Kind::ReusedToken, 1)]);
}

#[test]
fn an_application_is_unused_after_90_days_without_use_or_new_secret() {
    assert_eq!(found(&application(&[]), 90 * DAY), [(Kind::Unused, 1)]);
    assert_eq!(found(&application(&[secret(1, Duration::ZERO, Some(DAY))]), 90 * DAY), []);
    assert_eq!(found(&application(&[secret(1, Duration::ZERO, Some(DAY))]), 91 * DAY), [(Kind::Unused, 1)]);
    assert_eq!(found(&application(&[secret(1, 2 * DAY, None)]), 91 * DAY), []);
}

#[test]
fn a_frozen_application_needs_no_attention() {
    let application = Application { state: State::Frozen, ..application(&[]) };
    assert_eq!(found(&application, 90 * DAY), []);
}

#[test]
fn each_kind_is_at_its_own_index_and_found_by_its_word() {
    for (index, kind) in Kind::ALL.into_iter().enumerate() {
        assert_eq!((kind as usize, Kind::parse(kind.as_str())), (index, Some(kind)));
    }
    assert_eq!(Kind::Unused as usize + 1, Kind::ALL.len());
}
