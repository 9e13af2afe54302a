//! Verify in the style of RFC 6750, for gateways that ask for it.

use std::time::Duration;

use northgate_core::policy::Overrides;

use crate::support::socket::{Answer, ask};
use crate::support::world::*;

async fn call(world: &World, headers: &str) -> Answer {
    ask(world.private, format!("GET /verify?style=oauth HTTP/1.1\r\nHost: h\r\n{headers}\r\n")).await
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

#[track_caller]
fn is_refused(answer: &Answer, status: u16, error: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    let challenge = format!("Bearer error=\"{error}\"");
    assert_eq!(answer.header("WWW-Authenticate"), Some(&challenge[..]));
    assert_eq!(answer.header("Content-Type"), Some("application/json; charset=UTF-8"));
    assert_eq!(answer.header("X-Northgate-Refusal"), Some(&answer.body[..]));
    assert_eq!(answer.member("error"), error);
    assert!(!answer.member("error_description").is_empty());
}

/// RFC 6750 §2.1: "Resource servers MUST support this method", the header `Authorization`.
#[tokio::test]
async fn a_good_token_passes_with_or_without_its_app_key() {
    let world = World::new().await;
    let token = world.login().await.member("accessToken");
    for app_key in ["", "app_key: demo\r\n", "x-app-key: demo\r\n"] {
        let answer = call(&world, &format!("{}{app_key}", bearer(&token))).await;
        answer.is(200, "");
        assert_eq!(answer.header("X-Northgate-App-Id"), Some("demo"));
    }
}

/// RFC 6750 §3: "If the protected resource request does not include authentication credentials […] the resource server MUST
/// include the HTTP "WWW-Authenticate" response header field", and "This scheme MUST be followed by one or more auth-param
/// values". Once there was the scheme and nothing else. §3.1: no error code where there were no credentials.
#[tokio::test]
async fn who_presents_no_token_is_invited_to_and_hears_of_no_error() {
    let world = World::new().await;
    for headers in ["", "app_key: demo\r\n", "Authorization: Basic ZGVtbzp4\r\n"] {
        let answer = call(&world, headers).await;
        answer.is(401, "");
        assert_eq!(answer.header("WWW-Authenticate"), Some("Bearer realm=\"northgate\""));
    }
}

/// RFC 6750 §3.1: `invalid_token`: "expired, revoked, malformed, or invalid for other reasons", 401.
#[tokio::test]
async fn a_token_that_is_not_good_is_invalid() {
    let world = World::new().await;
    let login = world.login().await;
    let token = login.member("accessToken");
    is_refused(&call(&world, &bearer("nonsense")).await, 401, "invalid_token");
    is_refused(&call(&world, &bearer(&login.member("refreshToken"))).await, 401, "invalid_token");
    is_refused(&call(&world, &format!("app_key: other\r\n{}", bearer(&token))).await, 401, "invalid_token");
    world.clock.advance(Duration::from_secs(3_630));
    is_refused(&call(&world, &bearer(&token)).await, 401, "invalid_token");
    let token = world.login().await.member("accessToken");
    world.freeze().await;
    is_refused(&call(&world, &bearer(&token)).await, 401, "invalid_token");
}

/// RFC 6750 §2: "Clients MUST NOT use more than one method to transmit the token"; §3.1: `invalid_request`, 400.
#[tokio::test]
async fn two_tokens_or_two_applications_are_no_request() {
    let world = World::new().await;
    let token = world.login().await.member("accessToken");
    for headers in [
        format!("{}{}", bearer(&token), bearer(&token)),
        format!("{}app_key: demo\r\nx-app-key: other\r\n", bearer(&token)),
    ] {
        is_refused(&call(&world, &headers).await, 400, "invalid_request");
    }
}

/// RFC 6750 §3.1: `insufficient_scope`, 403.
#[tokio::test]
async fn a_call_that_the_allow_rules_forbid_is_beyond_the_scope() {
    let world = World::new().await;
    world.allow(&["GET /iocm/app/dm"]).await;
    let token = world.login().await.member("accessToken");
    let told = |uri| format!("{}X-Original-Method: GET\r\nX-Original-URI: {uri}\r\n", bearer(&token));
    call(&world, &told("/iocm/app/dm/x")).await.is(200, "");
    is_refused(&call(&world, &told("/iocm/app/cmd")).await, 403, "insufficient_scope");
}

#[tokio::test]
async fn who_calls_too_often_hears_for_how_long_to_wait() {
    let overrides = Overrides { calls_per_minute: Some(2), ..SETUP.overrides };
    let world = World::with(Setup { overrides, ..SETUP }).await;
    let token = world.login().await.member("accessToken");
    for _ in 0..2 {
        call(&world, &bearer(&token)).await.is(200, "");
    }
    let answer = call(&world, &bearer(&token)).await;
    assert_eq!((answer.status, answer.header("Retry-After")), (429, Some("30")), "{answer:?}");
    assert_eq!(answer.member("error"), "too_many_requests");
}

#[tokio::test]
async fn a_style_that_there_is_not_is_said_to_be_the_gateways_mistake() {
    let world = World::new().await;
    let token = world.login().await.member("accessToken");
    for query in ["style=", "style=OAuth", "style=oauth2", "style=platform&style=oauth"] {
        let headers = format!("Host: h\r\napp_key: demo\r\n{}", bearer(&token));
        let answer = ask(world.private, format!("GET /verify?{query} HTTP/1.1\r\n{headers}\r\n")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.member("error_description").contains("platform or oauth"), "{}", answer.body);
    }
}
