//! Laws of logout: what was answered as over stays over.

use northgate_core::actor::Actor;
use northgate_core::auth::Settings;
use northgate_core::logout::{Logout, LogoutError};
use northgate_core::policy::Overrides;
use northgate_core::refresh::Refusal;
use northgate_core::token::TokenError;
use northgate_core::verify::VerifyError;

use super::world::{HOUR, MINUTE, SETTINGS, World};

#[tokio::test]
async fn a_logout_ends_the_grants_refresh_token_and_all_its_access_tokens() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let (first, other) = (world.login(&app).await, world.login(&app).await);
    let second = world.refresh(&app, &first.refresh_token).await;
    assert!(matches!(world.logout(&first.access_token).await.unwrap(), Logout::Closed(_)));
    for _ in 0..2 {
        for pair in [&first, &second] {
            assert_eq!(world.verify(&app, &pair.access_token), Err(VerifyError::Revoked));
            assert_eq!(world.refusal(&app, &pair.refresh_token).await, Refusal::Closed);
        }
        assert_eq!(world.verify(&app, &other.access_token), Ok(()));
        world.restart().await;
    }
    world.refresh(&app, &other.refresh_token).await;
}

#[tokio::test]
async fn a_second_logout_changes_nothing() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    world.logout(&pair.access_token).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(world.logout(&pair.access_token).await.unwrap(), Logout::AlreadyOver(_)));
        world.restart().await;
    }
    world.advance(2 * HOUR);
    world.restart().await;
    assert!(matches!(world.logout(&pair.access_token).await.unwrap(), Logout::AlreadyOver(_)));
}

#[tokio::test]
async fn a_grant_that_gave_way_can_be_logged_out() {
    let world = World::new().await;
    let one = Overrides { max_grants: Some(1), ..Overrides::default() };
    let app = world.customer_with("a", one).await;
    let (first, second) = (world.login(&app).await, world.login(&app).await);
    world.logout(&first.access_token).await.unwrap();
    assert_eq!(world.verify(&app, &first.access_token), Err(VerifyError::Revoked));
    assert_eq!(world.verify(&app, &second.access_token), Ok(()));
}

/// A logout of a grant that gave way was refused when the application had closed too many, and the token lived on.
#[tokio::test]
async fn a_logout_takes_effect_when_no_more_closed_grants_can_be_kept() {
    let mut world = World::with(Settings { closed_grants: 2, ..SETTINGS }).await;
    let one = Overrides { max_grants: Some(1), ..Overrides::default() };
    let (app, other) = (world.customer_with("a", one).await, world.customer("b").await);
    let theirs = world.login(&other).await;
    let mut pairs = Vec::new();
    for _ in 0..4 {
        pairs.push(world.login(&app).await);
    }
    for pair in &pairs[..2] {
        assert!(matches!(world.logout(&pair.access_token).await.unwrap(), Logout::Closed(_)));
    }
    assert!(matches!(world.logout(&pairs[2].access_token).await.unwrap(), Logout::EndedAll(_)));
    for _ in ["before a restart", "and after it"] {
        for pair in &pairs {
            assert_eq!(world.verify(&app, &pair.access_token), Err(VerifyError::Revoked));
            assert!(matches!(world.logout(&pair.access_token).await.unwrap(), Logout::AlreadyOver(_)));
        }
        assert_eq!(world.refusal(&app, &pairs[3].refresh_token).await, Refusal::Closed);
        let again = world.login(&app).await;
        world.refresh(&app, &again.refresh_token).await;
        assert_eq!(world.verify(&other, &theirs.access_token), Ok(()));
        world.restart().await;
    }
}

/// A live grant is closed for itself, however many were closed before: others of the application stay.
#[tokio::test]
async fn a_live_grant_is_logged_out_alone_when_no_more_closed_grants_can_be_kept() {
    let world = World::with(Settings { closed_grants: 1, ..SETTINGS }).await;
    let app = world.customer("a").await;
    let (one, two, three) = (world.login(&app).await, world.login(&app).await, world.login(&app).await);
    for pair in [&one, &two] {
        assert!(matches!(world.logout(&pair.access_token).await.unwrap(), Logout::Closed(_)));
    }
    assert_eq!(world.verify(&app, &three.access_token), Ok(()));
    world.refresh(&app, &three.refresh_token).await;
}

#[tokio::test]
async fn a_refresh_under_way_at_a_logout_ends_with_it() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    let (_, refreshed) =
        tokio::join!(world.logout(&pair.access_token), world.try_refresh(&app, &pair.refresh_token));
    if let Ok(refreshed) = refreshed {
        assert_eq!(world.verify(&app, &refreshed.pair.access_token), Err(VerifyError::Revoked));
        assert_eq!(world.refusal(&app, &refreshed.pair.refresh_token).await, Refusal::Closed);
    }
    assert_eq!(world.refusal(&app, &pair.refresh_token).await, Refusal::Closed);
}

#[tokio::test]
async fn a_frozen_or_deleted_applications_token_can_be_logged_out() {
    let world = World::new().await;
    let (frozen, deleted) = (world.customer("a").await, world.customer("b").await);
    let (one, other) = (world.login(&frozen).await, world.login(&deleted).await);
    world.freeze(&frozen).await;
    world.auth().delete(&deleted.id, &Actor::LOCAL, world.now()).await.unwrap();
    assert!(matches!(world.logout(&one.access_token).await.unwrap(), Logout::Closed(_)));
    assert!(matches!(world.logout(&other.access_token).await.unwrap(), Logout::AlreadyOver(_)));
    world.unfreeze(&frozen).await;
    assert_eq!(world.verify(&frozen, &one.access_token), Err(VerifyError::Revoked));
}

#[tokio::test]
async fn what_is_no_access_token_logs_nobody_out() {
    let (world, elsewhere) = (World::new().await, World::new().await);
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    assert!(matches!(world.logout(&pair.refresh_token).await, Err(LogoutError::WrongKind)));
    let text = world.logout("no token").await;
    assert!(matches!(text, Err(LogoutError::Token(TokenError::Malformed))));
    let foreign = elsewhere.logout(&pair.access_token).await;
    assert!(matches!(foreign, Err(LogoutError::Token(TokenError::Forged))));
    world.refresh(&app, &pair.refresh_token).await;
}

/// A revocation was remembered for as long as the policy of that moment let access tokens live. With a lifetime made
/// shorter it was forgotten before the token's own end, and making the lifetime longer again brought the token back.
#[tokio::test]
async fn a_logged_out_token_stays_over_when_lifetimes_are_made_shorter_and_longer_again() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    world.set(&app, Overrides { access_lifetime: Some(MINUTE), ..Overrides::default() }).await;
    world.logout(&pair.access_token).await.unwrap();
    world.advance(5 * MINUTE);
    world.restart().await;
    world.set(&app, Overrides { access_lifetime: Some(HOUR), ..Overrides::default() }).await;
    assert_eq!(world.verify(&app, &pair.access_token), Err(VerifyError::Revoked));
}
