//! Verify, as gateways ask.

use std::time::Duration;

use crate::support::socket::{Socket, ask};
use crate::support::world::*;

const NOT_VERIFIED: &str = r#"{"error_code":"1010005","error_desc":"Invalid access token or appId.","resultcode":"1010005","resultmsg":"Invalid access token or appId."}"#;
const NO_APP_KEY: &str = r#"{"error_code":"100025","error_desc":"AppId for auth not exist.","resultcode":"100025","resultmsg":"AppId for auth not exist."}"#;

const BAD_CALL: &str = r#"{"error_code":"50400","error_desc":"The input is invalid.","resultcode":"50400","resultmsg":"The input is invalid."}"#;

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

// nginx repeats the call's Content-Length in its question and sends no body, unless configured otherwise. Waiting for one
// would let every such call hang.
#[tokio::test]
async fn a_body_that_is_announced_is_not_waited_for() {
    let world = World::new().await;
    let token = world.login().await.member("accessToken");
    let headers = format!("app_key: demo\r\nAuthorization: Bearer {token}\r\nContent-Length: 1000");
    ask(world.private, call(&headers)).await.is(200, "");
}

#[tokio::test]
async fn freezing_and_logging_out_hold_for_the_next_call() {
    let world = World::new().await;
    let (first, second) =
        (world.login().await.member("accessToken"), world.login().await.member("accessToken"));
    world.verify(&first).await.is(200, "");
    world.logout(&first).await.is(204, "");
    world.verify(&first).await.is(403, NOT_VERIFIED);
    world.verify(&second).await.is(200, "");
    world.freeze().await;
    world.verify(&second).await.is(403, NOT_VERIFIED);
}

// nginx reads of the answer to its question only the head, and has to tell the client the body.
#[tokio::test]
async fn a_refusal_has_its_body_in_a_header_too() {
    let world = World::new().await;
    let answer = world.verify("nonsense").await;
    assert_eq!(answer.header("X-Northgate-Refusal"), Some(NOT_VERIFIED));
    let token = world.login().await.member("accessToken");
    assert_eq!(world.verify(&token).await.header("X-Northgate-Refusal"), None);
}

/// The call `GET /iocm/app/dm/x?appId=owner` as nginx or HAProxy, Traefik or Caddy, and Envoy ask about it.
fn asked_by_gateways(token: &str) -> [String; 4] {
    asked_about(token, "/iocm/app/dm/x?appId=owner")
}

/// The call `GET uri` as each of them asks about it.
fn asked_about(token: &str, uri: &str) -> [String; 4] {
    let question = |target: &str, told: &str| {
        let credentials = format!("app_key: demo\r\nAuthorization: Bearer {token}");
        format!("GET {target} HTTP/1.1\r\nHost: h\r\n{credentials}{told}\r\n\r\n")
    };
    let method = "GET";
    [
        question("/verify", &format!("\r\nX-Original-Method: {method}\r\nX-Original-URI: {uri}")),
        question("/verify", &format!("\r\nX-Forwarded-Method: {method}\r\nX-Forwarded-Uri: {uri}")),
        question(&format!("/verify{uri}"), ""),
        question(&format!("/verify?style=platform&uri={uri}"), ""),
    ]
}

#[tokio::test]
async fn an_allow_rule_holds_however_the_gateway_says_which_call_it_is() {
    let world = World::new().await;
    let token = world.login().await.member("accessToken");
    for (rule, status, body) in [
        ("GET /iocm/app/dm", 200, ""),
        ("GET /iocm/app/cmd", 403, NOT_VERIFIED),
        ("POST /iocm/app/dm", 403, NOT_VERIFIED),
    ] {
        world.allow(&[rule]).await;
        for question in asked_by_gateways(&token) {
            ask(world.private, question).await.is(status, body);
        }
    }
    world.allow(&["* /"]).await;
    world.verify(&token).await.is(403, NOT_VERIFIED);
}

/// `/iodm/../admin` reached the platform for every application without allow rules, which is the default.
#[tokio::test]
async fn an_ambiguous_path_is_refused_for_every_application_however_the_gateway_names_the_call() {
    let world = World::new().await;
    let token = world.login().await.member("accessToken");
    for rules in [&[][..], &["* /"]] {
        world.allow(rules).await;
        for target in
            ["/iodm/../admin", "/iodm/..;/manager", "/iodm/%252e%252e/x?q", "/iodm//x", "/iodm/%5c..%5cx"]
        {
            for question in asked_about(&token, target) {
                ask(world.private, question).await.is(400, BAD_CALL);
            }
        }
        for question in asked_about(&token, "/iodm/caf%C3%A9%20x/...?x=/../;%2e//") {
            ask(world.private, question).await.is(200, "");
        }
    }
    let answer =
        ask(world.private, "GET /verify?style=oauth&uri=/iodm/../x HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert_eq!((answer.status, &answer.member("error")[..]), (400, "invalid_request"));
    assert_eq!(answer.header("WWW-Authenticate"), Some("Bearer error=\"invalid_request\""));
    assert_eq!(answer.header("X-Northgate-Refusal"), Some(&answer.body[..]));
}

/// A client that wrote the headers of another gateway made the call unknown, and an unknown call has no path to judge.
#[tokio::test]
async fn a_question_that_names_two_calls_or_half_of_one_is_refused() {
    let world = World::new().await;
    let token = world.login().await.member("accessToken");
    let [nginx, ..] = asked_by_gateways(&token);
    for lines in [
        "X-Forwarded-Method: GET\r\nX-Forwarded-Uri: /other\r\n",
        "X-Forwarded-Uri: /iocm/app/dm/x?appId=owner\r\n",
        "X-Original-URI: /iocm/app/dm/x?appId=owner\r\n",
        "X-Forwarded-Method: GET\r\nX-Forwarded-Uri: /\u{e9}\r\n",
    ] {
        let question = nginx.replace("\r\n\r\n", &format!("\r\n{lines}\r\n"));
        ask(world.private, question).await.is(400, BAD_CALL);
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_token_weighs_more_than_the_allow_rules() {
    let world = World::new().await;
    world.allow(&["* /iocm/app/dm"]).await;
    let token = world.login().await.member("accessToken");
    world.freeze().await;
    let outcome = "northgate_operations_total{operation=\"verify\",outcome=\"frozen\"} 1\n";
    world.verify(&token).await.is(403, NOT_VERIFIED);
    let metrics = ask(world.private, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n").await;
    assert!(metrics.body.contains(outcome), "{}", metrics.body);
}
