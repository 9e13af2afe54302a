//! Laws of a clock that is set: a jump back makes nothing valid again that was closed and takes nobody's grant, and a
//! jump forward makes nothing be forgotten that is needed when the clock returns.

use northgate_core::policy::Overrides;
use northgate_core::verify::VerifyError;

use super::world::{DAY, HOUR, MINUTE, SECOND, World};

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
