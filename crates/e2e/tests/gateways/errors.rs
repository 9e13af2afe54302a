//! What the gateways answer by themselves: JSON, as docs/errors.md has it.

use futures_util::future::join_all;
use reqwest::Method;

use crate::gateway::Kind;
use crate::gateway_stack::{CALL, GatewayStack, Heard, PLAN, Plan, hear};
use crate::raw;
use crate::support::world::{FORM, LOGIN};

/// That this is one of the answers in docs/errors.md, in the shape that clients of this family parse.
#[track_caller]
fn is_documented(stack: &GatewayStack, heard: &Heard, statuses: &[u16]) {
    let kind = stack.kind;
    assert!(statuses.contains(&heard.status), "{kind:?} {heard:?}");
    assert_eq!(heard.header("Content-Type"), Some("application/json; charset=UTF-8"), "{kind:?} {heard:?}");
    let body = heard.platform();
    let code = body["error_code"].as_str().unwrap_or_else(|| panic!("{kind:?} {heard:?}"));
    assert_eq!(code, format!("50{}", heard.status), "{kind:?} {heard:?}");
    assert_eq!(body["resultcode"], code, "{kind:?}");
    assert_eq!(body["resultmsg"], body["error_desc"], "{kind:?}");
    assert_eq!(body.as_object().unwrap().len(), 4, "{kind:?}");
    let documented = include_str!("../../../../docs/errors.md");
    let row = format!("| {} | {code} | {} |", heard.status, body["error_desc"].as_str().unwrap());
    assert!(documented.contains(&row), "docs/errors.md has no {row}");
    let retry = (heard.status == 503).then_some("1");
    assert_eq!(heard.header("Retry-After"), retry, "{kind:?} {heard:?}");
    assert_eq!(stack.platform.calls(), 0, "{kind:?}");
}

fn login(stack: &GatewayStack) -> reqwest::RequestBuilder {
    let form = format!("appId=demo&secret={}", stack.world.secret);
    stack.request(Method::POST, LOGIN).header("Content-Type", FORM).body(form)
}

/// Clients that parse JSON died of `<`, for the nginx file answered HTML.
#[tokio::test]
async fn a_path_that_leads_nowhere_is_answered_in_json() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        for target in [
            "/",
            "/verify",
            "/northgate/verify",
            "/northgate/error",
            "/metrics",
            "/iocm",
            "/iodm?x",
            "/iocmx/a",
        ] {
            is_documented(&stack, &hear(stack.call_on(target, &token)).await, &[404]);
        }
        is_documented(&stack, &hear(stack.request(Method::POST, "/nowhere").body("{}")).await, &[404]);
    }
}

#[tokio::test]
async fn while_northgate_is_away_every_path_is_answered_in_json_and_nothing_reaches_the_platform() {
    for kind in Kind::ALL {
        let stack = GatewayStack::with(kind, Plan { is_northgate_away: true, ..PLAN }).await;
        let token = stack.token().await;
        let call =
            stack.call(&token).header("X-Northgate-App-Id", "demo").header("X-Northgate-Expires-At", "1");
        is_documented(&stack, &hear(call).await, &[503]);
        let post = stack.request(Method::POST, CALL).header("app_key", "demo").bearer_auth(&token).body("{}");
        is_documented(&stack, &hear(post).await, &[503]);
        is_documented(&stack, &hear(login(&stack)).await, &[502, 503]);
        is_documented(&stack, &hear(stack.request(Method::GET, "/oauth2/jwks")).await, &[502, 503]);
    }
}

/// Caddy and nginx waited for the TLS handshake of a Northgate that had been halted: the former without end, the latter for a minute.
#[tokio::test]
async fn while_northgate_accepts_connections_and_says_nothing_every_path_is_answered_in_json() {
    // All at once: Traefik waits for half a minute.
    join_all(Kind::ALL.map(async |kind| {
        let stack = GatewayStack::with(kind, Plan { is_northgate_silent: true, ..PLAN }).await;
        let token = stack.token().await;
        is_documented(&stack, &hear(stack.call(&token)).await, &[503]);
        // Each over a connection of its own: on a kept one HAProxy closes without an answer, since HTTP lets the client try again.
        let rest =
            format!("HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", stack.host());
        for line in [format!("POST {LOGIN}"), "GET /oauth2/jwks".to_owned()] {
            let heard = raw::send(&stack, format!("{line} {rest}")).await;
            is_documented(&stack, &heard, &[502, 503, 504]);
        }
    }))
    .await;
}

#[tokio::test]
async fn a_platform_that_is_away_is_answered_in_json_and_not_taken_for_northgate() {
    for kind in Kind::ALL {
        let stack = GatewayStack::with(kind, Plan { is_platform_away: true, ..PLAN }).await;
        let token = stack.token().await;
        let expected = match kind {
            Kind::Nginx | Kind::Caddy | Kind::Traefik => 502,
            Kind::HAProxy | Kind::Envoy => 503,
        };
        is_documented(&stack, &hear(stack.call(&token)).await, &[expected]);
        assert_eq!(hear(login(&stack)).await.status, 200, "{kind:?}");
        assert_eq!(hear(stack.call("nonsense")).await.status, 403, "{kind:?}");
    }
}

#[tokio::test]
async fn a_platform_that_hangs_is_answered_in_json() {
    for kind in Kind::ALL {
        let stack = GatewayStack::with(kind, Plan { is_impatient: true, ..PLAN }).await;
        let token = stack.token().await;
        let heard = hear(stack.call_on("/iodm/hanging", &token)).await;
        assert_eq!(stack.platform.calls(), 1, "{kind:?}");
        let untouched = GatewayStack::new(kind);
        // The platform did hear of this one.
        is_documented(&untouched.await, &heard, &[504]);
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_for_what_it_is() {
    for kind in [Kind::Nginx, Kind::Envoy] {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        let lines = format!("Connection: close\r\nX-Large: {}\r\n", "l".repeat(200 * 1024));
        let heard = raw::send(&stack, raw::call(&stack, "GET /iodm/x HTTP/1.1", &token, &lines)).await;
        is_documented(&stack, &heard, &[431]);
    }
}

/// Northgate's HTTP parser refuses without a body, and such answers went through to clients that parse JSON: a token of 40 KB, 130 headers
/// of a login, an invalid `Host` (nginx), and quotes in a query (Envoy). 90 headers of a call became 500 at Envoy, 130 HTML at HAProxy.
#[tokio::test]
async fn what_northgates_parser_refuses_is_answered_in_json() {
    let many = |count: usize| (0..count).map(|n| format!("X-{n}: a\r\n")).collect::<String>();
    let close = "Connection: close\r\n";
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        let long = raw::call(&stack, "GET /iodm/x HTTP/1.1", &"t".repeat(40 * 1024), close);
        is_documented(&stack, &raw::send(&stack, long).await, &[431]);

        let lines = format!("Content-Type: {FORM}\r\nContent-Length: 0\r\n{}{close}", many(130));
        let login = format!("POST {LOGIN} HTTP/1.1\r\nHost: {}\r\n{lines}\r\n", stack.host());
        let heard = raw::send(&stack, login).await;
        // nginx hands Northgate none of them.
        if kind != Kind::Nginx {
            is_documented(&stack, &heard, &[431]);
        }
        assert!(heard.status < 500 && heard.platform()["error_code"].is_string(), "{kind:?} {heard:?}");

        let host =
            format!("GET /iodm/x HTTP/1.1\r\nHost: a;b\r\nAuthorization: Bearer {token}\r\n{close}\r\n");
        let heard = raw::send(&stack, host).await;
        assert!(heard.platform()["error_code"].is_string(), "{kind:?} {heard:?}");

        // Envoy put this behind /verify. The platform of the tests cannot read it either.
        let call = raw::call(&stack, "GET /iodm/x?a=\"b\"&c=<d> HTTP/1.1", "nonsense", close);
        let heard = raw::send(&stack, call).await;
        let code = heard.platform()["error_code"].clone();
        assert_eq!((heard.status, code.as_str()), (403, Some("1010005")), "{kind:?} {heard:?}");

        // The platform of the tests takes 100, and the gateway adds some.
        for count in [80, 90, 130] {
            let lines = format!("{}{close}", many(count));
            let heard = raw::send(&stack, raw::call(&stack, "GET /iodm/x HTTP/1.1", &token, &lines)).await;
            assert!([200, 431].contains(&heard.status), "{kind:?} {count} {heard:?}");
        }
    }
}

/// Envoy answered 403 without a body.
#[tokio::test]
async fn an_upgrade_to_another_protocol_is_a_call_like_others_or_refused_in_json() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        let request = stack.call(&token).header("Connection", "Upgrade").header("Upgrade", "TLS/1.0");
        let heard = hear(request).await;
        match kind {
            Kind::Envoy => is_documented(&stack, &heard, &[501]),
            Kind::Nginx | Kind::Caddy | Kind::HAProxy | Kind::Traefik => {
                assert_eq!((heard.status, heard.told("upgrade").len()), (200, 0), "{kind:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_error_of_the_platform_stays_as_the_platform_wrote_it() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        let heard = hear(stack.call_on("/iocm/app/dm/broken", &token)).await;
        assert_eq!(heard.status, 502, "{kind:?} {heard:?}");
        assert_eq!(heard.told("x-northgate-app-id"), ["demo"], "{kind:?}");
    }
}
