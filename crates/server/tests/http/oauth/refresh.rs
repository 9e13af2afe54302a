//! Tokens for a refresh token (RFC 6749 §6): the same grants as those of the application API.

use std::time::Duration;

use crate::oauth::request::*;
use crate::support::socket::Answer;
use crate::support::world::*;

async fn refresh(world: &World, token: &str) -> Answer {
    send_as_demo(world, TOKEN, &format!("grant_type=refresh_token&refresh_token={token}")).await
}

/// RFC 6749 §6: "If valid and authorized, the authorization server issues an access token".
#[tokio::test]
async fn a_refresh_token_of_either_api_is_good_in_both() {
    let world = World::new().await;
    let login = world.login().await;
    let second = refresh(&world, &login.member("refreshToken")).await;
    assert_eq!((second.status, second.member("token_type")), (200, "Bearer".to_owned()));
    assert_eq!(world.verify(&second.member("access_token")).await.status, 200);
    let third = world.refresh(&second.member("refresh_token")).await;
    assert_eq!(third.status, 200);
    assert_eq!(refresh(&world, &third.member("refreshToken")).await.status, 200);
}

#[tokio::test]
async fn a_refresh_whose_answer_was_lost_can_be_repeated() {
    let world = World::new().await;
    let token = world.login().await.member("refreshToken");
    let (first, again) = (refresh(&world, &token).await, refresh(&world, &token).await);
    assert_eq!(first.member("refresh_token"), again.member("refresh_token"));
    assert_eq!(again.status, 200);
}

/// RFC 6749 §5.2: `invalid_grant`: "invalid, expired, revoked, […] or was issued to another client".
#[tokio::test]
async fn a_refresh_token_that_is_not_good_is_an_invalid_grant() {
    let world = World::new().await;
    let login = world.login().await;
    let (access, used_up) = (login.member("accessToken"), login.member("refreshToken"));
    let second = refresh(&world, &used_up).await.member("refresh_token");
    world.clock.advance(Duration::from_secs(65));
    for token in ["nonsense", &access, &used_up] {
        is_error(&refresh(&world, token).await, 400, "invalid_grant");
    }
    let secret = another(&world, "other").await;
    let form =
        format!("grant_type=refresh_token&refresh_token={second}&client_id=other&client_secret={secret}");
    is_error(&send(&world, TOKEN, &form).await, 400, "invalid_grant");
    assert_eq!(world.logout(&access).await.status, 204);
    is_error(&refresh(&world, &second).await, 400, "invalid_grant");
}

#[tokio::test]
async fn an_expired_refresh_token_is_an_invalid_grant() {
    let world = World::new().await;
    let token = world.login().await.member("refreshToken");
    world.clock.advance(Duration::from_secs(30 * 86_400));
    is_error(&refresh(&world, &token).await, 400, "invalid_grant");
}

/// RFC 6749 §6: "The authorization server MUST […] require client authentication".
#[tokio::test]
async fn a_refresh_token_without_its_client_is_of_no_use() {
    let world = World::new().await;
    let token = world.login().await.member("refreshToken");
    let form = format!("grant_type=refresh_token&refresh_token={token}");
    is_error(&send(&world, TOKEN, &form).await, 401, "invalid_client");
    is_error(&send(&world, TOKEN, &format!("{form}&client_id=demo")).await, 401, "invalid_client");
    assert_eq!(refresh(&world, &token).await.status, 200);
}

/// RFC 6749 §6: the scope "MUST NOT include any scope not originally granted", and refresh_token is REQUIRED.
#[tokio::test]
async fn a_refresh_has_a_token_and_no_scope_but_the_one_that_was_granted() {
    let world = World::new().await;
    let token = world.login().await.member("refreshToken");
    is_error(&refresh(&world, "").await, 400, "invalid_request");
    is_error(&refresh(&world, &format!("{token}&scope=admin")).await, 400, "invalid_scope");
    assert_eq!(refresh(&world, &format!("{token}&scope=default")).await.member("scope"), "default");
}

#[tokio::test]
async fn a_frozen_application_cannot_refresh() {
    let world = World::new().await;
    let token = world.login().await.member("refreshToken");
    world.freeze().await;
    is_error(&refresh(&world, &token).await, 400, "unauthorized_client");
}
