//! What a call meets at each of the five gateways.

use std::time::Duration;

use northgate_core::policy::Overrides;
use reqwest::Method;

use crate::gateway::Kind;
use crate::gateway_stack::{CALL, GatewayStack, Heard, PLAN, Plan, hear};
use crate::support::world::{BEGIN_S, LOGIN, SETUP};

const NOT_VERIFIED: &str = r#"{"error_code":"1010005","error_desc":"Invalid access token or appId.","resultcode":"1010005","resultmsg":"Invalid access token or appId."}"#;
const NO_APP_KEY: &str = r#"{"error_code":"100025","error_desc":"AppId for auth not exist.","resultcode":"100025","resultmsg":"AppId for auth not exist."}"#;
const THROTTLED: &str = r#"{"error_code":"1010009","error_desc":"app throttle exceed.","resultcode":"1010009","resultmsg":"app throttle exceed."}"#;

/// That the application heard this refusal of Northgate's, and the platform nothing.
#[track_caller]
fn is_refused(stack: &GatewayStack, heard: &Heard, status: u16, body: &str) {
    let kind = stack.kind;
    assert_eq!((heard.status, &heard.body[..]), (status, body), "{kind:?} {heard:?}");
    assert_eq!(heard.header("Content-Type"), Some("application/json; charset=UTF-8"), "{kind:?}");
    assert_eq!(stack.platform.calls(), 0, "{kind:?}");
}

#[tokio::test]
async fn a_good_call_arrives_and_says_whose_it_is() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        for _ in 0..2 {
            let heard = hear(stack.call(&token)).await;
            assert_eq!(heard.status, 200, "{kind:?} {heard:?}");
            assert_eq!(heard.platform()["target"], CALL, "{kind:?}");
            assert_eq!(heard.told("x-northgate-app-id"), ["demo"], "{kind:?}");
            assert_eq!(heard.told("x-northgate-scope"), ["default"], "{kind:?}");
            assert_eq!(heard.told("x-northgate-expires-at"), [(BEGIN_S + 3600).to_string()], "{kind:?}");
            assert_eq!(heard.told("app_key"), ["demo"], "{kind:?}");
        }
    }
}

#[tokio::test]
async fn a_call_passes_however_clients_write_its_headers() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        let call = || stack.request(Method::GET, "/iodm/northbound/v1.5.0/category");
        for request in [
            call().header("app_key", "demo").header("authorization", format!("bearer {token}")),
            call().header("x-app-key", "demo").header("Authorization", format!("Bearer  {token}")),
            call().header("app_key", "demo").header("access_token", &token),
        ] {
            let heard = hear(request).await;
            assert_eq!(heard.told("x-northgate-app-id"), ["demo"], "{kind:?} {heard:?}");
        }
    }
}

#[tokio::test]
async fn a_body_arrives_whole_with_its_method() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        let body = "0123456789abcdef".repeat(4096);
        let request = stack.request(Method::PUT, "/iocm/app/cmd/v1.4.0/deviceCommands").body(body.clone());
        let request = request.header("app_key", "demo").header("Authorization", format!("Bearer {token}"));
        let heard = hear(request).await;
        assert_eq!(heard.status, 200, "{kind:?} {heard:?}");
        assert_eq!(heard.platform()["method"], "PUT", "{kind:?}");
        assert!(heard.platform()["body"] == body, "{kind:?}");
        assert!(!stack.relay.asked().contains("0123456789abcdef"), "Northgate was sent the body: {kind:?}");
    }
}

#[tokio::test]
async fn a_token_that_is_not_good_is_refused_in_the_documented_words() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        is_refused(&stack, &hear(stack.call("nonsense")).await, 403, NOT_VERIFIED);
        let other = stack.request(Method::POST, CALL).header("app_key", "other").body("{}");
        let other = other.header("Authorization", format!("Bearer {token}"));
        is_refused(&stack, &hear(other).await, 403, NOT_VERIFIED);
        let nobody = stack.request(Method::GET, CALL).header("Authorization", format!("Bearer {token}"));
        is_refused(&stack, &hear(nobody).await, 401, NO_APP_KEY);
        let no_token = stack.request(Method::DELETE, CALL).header("app_key", "demo");
        is_refused(&stack, &hear(no_token).await, 403, NOT_VERIFIED);
    }
}

#[tokio::test]
async fn an_expired_token_and_a_frozen_application_are_refused_from_that_moment_on() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        stack.world.clock.advance(Duration::from_secs(3_630));
        is_refused(&stack, &hear(stack.call(&token)).await, 403, NOT_VERIFIED);
        let token = stack.token().await;
        stack.world.freeze().await;
        is_refused(&stack, &hear(stack.call(&token)).await, 403, NOT_VERIFIED);
    }
}

#[tokio::test]
async fn a_call_that_the_allow_rules_forbid_is_refused_whatever_the_client_says_it_is() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        stack.world.allow(&["GET /iocm/app/dm"]).await;
        let token = stack.token().await;
        let forbidden = stack.call_on("/iocm/app/cmd/v1.4.0/deviceCommands", &token);
        is_refused(&stack, &hear(forbidden).await, 403, NOT_VERIFIED);
        let forbidden = stack.request(Method::POST, CALL).header("app_key", "demo").body("{}");
        let forbidden = forbidden.header("Authorization", format!("Bearer {token}"));
        is_refused(&stack, &hear(forbidden).await, 403, NOT_VERIFIED);
        for (method, uri) in
            [("X-Original-Method", "X-Original-URI"), ("X-Forwarded-Method", "X-Forwarded-Uri")]
        {
            let forbidden = stack.call_on("/iocm/app/cmd", &token).header(method, "GET").header(uri, CALL);
            is_refused(&stack, &hear(forbidden).await, 403, NOT_VERIFIED);
        }
        let smuggler =
            stack.call(&token).header("X-Original-Method", "PUT").header("X-Original-URI", "/iocm");
        let heard = hear(smuggler).await;
        assert_eq!(heard.status, 200, "{kind:?} {heard:?}");
    }
}

#[tokio::test]
async fn who_calls_too_often_hears_for_how_long_to_wait() {
    for kind in Kind::ALL {
        let overrides = Overrides { calls_per_minute: Some(1), ..SETUP.overrides };
        let stack = GatewayStack::with(kind, Plan { overrides, ..PLAN }).await;
        let token = stack.token().await;
        assert_eq!(hear(stack.call(&token)).await.status, 200, "{kind:?}");
        let heard = hear(stack.call(&token)).await;
        assert_eq!((heard.status, &heard.body[..]), (403, THROTTLED), "{kind:?} {heard:?}");
        assert_eq!(heard.header("Retry-After"), Some("60"), "{kind:?} {heard:?}");
        assert_eq!(stack.platform.calls(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn logins_reach_northgate_and_nothing_else_reaches_anybody() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let login =
            stack.request(Method::POST, LOGIN).body(format!("appId=demo&secret={}", stack.world.secret));
        let login = login.header("Content-Type", "application/x-www-form-urlencoded");
        let heard = hear(login).await;
        assert_eq!(heard.status, 200, "{kind:?} {heard:?}");
        let token = heard.platform()["accessToken"].as_str().unwrap().to_owned();
        assert_eq!(hear(stack.call(&token)).await.status, 200, "{kind:?}");
        for target in [
            "/",
            "/verify",
            "/northgate/verify",
            "/admin/v1/applications",
            "/metrics",
            "/iocm",
            "/iocmx/app/dm",
        ] {
            let heard = hear(stack.call_on(target, &token)).await;
            assert_eq!(heard.status, 404, "{kind:?} {target} {heard:?}");
        }
        assert_eq!(stack.platform.calls(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_gateway_that_asks_for_the_style_of_oauth_passes_its_challenge_on() {
    for kind in Kind::ALL {
        let overrides = Overrides { calls_per_minute: Some(1), ..SETUP.overrides };
        let stack = GatewayStack::with(kind, Plan { is_style_oauth: true, overrides, ..PLAN }).await;
        stack.world.allow(&["GET /iocm/app/dm"]).await;
        let token = stack.token().await;
        for (request, status, challenge) in [
            (stack.request(Method::GET, CALL), 401, "Bearer realm=\"northgate\""),
            (stack.call("nonsense"), 401, "Bearer error=\"invalid_token\""),
            (
                stack.call_on("/iocm/app/cmd?style=platform", &token),
                403,
                "Bearer error=\"insufficient_scope\"",
            ),
        ] {
            let heard = hear(request).await;
            assert_eq!(heard.status, status, "{kind:?} {heard:?}");
            assert_eq!(heard.header("WWW-Authenticate"), Some(challenge), "{kind:?} {heard:?}");
            // nginx said one second with every 401, and twice something else with a 429.
            assert_eq!(heard.header("Retry-After"), None, "{kind:?} {heard:?}");
        }
        assert_eq!(stack.platform.calls(), 0, "{kind:?}");
        let alone = || stack.request(Method::GET, CALL).bearer_auth(&token);
        assert_eq!(hear(alone()).await.told("x-northgate-app-id"), ["demo"], "{kind:?}");
        let heard = hear(alone()).await;
        assert_eq!((heard.status, heard.header("Retry-After")), (429, Some("60")), "{kind:?} {heard:?}");
        assert!(heard.body.starts_with(r#"{"error":"too_many_requests""#), "{kind:?} {heard:?}");
    }
}

#[tokio::test]
async fn northgate_is_asked_once_for_each_call_over_connections_that_stay_open() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        for round in 0..6 {
            let (call, status) = if round % 2 == 0 { (&token[..], 200) } else { ("nonsense", 403) };
            assert_eq!(hear(stack.call(call)).await.status, status, "{kind:?}");
        }
        assert_eq!(stack.relay.asked().matches(" HTTP/1.1\r\n").count(), 6, "{kind:?}");
        // A gateway of several threads has a connection for each.
        assert!(stack.relay.connections() <= 2, "{kind:?}: {}", stack.relay.connections());
    }
}
