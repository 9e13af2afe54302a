//! Laws of a clock that is set: a jump back makes nothing valid again that was closed and takes no application's grant, and a
//! jump forward makes nothing be forgotten that is needed when the clock returns.

use northgate_core::actor::Actor;
use northgate_core::administer::Change;
use northgate_core::clock::CLOCK_TOLERANCE;
use northgate_core::clock_repair::What;
use northgate_core::high_water::Marks;
use northgate_core::logout::Logout;
use northgate_core::policy::{Logins, Overrides};
use northgate_core::refresh::Refusal;
use northgate_core::secret::SecretId;
use northgate_core::verify::VerifyError;

use super::world::{Customer, DAY, HOUR, MILLISECOND, MINUTE, SECOND, SETTINGS, World};

const YEAR: std::time::Duration = std::time::Duration::from_secs(365 * 86_400);

#[tokio::test]
async fn a_token_that_was_revoked_stays_so_when_the_clock_is_set_back() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    world.logout(&pair.access_token).await.unwrap();
    world.set_back(10 * MINUTE);
    for _ in 0..2 {
        assert_eq!(world.verify(&app, &pair.access_token), Err(VerifyError::Revoked));
        world.restart().await;
    }
}

#[tokio::test]
async fn revocations_and_grants_outlive_a_start_with_a_clock_that_is_ahead() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let (closed, open) = (world.login(&app).await, world.login(&app).await);
    world.logout(&closed.access_token).await.unwrap();
    world.advance(400 * DAY);
    // Twice, so that what the first one knows is folded into the rows.
    world.restart().await;
    world.login(&app).await;
    world.restart().await;
    world.set_back(400 * DAY);
    assert_eq!(world.verify(&app, &closed.access_token), Err(VerifyError::Revoked));
    world.refresh(&app, &open.refresh_token).await;
}

#[tokio::test]
async fn a_refresh_is_repeated_safely_whichever_way_the_clock_was_set_within_the_window() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let first = world.login(&app).await;
    let second = world.refresh(&app, &first.refresh_token).await;
    for _ in 0..2 {
        world.advance(59 * SECOND);
        assert_eq!(world.refresh(&app, &first.refresh_token).await.refresh_token, second.refresh_token);
        world.set_back(DAY);
    }
    world.refresh(&app, &second.refresh_token).await;
}

#[tokio::test]
async fn after_the_clock_was_set_back_a_login_does_not_take_the_one_before_it() {
    let world = World::new().await;
    let two = Overrides { max_grants: Some(2), ..Overrides::default() };
    let app = world.customer_with("a", two).await;
    for _ in 0..2 {
        world.login(&app).await;
    }
    world.set_back(HOUR);
    let one = world.login(&app).await;
    world.advance(SECOND);
    let other = world.login(&app).await;
    for pair in [one, other] {
        world.refresh(&app, &pair.refresh_token).await;
    }
}

/// A revocation was forgotten when its tokens had expired. When the clock was set back after that, they verified again.
#[tokio::test]
async fn a_token_whose_revocation_was_forgotten_stays_over_when_the_clock_is_set_back() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    world.logout(&pair.access_token).await.unwrap();
    world.advance(2 * HOUR);
    world.forget().await;
    // A write, with which the mark is durable.
    world.login(&app).await;
    for _ in ["before a restart", "and after it"] {
        for back in [HOUR, MINUTE, 58 * MINUTE] {
            world.set_back(back);
            assert!(world.verify(&app, &pair.access_token).is_err(), "set back by another {back:?}");
        }
        assert!(matches!(world.logout(&pair.access_token).await.unwrap(), Logout::AlreadyOver(_)));
        world.advance(HOUR + 59 * MINUTE);
        world.restart().await;
    }
}

#[tokio::test]
async fn behind_the_mark_of_what_was_forgotten_new_tokens_are_good_for_their_lifetime_and_can_be_revoked() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let old = world.login(&app).await;
    world.logout(&old.access_token).await.unwrap();
    world.advance(2 * HOUR);
    world.forget().await;
    world.login(&app).await;
    world.set_back(2 * HOUR);
    let (kept, closed) = (world.login(&app).await, world.login(&app).await);
    assert!(matches!(world.logout(&closed.access_token).await.unwrap(), Logout::Closed(_)));
    world.forget().await;
    for _ in ["before a restart", "and after it"] {
        assert_eq!(world.verify(&app, &kept.access_token), Ok(()));
        assert_eq!(world.verify(&app, &closed.access_token), Err(VerifyError::Revoked));
        world.restart().await;
    }
    world.advance(HOUR + SETTINGS.leeway - MILLISECOND);
    assert_eq!(world.verify(&app, &kept.access_token), Ok(()));
    world.advance(MILLISECOND);
    assert_eq!(world.verify(&app, &kept.access_token), Err(VerifyError::Expired));
}

/// `app revoke` while the clock was a year ahead: the application's tokens said that they were issued in a year, and lasted until
/// then and an hour more.
#[tokio::test]
async fn a_revocation_by_a_clock_a_year_ahead_makes_no_token_last_longer_and_revives_none() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let before = world.login(&app).await;
    world.advance(YEAR);
    let ahead = world.login(&app).await;
    world.change(&app, Change::Revoke).await;
    world.set_back(YEAR);
    for _ in ["before a restart", "and after it"] {
        for over in [&before, &ahead] {
            assert!(world.verify(&app, &over.access_token).is_err());
            assert_eq!(world.refusal(&app, &over.refresh_token).await, Refusal::Closed);
        }
        world.restart().await;
    }
    let pair = world.login(&app).await;
    let pair = world.refresh(&app, &pair.refresh_token).await;
    assert_eq!(world.verify(&app, &pair.access_token), Ok(()));
    world.advance(HOUR + SETTINGS.leeway);
    assert_eq!(world.verify(&app, &pair.access_token), Err(VerifyError::Expired));
    world.advance(300 * DAY);
    assert_eq!(world.verify(&app, &pair.access_token), Err(VerifyError::Expired));
    assert_eq!(world.refusal(&app, &pair.refresh_token).await, Refusal::Expired);
}

/// Tokens that a clock ahead had issued lived for as much longer when the clock was set back.
#[tokio::test]
async fn a_token_of_a_clock_that_was_ahead_is_refused_and_its_refresh_is_answered_with_a_right_one() {
    let world = World::new().await;
    let app = world.customer("a").await;
    for ahead in [CLOCK_TOLERANCE + SECOND, HOUR, YEAR] {
        world.advance(ahead);
        let pair = world.login(&app).await;
        assert_eq!(world.verify(&app, &pair.access_token), Ok(()));
        world.set_back(ahead);
        assert_eq!(world.verify(&app, &pair.access_token), Err(VerifyError::Ahead), "{ahead:?}");
        let pair = world.refresh(&app, &pair.refresh_token).await;
        assert_eq!(world.verify(&app, &pair.access_token), Ok(()));
    }
    world.advance(30 * DAY);
    let number = world.auth().registry().find(&app.id).unwrap().number;
    assert!(world.auth().grants(number, world.now()).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_clock_that_is_ahead_by_less_than_the_tolerance_costs_nobody_a_token() {
    let world = World::new().await;
    let app = world.customer("a").await;
    world.advance(CLOCK_TOLERANCE);
    let pair = world.login(&app).await;
    world.set_back(CLOCK_TOLERANCE);
    assert_eq!(world.verify(&app, &pair.access_token), Ok(()));
}

/// Set back by some minutes, `app revoke` named a time before that of the tokens that were out.
#[tokio::test]
async fn a_revocation_reaches_tokens_that_were_issued_before_the_clock_was_set_back() {
    for back in [SECOND, MINUTE, CLOCK_TOLERANCE, HOUR, YEAR] {
        let mut world = World::new().await;
        let app = world.customer("a").await;
        let pair = world.login(&app).await;
        world.set_back(back);
        world.change(&app, Change::Revoke).await;
        for _ in ["before a restart", "and after it"] {
            assert!(world.verify(&app, &pair.access_token).is_err(), "{back:?}");
            assert_eq!(world.refusal(&app, &pair.refresh_token).await, Refusal::Closed, "{back:?}");
            world.restart().await;
        }
        assert_eq!(world.verify(&app, &world.login(&app).await.access_token), Ok(()));
    }
}

/// A logout by a node whose clock is ahead was heeded late by one whose clock is behind.
// A logout just before the clock was set back and the server started again: the not-before of a revocation lay before the
// token, which verified again.
#[tokio::test]
async fn a_token_that_was_logged_out_stays_so_when_the_clock_is_set_back_and_all_tokens_are_revoked() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    world.logout(&pair.access_token).await.unwrap();
    world.set_back(MINUTE);
    world.restart().await;
    world.change(&app, Change::Revoke).await;
    for _ in 0..2 {
        world.advance(HOUR / 2);
        assert!(world.verify(&app, &pair.access_token).is_err());
        world.restart().await;
    }
}

#[tokio::test]
async fn nodes_whose_clocks_differ_by_seconds_agree_on_what_has_ended() {
    let mut world = World::new().await;
    let last_only = Overrides { logins: Some(Logins::LastOnly), ..Overrides::default() };
    let (app, other) = (world.customer("a").await, world.customer_with("b", last_only).await);
    for (one_ms, other_ms) in [(3_000, -2_000), (-2_000, 3_000)] {
        world.skew_ms = one_ms;
        let (closed, ended, overlapping) =
            (world.login(&app).await, world.login(&app).await, world.login(&other).await);
        let retried = world.login(&app).await;
        let next = world.refresh(&app, &retried.refresh_token).await;
        world.logout(&closed.access_token).await.unwrap();
        world.login(&other).await;
        world.skew_ms = other_ms;
        assert_eq!(world.verify(&app, &closed.access_token), Err(VerifyError::Revoked));
        assert_eq!(world.verify(&other, &overlapping.access_token), Ok(()), "the overlap is cut off");
        world.advance(MINUTE - MILLISECOND);
        let again = world.refresh(&app, &retried.refresh_token).await;
        assert_eq!(again.refresh_token, next.refresh_token, "the retry window is cut off");
        world.change(&app, Change::Revoke).await;
        world.skew_ms = one_ms;
        assert_eq!(world.verify(&app, &ended.access_token), Err(VerifyError::Revoked));
        world.advance(MINUTE);
    }
}

/// The grant that had been refreshed last gave way when the login came to a node whose clock was behind.
#[tokio::test]
async fn the_least_recently_refreshed_grant_gives_way_whatever_the_clocks_of_the_nodes_say() {
    let mut world = World::new().await;
    let three = Overrides { max_grants: Some(3), ..Overrides::default() };
    let app = world.customer_with("a", three).await;
    let mut pairs = Vec::new();
    // Nodes take turns within a second, and then the clock is set forward and back by days.
    for skew_ms in [0, 3_000, -2_000, 3_000, 0, -2_000, 86_400_000, -86_400_000, 0] {
        world.skew_ms = skew_ms;
        pairs.push(world.login(&app).await);
        if let [.., first, second, third] = &mut pairs[..] {
            *first = world.refresh(&app, &first.refresh_token).await;
            *third = world.refresh(&app, &third.refresh_token).await;
            let gone = second.refresh_token.clone();
            let last = world.login(&app).await;
            assert_eq!(world.refusal(&app, &gone).await, Refusal::Closed, "{skew_ms}");
            *second = last;
            // In the order in which they were refreshed.
            let length = pairs.len();
            pairs.swap(length - 2, length - 1);
            world.restart().await;
        }
    }
}

#[tokio::test]
async fn a_secret_that_was_retired_by_a_clock_ahead_stays_retired_when_it_is_set_back() {
    let mut world = World::new().await;
    let old = world.customer("a").await;
    let (_, secret) =
        world.auth().add_secret(&old.id, "new".to_owned(), None, &Actor::LOCAL, world.now()).await.unwrap();
    let new = Customer { id: old.id.clone(), secret: secret.unwrap() };
    world.advance(YEAR);
    world.change(&old, Change::RetireSecret(SecretId(1), world.now())).await;
    world.login(&new).await;
    world.set_back(YEAR);
    for _ in ["before a restart", "and after it"] {
        assert!(world.try_login(&old).await.is_err());
        world.login(&new).await;
        world.restart().await;
    }
    // The use by the clock that was ahead is not the last one for a year.
    let application = world.auth().registry().find(&old.id).unwrap();
    world.login(&new).await;
    assert_eq!(application.secrets[1].last_used_at(), Some(world.now()));
}

#[tokio::test]
async fn an_operator_finds_what_a_clock_ahead_has_written_and_sets_it_right() {
    let mut world = World::new().await;
    let (app, revoked) = (world.customer("a").await, world.customer("b").await);
    world.advance(YEAR);
    let (open, over) = (world.login(&app).await, world.login(&revoked).await);
    world.change(&revoked, Change::Revoke).await;
    world.set_back(YEAR);
    let current = world.login(&revoked).await;
    let number = |customer: &Customer| world.auth().registry().find(&customer.id).unwrap();
    let words = async |customer: &Customer| {
        let ahead = world.auth().application_ahead(&number(customer), world.now()).await.unwrap();
        ahead.iter().map(|ahead| ahead.what.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(words(&app).await, ["grant"]);
    assert_eq!(words(&revoked).await, ["not-before", "grant", "grant"]);
    assert_eq!(world.auth().registry().not_befores_ahead(world.now()), (1, Some(revoked.id.clone())));
    for customer in [&app, &revoked] {
        world.auth().set_application_right(&number(customer), &Actor::LOCAL, world.now()).await.unwrap();
        assert!(words(customer).await.is_empty());
    }
    // What was revoked stays so, and the others go on.
    assert!(world.verify(&revoked, &over.access_token).is_err());
    assert_eq!(world.refusal(&revoked, &over.refresh_token).await, Refusal::Closed);
    assert_eq!(world.verify(&revoked, &current.access_token), Err(VerifyError::Ahead));
    let next = world.refresh(&revoked, &current.refresh_token).await;
    assert_eq!(world.verify(&revoked, &next.access_token), Ok(()));
    world.restart().await;
    // A grant that was set right ends with its lifetime, although its token says another time.
    world.advance(30 * DAY);
    assert_eq!(world.refusal(&app, &open.refresh_token).await, Refusal::Expired);
    world.advance(YEAR - 30 * DAY + MINUTE);
    assert_eq!(world.verify(&revoked, &over.access_token), Err(VerifyError::Revoked));
}

/// Tokens from under a not-before far ahead were ended by the next one, and lived again when both were set right.
#[tokio::test]
async fn what_was_revoked_between_a_clock_ahead_and_its_repair_stays_so() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    world.advance(YEAR);
    world.change(&app, Change::Revoke).await;
    world.set_back(YEAR);
    let stolen = world.login(&app).await;
    world.change(&app, Change::Revoke).await;
    let kept = world.login(&app).await;
    let application = world.auth().registry().find(&app.id).unwrap();
    world.auth().set_application_right(&application, &Actor::LOCAL, world.now()).await.unwrap();
    for _ in ["before a restart", "and after it"] {
        assert!(world.verify(&app, &stolen.access_token).is_err());
        assert_eq!(world.refusal(&app, &stolen.refresh_token).await, Refusal::Closed);
        world.restart().await;
    }
    world.refresh(&app, &kept.refresh_token).await;
}

/// Behind the mark of what was forgotten all tokens say the same time, which `app revoke` has to be later than.
#[tokio::test]
async fn a_revocation_behind_the_mark_of_what_was_forgotten_ends_all_tokens() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let old = world.login(&app).await;
    world.logout(&old.access_token).await.unwrap();
    world.advance(2 * HOUR);
    world.forget().await;
    world.set_back(2 * HOUR);
    let pair = world.login(&app).await;
    world.change(&app, Change::Revoke).await;
    assert_eq!(world.verify(&app, &pair.access_token), Err(VerifyError::Revoked));
    assert_eq!(world.refusal(&app, &pair.refresh_token).await, Refusal::Closed);
    let pair = world.login(&app).await;
    for _ in ["before a restart", "and after it"] {
        assert_eq!(world.verify(&app, &pair.access_token), Ok(()));
        world.restart().await;
    }
}

#[tokio::test]
async fn the_marks_of_what_was_forgotten_are_lowered_to_where_nothing_forgotten_can_be_good() {
    let world = World::new().await;
    let now = world.now();
    let ahead = Marks { tokens: now.plus(YEAR), single_use: now.plus(YEAR) };
    world.auth().registry().high_water().raise(ahead);
    let found = world.auth().installation_ahead(now);
    let whats: Vec<What> = found.iter().map(|ahead| ahead.what).collect();
    assert_eq!(whats, [What::ForgottenTokens, What::ForgottenSingleUse]);
    world.auth().set_marks_right(&Actor::LOCAL, now).await.unwrap();
    let marks = world.auth().registry().high_water().get();
    assert_eq!(marks.tokens.since(now), HOUR + SETTINGS.leeway + 5 * SECOND);
    assert!(marks.single_use.since(now) < 10 * MINUTE);
}

/// After the rotation that `clock check` asks for, it and the alarm named the key from far ahead for as long as it was kept.
#[tokio::test]
async fn a_key_from_far_ahead_is_no_stored_time_to_repair_once_it_has_a_successor() {
    let mut world = World::new().await;
    world.advance(YEAR);
    world.rotate_keyring();
    world.set_back(YEAR);
    let ahead = |world: &World| world.auth().installation_ahead(world.now()).len();
    assert_eq!(ahead(&world), 1);
    world.rotate_keyring();
    assert_eq!(ahead(&world), 0);
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    assert_eq!(world.verify(&app, &pair.access_token), Ok(()));
}
