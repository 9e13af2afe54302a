//! Verify, as gateways ask.

use std::time::Duration;

use crate::socket::{Socket, ask};
use crate::world::*;

const NOT_VERIFIED: &str = r#"{"error_code":"1010005","error_desc":"Invalid access token or appId.","resultcode":"1010005","resultmsg":"Invalid access token or appId."}"#;
const NO_APP_KEY: &str = r#"{"error_code":"100025","error_desc":"AppId for auth not exist.","resultcode":"100025","resultmsg":"AppId for auth not exist."}"#;

fn call(headers: &str) -> String {
    format!("GET /verify HTTP/1.1\r\nHost: h\r\n{headers}\r\n\r\n")
}

#[tokio::test]
async fn a_good_token_passes_with_what_the_platform_needs_to_know() {
    let world = World::new().await;
    let answer = world.verify(&world.login().await.member("accessToken")).await;
    answer.is(200, "");
    assert_eq!(answer.header("Content-Length"), Some("0"));
    assert_eq!(answer.header("X-Northgate-App-Id"), Some("demo"));
    assert_eq!(answer.header("X-Northgate-Scope"), Some("default"));
    assert_eq!(answer.header("X-Northgate-Expires-At"), Some(&(BEGIN_S + 3600).to_string()[..]));
}

#[tokio::test]
async fn calls_pass_however_clients_write_their_headers() {
    let world = World::new().await;
    let token = world.login().await.member("accessToken");
    for headers in [
        format!("app_key: demo\r\nAuthorization: Bearer {token}"),
        format!("APP_KEY: demo\r\nauthorization: bearer {token}"),
        format!("x-app-key: demo\r\nAuthorization: Bearer  {token}"),
        format!("app_key:demo\r\naccess_token:{token}"),
    ] {
        ask(world.private, call(&headers)).await.is(200, "");
    }
}

#[tokio::test]
async fn any_method_and_any_path_behind_is_a_question() {
    let world = World::new().await;
    let token = world.login().await.member("accessToken");
    let headers = format!("Host: h\r\napp_key: demo\r\nAuthorization: Bearer {token}\r\n");
    let mut socket = Socket::open(world.private).await;
    for target in ["POST /verify", "DELETE /verify/", "PUT /verify/iocm/app/dm/v1.1.0/devices/1?appId=owner"]
    {
        socket.send(format!("{target} HTTP/1.1\r\n{headers}Content-Length: 2\r\n\r\n{{}}")).await;
        socket.answer().await.is(200, "");
    }
}

#[tokio::test]
async fn a_token_that_is_not_good_does_not_pass() {
    let world = World::new().await;
    let login = world.login().await;
    let token = login.member("accessToken");
    world.verify("nonsense").await.is(403, NOT_VERIFIED);
    world.verify(&login.member("refreshToken")).await.is(403, NOT_VERIFIED);
    for headers in [
        format!("app_key: other\r\nAuthorization: Bearer {token}"),
        format!("app_key: {}\r\nAuthorization: Bearer {token}", "x".repeat(257)),
        format!("app_key: demo\r\nAuthorization: Basic {token}"),
        "app_key: demo".to_owned(),
    ] {
        ask(world.private, call(&headers)).await.is(403, NOT_VERIFIED);
    }
    world.freeze().await;
    world.verify(&token).await.is(403, NOT_VERIFIED);
}

#[tokio::test]
async fn a_call_without_an_app_key_hears_so() {
    let world = World::new().await;
    let token = world.login().await.member("accessToken");
    for headers in [format!("Authorization: Bearer {token}"), format!("app_key: \r\naccess_token: {token}")] {
        ask(world.private, call(&headers)).await.is(401, NO_APP_KEY);
    }
}

#[tokio::test]
async fn a_token_passes_until_its_end_and_the_leeway() {
    let world = World::new().await;
    let token = world.login().await.member("accessToken");
    world.clock.advance(Duration::from_millis(3_629_999));
    world.verify(&token).await.is(200, "");
    world.clock.advance(Duration::from_millis(1));
    world.verify(&token).await.is(403, NOT_VERIFIED);
}

// nginx repeats the call's Content-Length in its question and sends no body, unless it is told not to. Waiting for one
// would let every such call hang.
#[tokio::test]
async fn a_body_that_is_announced_is_not_waited_for() {
    let world = World::new().await;
    let token = world.login().await.member("accessToken");
    let headers = format!("app_key: demo\r\nAuthorization: Bearer {token}\r\nContent-Length: 1000");
    ask(world.private, call(&headers)).await.is(200, "");
}
