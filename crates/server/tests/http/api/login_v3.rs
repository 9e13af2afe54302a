//! The login of version 3.

use northgate_server::config::api::V3Login;

use crate::support::socket::{ask, post};
use crate::support::world::*;

const V3: &str = "/api/v3.0/auth/tokens";
const NOT_EXISTED: &str = r#"{"error_code":"100203","error_desc":"The application is not existed."}"#;
const USER_FROZEN: &str = r#"{"error_code":"102833","error_desc":"The user is freezed cant operate."}"#;

async fn world(v3_login: V3Login) -> World {
    World::with(Setup { v3_login, prefix: "/cvmp", ..SETUP }).await
}

fn login(key: &str, secret: &str) -> Vec<u8> {
    post(V3, JSON, format!(r#"{{"key":"{key}","secret":"{secret}"}}"#))
}

#[tokio::test]
async fn unless_it_is_asked_for_there_is_no_version_3() {
    let world = world(V3Login::Off).await;
    assert_eq!(ask(world.public, login("demo", &world.secret)).await.status, 404);
}

#[tokio::test]
async fn its_pair_is_that_of_any_login_and_is_refreshed_by_version_1() {
    let world = world(V3Login::On).await;
    for path in [V3, "/cvmp/api/v3.0/auth/tokens"] {
        let body = format!(r#"{{"key":"demo","secret":"{}"}}"#, world.secret);
        let answer = ask(world.public, post(path, JSON, body)).await;
        let (access, refresh) = (answer.member("accessToken"), answer.member("refreshToken"));
        let expected = format!(
            r#"{{"accessToken":"{access}","tokenType":"Bearer","refreshToken":"{refresh}","expiresIn":3600,"scope":"default"}}"#
        );
        answer.is(200, &expected);
        assert_eq!(world.refresh(&refresh).await.status, 200);
    }
}

#[tokio::test]
async fn an_unknown_key_is_told_from_a_wrong_secret_unless_it_is_to_be_concealed() {
    for (v3_login, status, unknown) in [(V3Login::On, 200, NOT_EXISTED), (V3Login::Concealing, 401, REJECTED)]
    {
        let world = world(v3_login).await;
        ask(world.public, login("nobody", &world.secret)).await.is(status, unknown);
        ask(world.public, login("demo", "wrong")).await.is(401, REJECTED);
    }
}

#[tokio::test]
async fn a_frozen_user_hears_so_only_with_the_secret() {
    let world = world(V3Login::On).await;
    world.freeze().await;
    ask(world.public, login("demo", &world.secret)).await.is(400, USER_FROZEN);
    ask(world.public, login("demo", "wrong")).await.is(401, REJECTED);
}

#[tokio::test]
async fn input_is_refused_as_by_version_1() {
    let world = world(V3Login::On).await;
    let long = format!(r#"{{"key":"demo","secret":"{}"}}"#, "x".repeat(257));
    for (body, expected) in
        [("{}", MISSING), (r#"{"key":"demo","secret":""}"#, MISSING), ("{", INVALID), (&long, INVALID)]
    {
        ask(world.public, post(V3, JSON, body)).await.is(400, expected);
    }
}
