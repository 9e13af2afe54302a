//! Clients of other kinds: WebSocket, HTTP/1.0, and pages in browsers.

use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::gateway::Kind;
use crate::gateway_stack::{CALL, CORS, GatewayStack, PLAN, Plan, hear};
use crate::raw;

/// RFC 6455 §1.3.
const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// nginx and Envoy passed no upgrade on.
#[tokio::test]
async fn a_websocket_reaches_the_platform_with_a_good_token_only() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        let mut stream = raw::connect(&stack, None).await;
        let request = raw::call(&stack, "GET /iodm/socket HTTP/1.1", &token, UPGRADE);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(
                stream
                    .read_u8()
                    .await
                    .unwrap_or_else(|_| panic!("{kind:?} {}", String::from_utf8_lossy(&head))),
            );
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{kind:?} {}", String::from_utf8_lossy(&head));
        stream.write_all(b"hello").await.unwrap();
        let mut back = [0; 5];
        stream.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"hello", "{kind:?}");
        let refused = UPGRADE.replace("Connection: Upgrade", "Connection: close, Upgrade");
        let refused = raw::call(&stack, "GET /iodm/socket HTTP/1.1", "nonsense", &refused);
        assert_eq!(raw::send(&stack, refused).await.status, 403, "{kind:?}");
        assert_eq!(stack.platform.calls(), 1, "{kind:?}");
    }
}

/// A tunnel of another protocol carries calls that Northgate never verifies.
#[tokio::test]
async fn no_other_protocol_is_upgraded_to() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        let lines =
            "Connection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n";
        let heard = raw::send(&stack, raw::call(&stack, "GET /iodm/x HTTP/1.1", &token, lines)).await;
        // HAProxy, Envoy and nginx answer the call as if it had not asked.
        assert_eq!(heard.status, 200, "{kind:?} {heard:?}");
        assert_eq!(heard.told("upgrade"), [""; 0], "{kind:?}");
    }
}

#[tokio::test]
async fn a_client_of_http_1_0_is_served_with_and_without_host() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        let call = raw::call(&stack, "GET /iodm/x HTTP/1.0", &token, "");
        let without = call.replace(&format!("Host: {}\r\n", stack.host()), "");
        for request in [call, without] {
            let heard = raw::send(&stack, &request).await;
            assert_eq!(heard.told("x-northgate-app-id"), ["demo"], "{kind:?} {heard:?}");
        }
    }
}

fn preflight(stack: &GatewayStack) -> reqwest::RequestBuilder {
    let request = stack.request(Method::OPTIONS, CALL).header("Origin", "https://app.example.com");
    request
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "app_key,authorization")
}

/// A browser sends no credentials with a preflight, so that it is refused unless the gateway answers it.
#[tokio::test]
async fn a_preflight_is_answered_by_the_gateway_once_the_lines_for_it_are_in() {
    for kind in Kind::ALL {
        let stack = GatewayStack::with(kind, Plan { option: Some(CORS), ..PLAN }).await;
        let token = stack.token().await;
        let heard = hear(preflight(&stack)).await;
        assert!([200, 204].contains(&heard.status), "{kind:?} {heard:?}");
        let origin = "Access-Control-Allow-Origin";
        assert_eq!(heard.header(origin), Some("https://app.example.com"), "{kind:?} {heard:?}");
        for (name, word) in
            [("Access-Control-Allow-Methods", "POST"), ("Access-Control-Allow-Headers", "app_key")]
        {
            let allowed = heard.header(name).unwrap_or_default();
            assert!(allowed.split(',').any(|one| one.trim() == word), "{kind:?} {name} {heard:?}");
        }
        assert_eq!(stack.platform.calls(), 0, "{kind:?}");
        assert!(!stack.relay.asked().contains("OPTIONS"), "{kind:?}");
        for (token, status) in [(&token[..], 200), ("nonsense", 403)] {
            let heard = hear(stack.call(token).header("Origin", "https://app.example.com")).await;
            assert_eq!(heard.status, status, "{kind:?} {heard:?}");
            assert_eq!(heard.header(origin), Some("https://app.example.com"), "{kind:?} {heard:?}");
        }
        // OPTIONS that is not a preflight is a call like others.
        let heard = hear(stack.request(Method::OPTIONS, CALL)).await;
        assert_eq!(heard.status, 401, "{kind:?} {heard:?}");
    }
}

#[tokio::test]
async fn without_those_lines_a_preflight_is_a_call_without_credentials() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        assert_eq!(hear(preflight(&stack)).await.status, 401, "{kind:?}");
        assert_eq!(stack.platform.calls(), 0, "{kind:?}");
    }
}
