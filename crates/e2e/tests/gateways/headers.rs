//! Headers that say who calls come from Northgate and from the gateway, and never from a client.

use northgate_server::http::gateway::{GatewayHeader, Source};

use crate::gateway::Kind;
use crate::gateway_stack::{GatewayStack, Heard, hear};
use crate::raw;
use crate::support::world::BEGIN_S;

const SMUGGLED: &str = "smuggled";

/// Headers that a client has no right to write.
fn forbidden() -> impl Iterator<Item = GatewayHeader> {
    GatewayHeader::ALL.into_iter().filter(|header| header.source() != Source::Client)
}

/// The variable that CGI, WSGI and PHP derive from a name.
fn cgi(name: &str) -> String {
    let variable = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    name.chars().map(variable).collect()
}

/// Every spelling that becomes the same variable, for the signs that clients are known to try.
fn spellings(name: &str) -> Vec<String> {
    let mut words = name.split(['-', '_']);
    let mut all = vec![words.next().unwrap().to_owned()];
    for word in words {
        all =
            all.iter().flat_map(|begin| ["-", "_", "."].map(|sign| format!("{begin}{sign}{word}"))).collect();
    }
    all.push(name.to_ascii_uppercase());
    all.push(name.replace(['-', '_'], "~"));
    all
}

/// What arrived at the platform under any spelling of this header.
fn arrived(heard: &Heard, header: GatewayHeader) -> Vec<String> {
    let heard = heard.platform();
    let lines = heard["headers"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    lines.filter(|line| cgi(&text(&line[0])) == cgi(header.name())).map(|line| text(&line[1])).collect()
}

/// That the platform was told who calls, once, by Northgate and the gateway.
#[track_caller]
fn says_who_calls(kind: Kind, heard: &Heard, tried: &str) {
    assert_eq!(heard.status, 200, "{kind:?} {tried} {heard:?}");
    assert!(!heard.body.contains(SMUGGLED), "{kind:?} {tried} {heard:?}");
    for (header, value) in [
        (GatewayHeader::XNorthgateAppId, "demo"),
        (GatewayHeader::XNorthgateScope, "default"),
        (GatewayHeader::XNorthgateExpiresAt, &(BEGIN_S + 3600).to_string()),
        (GatewayHeader::XForwardedFor, "127.0.0.1"),
        (GatewayHeader::XRealIp, "127.0.0.1"),
        (GatewayHeader::XForwardedProto, "https"),
    ] {
        assert_eq!(arrived(heard, header), [value], "{kind:?} {tried} {header:?}");
    }
    for header in forbidden() {
        assert!(arrived(heard, header).len() <= 1, "{kind:?} {tried} {header:?} {heard:?}");
    }
    let forwarded = arrived(heard, GatewayHeader::Forwarded).remove(0);
    let node = forwarded.strip_prefix("for=").unwrap().trim_start_matches('"');
    assert!(node.starts_with("127.0.0.1"), "{kind:?} {tried} {forwarded}");
    for header in [GatewayHeader::ClientCert, GatewayHeader::XClientCertThumbprint] {
        assert!(arrived(heard, header).concat().is_empty(), "{kind:?} {tried} {header:?}");
    }
}

/// A thief wrote `X-Client-Cert-Thumbprint` itself; `X.Northgate.App.Id` and `X-Northgate_App-Id` reached the platform, which read
/// our header in them; a client's `X-Forwarded-Host` reached `/verify`.
#[tokio::test]
async fn no_spelling_of_a_header_that_says_who_calls_comes_from_a_client() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        for header in forbidden() {
            let spelled = spellings(header.name());
            let once: String = spelled.iter().map(|name| format!("{name}: {SMUGGLED}\r\n")).collect();
            let exact = header.name();
            let twice =
                format!("{exact}: {SMUGGLED}\r\n{}{exact}: {SMUGGLED}\r\n", once.replace(SMUGGLED, ""));
            for lines in [&once, &twice] {
                for (version, close) in [("1.1", "Connection: close\r\n"), ("1.0", "")] {
                    let line = format!("GET /iodm/x HTTP/{version}");
                    let heard =
                        raw::send(&stack, raw::call(&stack, &line, &token, &(close.to_owned() + lines)))
                            .await;
                    says_who_calls(kind, &heard, &format!("{line} {exact}"));
                }
            }
            if kind.speaks_h2() {
                let url = format!("https://{}/iodm/x", stack.host());
                let mut request = stack.http2.get(url).header("app_key", "demo").bearer_auth(&token);
                for name in &spelled {
                    request = request.header(name, SMUGGLED).header(name, "");
                }
                says_who_calls(kind, &hear(request).await, &format!("h2 {exact}"));
            }
        }
        assert!(!stack.relay.asked().contains(SMUGGLED), "{kind:?} hands Northgate what a client wrote");
    }
}

/// `Connection: close, X-Northgate-App-Id` made Caddy strip the identity after it had set it.
#[tokio::test]
async fn a_header_that_a_client_names_in_connection_arrives_or_the_call_is_refused() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        for header in forbidden() {
            let (name, upper) = (header.name(), header.name().to_ascii_uppercase());
            for lines in [
                format!("Connection: close, {name}\r\n"),
                format!("Connection: {upper} , close\r\n{name}: {SMUGGLED}\r\n"),
                format!("Connection: close\r\nConnection: {name}\r\n"),
                format!("Connection: close\r\nKeep-Alive: {name}\r\nTE: trailers, {name}\r\n"),
            ] {
                let heard =
                    raw::send(&stack, raw::call(&stack, "GET /iodm/x HTTP/1.1", &token, &lines)).await;
                if heard.status == 200 {
                    says_who_calls(kind, &heard, &lines);
                } else {
                    assert_eq!(heard.status, 400, "{kind:?} {lines} {heard:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_trailer_becomes_no_header() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        let names = forbidden().map(GatewayHeader::name);
        let trailers: String = names.map(|name| format!("{name}: {SMUGGLED}\r\n")).collect();
        let lines = "Connection: close\r\nTransfer-Encoding: chunked\r\nTrailer: X-Northgate-App-Id\r\n";
        let request = raw::call(&stack, "POST /iodm/x HTTP/1.1", &token, lines);
        let heard = raw::send(&stack, format!("{request}3\r\nabc\r\n0\r\n{trailers}\r\n")).await;
        says_who_calls(kind, &heard, "trailers");
        assert_eq!(heard.platform()["body"], "abc", "{kind:?}");
    }
}

/// nginx judged the first of two, and the platform got both.
#[tokio::test]
async fn the_credentials_that_arrive_are_those_that_were_judged() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        let others = ["app_key", "App-Key", "APP_KEY", "App.Key", "x-app-key", "X_App_Key", "x_app-key"];
        let others = others.map(|name| format!("{name}: {SMUGGLED}\r\n"));
        let tokens = ["Authorization", "access_token", "Access-Token"];
        for other in others.into_iter().chain(tokens.map(|name| format!("{name}: Bearer {SMUGGLED}\r\n"))) {
            for lines in [format!("Connection: close\r\n{other}"), format!("{other}Connection: close\r\n")] {
                let request = raw::call(&stack, "GET /iodm/x HTTP/1.1", &token, &lines);
                let first = request.replacen("app_key: demo\r\n", &format!("{other}app_key: demo\r\n"), 1);
                for request in [request, first] {
                    let heard = raw::send(&stack, request).await;
                    if heard.status != 200 {
                        continue;
                    }
                    // No server heeds `access_token` beside `Authorization`.
                    let heeded = arrived(&heard, GatewayHeader::AppKey);
                    assert_eq!(heeded, ["demo"], "{kind:?} {other}");
                    let also = arrived(&heard, GatewayHeader::XAppKey);
                    assert!(also.iter().all(|id| id == "demo"), "{kind:?} {other} {also:?}");
                    let shown = arrived(&heard, GatewayHeader::Authorization);
                    assert_eq!(shown, [format!("Bearer {token}")], "{kind:?} {other}");
                }
            }
        }
    }
}

/// The subrequest of nginx and Caddy took all headers along: 20 KB of cookies were answered with 503 and 431.
#[tokio::test]
async fn northgate_is_handed_what_it_reads_and_a_large_call_passes() {
    for kind in Kind::ALL {
        let stack = GatewayStack::new(kind).await;
        let token = stack.token().await;
        let large: String = (0..20).map(|n| format!("X-Unrelated-{n}: {}\r\n", "u".repeat(1000))).collect();
        for lines in [&large, &format!("Cookie: {}\r\n", "u".repeat(7000)).repeat(3)] {
            let lines = format!("Connection: close\r\n{lines}");
            let heard = raw::send(&stack, raw::call(&stack, "GET /iodm/x HTTP/1.1", &token, &lines)).await;
            says_who_calls(kind, &heard, "20 KB");
            assert!(heard.body.matches('u').count() >= 20_000, "{kind:?}");
        }
        assert!(!stack.relay.asked().contains("uuu"), "{kind:?} hands Northgate unrelated headers");
    }
}
