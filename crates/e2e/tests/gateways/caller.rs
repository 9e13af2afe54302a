//! What Northgate learns of the caller: its address and its certificate, as the gateway saw them.

use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;

use crate::gateway::Kind;
use crate::gateway_stack::{CLIENT_CERTIFICATES, GatewayStack, PLAN, Plan, hear};
use crate::raw;
use crate::support::identity::Identity;
use crate::support::world::LOGIN;

const WRITTEN: &str = "Connection: close\r\nX-Forwarded-For: 203.0.113.9\r\nX-Real-IP: 203.0.113.9\r\n\
                       Forwarded: for=203.0.113.9\r\nClient-Cert: :AAAA:\r\n";

#[tokio::test]
async fn northgate_learns_the_address_that_the_gateway_saw() {
    for kind in Kind::ALL {
        let stack = GatewayStack::with(kind, Plan { is_public_recorded: true, ..PLAN }).await;
        let token = stack.token().await;
        raw::send(&stack, raw::call(&stack, "GET /iodm/x HTTP/1.1", &token, WRITTEN)).await;
        let asked = stack.relay.asked().to_ascii_lowercase();
        assert!(asked.contains("x-forwarded-for: 127.0.0.1\r\n"), "{kind:?} {asked}");
        assert!(!asked.contains("203.0.113.9") && !asked.contains(":aaaa:"), "{kind:?} {asked}");
        for path in [LOGIN, "/oauth2/token", "/.well-known/oauth-authorization-server"] {
            let line = format!("GET {path} HTTP/1.1");
            let heard = raw::send(&stack, raw::call(&stack, &line, &token, WRITTEN)).await;
            assert_eq!(heard.told("x-forwarded-for"), ["127.0.0.1"], "{kind:?} {path} {heard:?}");
            assert!(
                !heard.body.contains("203.0.113.9") && !heard.body.contains(":AAAA:"),
                "{kind:?} {heard:?}"
            );
        }
    }
}

/// All clients had the gateway's address, and one that guessed had the others wait. What it writes itself does not help it.
#[tokio::test]
async fn clients_that_guess_behind_a_gateway_are_told_apart() {
    for kind in Kind::ALL {
        let stack = GatewayStack::with(kind, Plan { failures_per_source: 2, ..PLAN }).await;
        let mut heard = Vec::new();
        for (number, last) in [2, 2, 2, 2, 3].into_iter().enumerate() {
            let request = stack.request_from(Ipv4Addr::new(127, 0, 0, last), Method::POST, LOGIN);
            let request = request.header("Content-Type", "application/x-www-form-urlencoded");
            let request = request.header("X-Forwarded-For", format!("203.0.113.{number}"));
            let request = request.header("Forwarded", format!("for=203.0.113.{number}"));
            heard.push(hear(request.body("appId=demo&secret=guess")).await.status);
        }
        assert_eq!(heard, [401, 401, 403, 403, 401], "{kind:?}");
    }
}

/// RFC 9440: the gateway passes the certificate of the connection on, and never one that the client has written.
#[tokio::test]
async fn northgate_and_the_platform_learn_the_certificate_that_the_client_has_proved() {
    for kind in Kind::ALL {
        let plan = Plan { option: Some(CLIENT_CERTIFICATES), is_public_recorded: true, ..PLAN };
        let stack = GatewayStack::with(kind, plan).await;
        let token = stack.token().await;
        for who in [Identity::ecdsa(), Identity::rsa()] {
            let proved = format!(":{}:", STANDARD.encode(who.certificate()));
            for path in ["/iodm/x", LOGIN] {
                let line = format!("GET {path} HTTP/1.1");
                // With client certificates, Caddy wants the name in Host that the connection was made to.
                let request = raw::call(&stack, &line, &token, WRITTEN).replace(&stack.host(), "localhost");
                let heard = raw::send_as(&stack, Some(&who), request).await;
                assert_eq!(heard.told("client-cert"), [&proved[..]], "{kind:?} {path} {heard:?}");
            }
            let asked = stack.relay.asked();
            assert!(
                asked.to_ascii_lowercase().contains(&format!("client-cert: {proved}").to_ascii_lowercase()),
                "{kind:?} {asked}"
            );
        }
        let request = raw::call(&stack, "GET /iodm/x HTTP/1.1", &token, WRITTEN);
        let heard = raw::send(&stack, request.replace(&stack.host(), "localhost")).await;
        assert_eq!(heard.told("client-cert").concat(), "", "{kind:?} {heard:?}");
        assert!(!stack.relay.asked().contains(":AAAA:"), "{kind:?}");
    }
}
