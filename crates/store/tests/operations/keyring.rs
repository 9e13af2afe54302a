//! Laws of the keyring: it can be changed under way, and without it nothing is good.

use northgate_core::policy::{Overrides, Rotation};
use northgate_core::refresh::Refusal;
use northgate_core::token::TokenError;
use northgate_core::verify::VerifyError;

use super::world::{DAY, HOUR, MILLISECOND, World};

#[tokio::test]
async fn tokens_made_before_a_rotation_live_on_until_they_expire() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let old = world.login(&app).await;
    world.rotate_keyring();
    for _ in 0..2 {
        assert_eq!(world.verify(&app, &old.access_token), Ok(()));
        world.restart().await;
    }
    // Each rotation drops the keys whose time is over; this one's last token has not expired yet.
    world.advance(29 * DAY);
    world.rotate_keyring();
    let new = world.refresh(&app, &old.refresh_token).await;
    world.advance(2 * DAY);
    world.rotate_keyring();
    let forged = Refusal::Token(TokenError::Forged);
    assert_eq!(world.refusal(&app, &old.refresh_token).await, forged);
    world.refresh(&app, &new.refresh_token).await;
}

#[tokio::test]
async fn a_retry_after_a_rotation_gives_the_same_refresh_token() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let first = world.login(&app).await;
    let lost = world.refresh(&app, &first.refresh_token).await;
    world.advance(MILLISECOND);
    world.rotate_keyring();
    let again = world.refresh(&app, &first.refresh_token).await;
    assert_eq!(again.refresh_token, lost.refresh_token);
    world.refresh(&app, &again.refresh_token).await;
}

#[tokio::test]
async fn after_a_rotation_at_once_a_retry_and_a_repeated_use_give_the_same_refresh_token() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let first = world.login(&app).await;
    let second = world.refresh(&app, &first.refresh_token).await;
    world.rotate_keyring();
    world.set(&app, Overrides { rotation: Some(Rotation::Reusable), ..Overrides::default() }).await;
    let retried = world.refresh(&app, &first.refresh_token).await;
    let used_again = world.refresh(&app, &second.refresh_token).await;
    assert_eq!(used_again.refresh_token, retried.refresh_token);
}

#[tokio::test]
async fn with_another_keyring_no_token_and_no_allocated_secret_is_good() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    world.advance(HOUR / 2);
    world.lose_keyring().await;
    let forged = Err(VerifyError::Token(TokenError::Forged));
    assert_eq!(world.verify(&app, &pair.access_token), forged);
    assert!(world.try_login(&app).await.is_err());
}
