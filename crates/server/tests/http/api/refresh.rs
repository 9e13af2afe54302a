//! Refresh.

use std::time::Duration;

use northgate_core::policy::{OnReuse, Overrides};
use northgate_server::config::api::Dialect;

use crate::support::socket::{ask, post};
use crate::support::world::*;

#[tokio::test]
async fn a_refresh_gives_the_next_pair() {
    let world = World::new().await;
    let login = world.login().await;
    let answer = world.refresh(&login.member("refreshToken")).await;
    let (access, refresh) = (answer.member("accessToken"), answer.member("refreshToken"));
    answer.is(
        200,
        &format!(
            r#"{{"accessToken":"{access}","tokenType":"Bearer","refreshToken":"{refresh}","expiresIn":3600,"scope":"default"}}"#
        ),
    );
    assert_ne!(refresh, login.member("refreshToken"));
    assert_eq!(world.verify(&access).await.status, 200);
}

#[tokio::test]
async fn a_repeated_refresh_gives_the_same_refresh_token_again() {
    let world = World::new().await;
    let token = world.login().await.member("refreshToken");
    let first = world.refresh(&token).await;
    world.clock.advance(Duration::from_secs(59));
    let again = world.refresh(&token).await;
    assert_eq!(again.member("refreshToken"), first.member("refreshToken"));
    assert_eq!(world.verify(&again.member("accessToken")).await.status, 200);
}

#[tokio::test]
async fn a_refresh_token_that_is_not_good_is_answered_alike_whatever_is_wrong_with_it() {
    for (dialect, status, body) in [(Dialect::Intl, 400, INVALID), (Dialect::Cn, 401, REJECTED)] {
        let world = World::with(Setup { dialect, ..SETUP }).await;
        let login = world.login().await;
        let used_up = login.member("refreshToken");
        world.refresh(&used_up).await;
        world.clock.advance(Duration::from_secs(65));
        for token in ["nonsense", &"x".repeat(256), &login.member("accessToken"), &used_up] {
            world.refresh(token).await.is(status, body);
        }
        world.clock.advance(Duration::from_secs(30 * 86_400));
        world.refresh(&used_up).await.is(status, body);
    }
}

#[tokio::test]
async fn reuse_closes_the_grant_where_the_policy_says_so() {
    let overrides = Overrides { on_reuse: Some(OnReuse::Close), ..SETUP.overrides };
    let world = World::with(Setup { overrides, ..SETUP }).await;
    let used_up = world.login().await.member("refreshToken");
    let successor = world.refresh(&used_up).await;
    world.clock.advance(Duration::from_secs(65));
    world.refresh(&used_up).await.is(400, INVALID);
    world.refresh(&successor.member("refreshToken")).await.is(400, INVALID);
    assert_eq!(world.verify(&successor.member("accessToken")).await.status, 403);
}

#[tokio::test]
async fn the_secret_is_checked_before_the_token() {
    let world = World::new().await;
    let body = r#"{"appId":"demo","secret":"wrong","refreshToken":"nonsense"}"#;
    ask(world.public, post(REFRESH, JSON, body)).await.is(401, REJECTED);
}

#[tokio::test]
async fn members_are_checked_before_the_secret() {
    let world = World::new().await;
    let long = format!(r#"{{"appId":"demo","secret":"wrong","refreshToken":"{}"}}"#, "x".repeat(257));
    for body in [
        &long,
        r#"{"appId":"demo","secret":"wrong","refreshToken":1}"#,
        r#"{"appId":"demo","secret":"wrong","refreshToken":"\u0000"}"#,
        r#"{"appId":"demo","secret":"wrong","refreshToken":"r""#,
        r#"["appId"]"#,
    ] {
        ask(world.public, post(REFRESH, JSON, body)).await.is(400, INVALID);
    }
    ask(world.public, post(REFRESH, JSON, b"{\"appId\":\"\xff\"}")).await.is(400, INVALID);
    for body in
        ["", "{}", r#"{"appId":"demo","secret":"s"}"#, r#"{"appId":"demo","secret":"s","refreshToken":null}"#]
    {
        ask(world.public, post(REFRESH, JSON, body)).await.is(400, MISSING);
    }
}

#[tokio::test]
async fn a_frozen_application_cannot_refresh() {
    let world = World::new().await;
    let token = world.login().await.member("refreshToken");
    world.freeze().await;
    world
        .refresh(&token)
        .await
        .is(400, r#"{"error_code":"100449","error_desc":"The device is freezed cant operate."}"#);
}
