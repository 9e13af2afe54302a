//! Laws of login: what it opens, what gives way, and what ends with it.

use northgate_core::actor::Actor;
use northgate_core::administer::Change;
use northgate_core::admit::AdmissionError;
use northgate_core::login::LoginError;
use northgate_core::policy::{LAST_ONLY_OVERLAP, Logins, Overrides};
use northgate_core::refresh::Refusal;
use northgate_core::verify::VerifyError;

use super::world::{HOUR, MILLISECOND, MINUTE, SECOND, SETTINGS, World};

#[tokio::test]
async fn each_login_opens_a_grant_of_its_own() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let (one, other) = (world.login(&app).await, world.login(&app).await);
    assert_ne!(one.refresh_token, other.refresh_token);
    for pair in [one, other] {
        assert_eq!(world.verify(&app, &pair.access_token), Ok(()));
        world.refresh(&app, &pair.refresh_token).await;
    }
}

#[tokio::test]
async fn the_grant_that_was_refreshed_longest_ago_gives_way_when_there_are_too_many() {
    let world = World::new().await;
    let two = Overrides { max_grants: Some(2), ..Overrides::default() };
    let app = world.customer_with("a", two).await;
    let first = world.login(&app).await;
    world.advance(SECOND);
    let second = world.login(&app).await;
    world.advance(SECOND);
    let first = world.refresh(&app, &first.refresh_token).await;
    world.login(&app).await;
    assert_eq!(world.refusal(&app, &second.refresh_token).await, Refusal::Closed);
    world.refresh(&app, &first.refresh_token).await;
}

#[tokio::test]
async fn the_access_tokens_of_a_grant_that_gave_way_live_on() {
    let world = World::new().await;
    let one = Overrides { max_grants: Some(1), ..Overrides::default() };
    let app = world.customer_with("a", one).await;
    let first = world.login(&app).await;
    world.login(&app).await;
    assert_eq!(world.verify(&app, &first.access_token), Ok(()));
}

#[tokio::test]
async fn under_last_only_a_login_ends_the_others_after_the_overlap() {
    let mut world = World::new().await;
    let last_only = Overrides { logins: Some(Logins::LastOnly), ..Overrides::default() };
    let app = world.customer_with("a", last_only).await;
    let first = world.login(&app).await;
    let second = world.login(&app).await;
    assert_eq!(world.refusal(&app, &first.refresh_token).await, Refusal::Closed);
    world.advance(LAST_ONLY_OVERLAP - MILLISECOND);
    assert_eq!(world.verify(&app, &first.access_token), Ok(()));
    world.advance(MILLISECOND);
    for _ in 0..2 {
        assert_eq!(world.verify(&app, &first.access_token), Err(VerifyError::Revoked));
        assert_eq!(world.verify(&app, &second.access_token), Ok(()));
        world.restart().await;
    }
    world.refresh(&app, &second.refresh_token).await;
}

#[tokio::test]
async fn an_application_that_closed_too_many_grants_waits_until_their_access_tokens_have_expired() {
    let mut world = World::with(northgate_core::auth::Settings { closed_grants: 2, ..SETTINGS }).await;
    let (app, other) = (world.customer("a").await, world.customer("b").await);
    for _ in 0..2 {
        let pair = world.login(&app).await;
        world.logout(&pair.access_token).await.unwrap();
    }
    assert!(matches!(world.try_login(&app).await.err(), Some(LoginError::TooManyClosed)));
    world.login(&other).await;
    world.advance(HOUR + MINUTE);
    world.restart().await;
    world.login(&app).await;
}

/// A login under last-only closes the grants before it, which was refused with the login.
#[tokio::test]
async fn a_login_under_last_only_ends_the_others_when_no_more_closed_grants_can_be_kept() {
    let mut world = World::with(northgate_core::auth::Settings { closed_grants: 2, ..SETTINGS }).await;
    let last_only = Overrides { logins: Some(Logins::LastOnly), ..Overrides::default() };
    let app = world.customer_with("a", last_only).await;
    let before = [world.login(&app).await, world.login(&app).await, world.login(&app).await];
    let last = world.try_login(&app).await.unwrap();
    assert!(last.has_ended_all);
    for _ in ["before a restart", "and after it"] {
        for pair in &before {
            assert_eq!(world.verify(&app, &pair.access_token), Err(VerifyError::Revoked));
        }
        assert_eq!(world.verify(&app, &last.pair.access_token), Ok(()));
        world.restart().await;
    }
    assert!(!world.try_login(&app).await.unwrap().has_ended_all);
}

/// Right after a not-before all tokens say the same time of issue, also where the clock was a year ahead when it was set.
#[tokio::test]
async fn after_a_revocation_the_least_recently_refreshed_grant_gives_way() {
    let world = World::new().await;
    let two = Overrides { max_grants: Some(2), ..Overrides::default() };
    let app = world.customer_with("a", two).await;
    world.login(&app).await;
    world.change(&app, Change::Revoke).await;
    let first = world.login(&app).await;
    let second = world.login(&app).await;
    let first = world.refresh(&app, &first.refresh_token).await;
    let third = world.login(&app).await;
    assert_eq!(world.refusal(&app, &second.refresh_token).await, Refusal::Closed);
    for pair in [first, third] {
        world.refresh(&app, &pair.refresh_token).await;
    }
}

#[tokio::test]
async fn a_frozen_application_can_do_nothing_and_an_unfrozen_one_has_what_did_not_expire() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    world.freeze(&app).await;
    for _ in 0..2 {
        assert!(matches!(
            world.try_login(&app).await.err(),
            Some(LoginError::Admission(AdmissionError::Frozen))
        ));
        let refreshed = world.try_refresh(&app, &pair.refresh_token).await;
        assert!(matches!(
            refreshed.err(),
            Some(northgate_core::refresh::RefreshError::Admission(AdmissionError::Frozen))
        ));
        assert_eq!(world.verify(&app, &pair.access_token), Err(VerifyError::Frozen));
        world.restart().await;
    }
    world.unfreeze(&app).await;
    assert_eq!(world.verify(&app, &pair.access_token), Ok(()));
    world.refresh(&app, &pair.refresh_token).await;
    world.freeze(&app).await;
    world.advance(2 * HOUR);
    world.unfreeze(&app).await;
    assert_eq!(world.verify(&app, &pair.access_token), Err(VerifyError::Expired));
}

#[tokio::test]
async fn a_deleted_application_is_gone_with_its_tokens_even_when_its_app_id_is_used_again() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    world.auth().delete(&app.id, &Actor::LOCAL, world.now()).await.unwrap();
    assert!(matches!(
        world.try_login(&app).await.err(),
        Some(LoginError::Admission(AdmissionError::Rejected))
    ));
    assert_eq!(world.verify(&app, &pair.access_token), Err(VerifyError::NotYours));
    let successor = world.customer("a").await;
    for _ in 0..2 {
        assert!(matches!(
            world.try_login(&app).await.err(),
            Some(LoginError::Admission(AdmissionError::Rejected))
        ));
        assert_eq!(world.verify(&successor, &pair.access_token), Err(VerifyError::NotYours));
        assert_eq!(world.refusal(&successor, &pair.refresh_token).await, Refusal::NotYours);
        world.restart().await;
    }
}
