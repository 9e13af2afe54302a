//! Login.

use northgate_server::config::api::Dialect;

use crate::support::socket::{ask, post};
use crate::support::world::*;

#[tokio::test]
async fn a_login_gives_the_five_members_and_nothing_else() {
    for (dialect, token_type) in [(Dialect::Intl, "Bearer"), (Dialect::Cn, "bearer")] {
        let world = World::with(Setup { dialect, ..SETUP }).await;
        let answer = world.login().await;
        let (access, refresh) = (answer.member("accessToken"), answer.member("refreshToken"));
        let expected = format!(
            r#"{{"accessToken":"{access}","tokenType":"{token_type}","refreshToken":"{refresh}","expiresIn":3600,"scope":"default"}}"#
        );
        answer.is(200, &expected);
        assert_eq!(answer.header("Content-Type"), Some("application/json; charset=UTF-8"));
        assert_eq!(answer.header("Content-Length"), Some(&expected.len().to_string()[..]));
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        assert!(answer.header("X-Request-Id").is_some());
    }
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_application_are_answered_alike() {
    let world = World::new().await;
    ask(world.public, post(LOGIN, FORM, "appId=demo&secret=wrong")).await.is(401, REJECTED);
    let body = format!("appId=nobody&secret={}", world.secret);
    ask(world.public, post(LOGIN, FORM, body)).await.is(401, REJECTED);
}

#[tokio::test]
async fn a_stale_authorization_or_app_key_does_not_matter() {
    let world = World::new().await;
    let body = format!("appId=demo&secret={}", world.secret);
    let request = format!(
        "POST {LOGIN} HTTP/1.1\r\nHost: h\r\napp_key: other\r\nAuthorization: Bearer stale\r\n\
         content-type: {FORM}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(ask(world.public, request).await.status, 200);
}

#[tokio::test]
async fn what_is_missing_is_answered_differently_from_what_is_wrong() {
    let world = World::new().await;
    for body in ["", "appId=demo", "appId=demo&secret=", "secret=s"] {
        ask(world.public, post(LOGIN, FORM, body)).await.is(400, MISSING);
    }
    let long = format!("appId=demo&secret={}", "x".repeat(257));
    for body in ["appId=demo&secret=%00", "appId=demo&appId=demo&secret=s", &long] {
        ask(world.public, post(LOGIN, FORM, body)).await.is(400, INVALID);
    }
    ask(world.public, post(LOGIN, "text/plain", "appId=demo&secret=s")).await.is(400, INVALID);
}

#[tokio::test]
async fn a_frozen_application_hears_so_only_with_its_secret() {
    let intl = r#"{"error_code":"100449","error_desc":"The device is freezed cant operate."}"#;
    let cn =
        r#"{"error_code":"100247","error_desc":"Operation not allowed. The application has been frozen."}"#;
    for (dialect, frozen) in [(Dialect::Intl, intl), (Dialect::Cn, cn)] {
        let world = World::with(Setup { dialect, ..SETUP }).await;
        world.freeze().await;
        let body = format!("appId=demo&secret={}", world.secret);
        ask(world.public, post(LOGIN, FORM, body)).await.is(400, frozen);
        ask(world.public, post(LOGIN, FORM, "appId=demo&secret=wrong")).await.is(401, REJECTED);
    }
}
