//! Laws of verify: for how long and for whom an access token is good.

use northgate_core::policy::Overrides;
use northgate_core::token::TokenError;
use northgate_core::verify::VerifyError;

use super::world::{HOUR, MILLISECOND, MINUTE, SETTINGS, World};

#[tokio::test]
async fn an_access_token_ends_at_its_expiry_and_the_leeway_and_not_a_millisecond_later() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    assert_eq!(pair.expires_in, HOUR);
    world.advance(HOUR + SETTINGS.leeway - MILLISECOND);
    assert_eq!(world.verify(&app, &pair.access_token), Ok(()));
    world.advance(MILLISECOND);
    assert_eq!(world.verify(&app, &pair.access_token), Err(VerifyError::Expired));
}

#[tokio::test]
async fn a_refresh_token_is_no_access_token() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    assert_eq!(world.verify(&app, &pair.refresh_token), Err(VerifyError::WrongKind));
}

#[tokio::test]
async fn an_access_token_is_good_for_its_own_application_only() {
    let world = World::new().await;
    let (mine, theirs) = (world.customer("a").await, world.customer("b").await);
    let pair = world.login(&mine).await;
    assert_eq!(world.verify(&theirs, &pair.access_token), Err(VerifyError::NotYours));
}

#[tokio::test]
async fn an_access_token_of_another_installation_is_forged() {
    let (world, elsewhere) = (World::new().await, World::new().await);
    let (here, there) = (world.customer("a").await, elsewhere.customer("a").await);
    let pair = elsewhere.login(&there).await;
    let refused = Err(VerifyError::Token(TokenError::Forged));
    assert_eq!(world.verify(&here, &pair.access_token), refused);
}

#[tokio::test]
async fn a_shorter_lifetime_holds_for_tokens_issued_before() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    world.set(&app, Overrides { access_lifetime: Some(10 * MINUTE), ..Overrides::default() }).await;
    world.advance(10 * MINUTE + SETTINGS.leeway - MILLISECOND);
    assert_eq!(world.verify(&app, &pair.access_token), Ok(()));
    world.advance(MILLISECOND);
    assert_eq!(world.verify(&app, &pair.access_token), Err(VerifyError::Expired));
}

#[tokio::test]
async fn a_longer_lifetime_does_not_hold_for_tokens_issued_before() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let before = world.login(&app).await;
    world.set(&app, Overrides { access_lifetime: Some(2 * HOUR), ..Overrides::default() }).await;
    let after = world.login(&app).await;
    world.advance(HOUR + SETTINGS.leeway);
    assert_eq!(world.verify(&app, &before.access_token), Err(VerifyError::Expired));
    assert_eq!(world.verify(&app, &after.access_token), Ok(()));
}
