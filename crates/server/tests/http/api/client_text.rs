//! Texts of clients and the log: whatever a client sends, and wherever it puts it, no line shows it.

use crate::support::page::Page;
use crate::support::socket::{Socket, ask, post};
use crate::support::world::*;

/// Every endpoint of both listeners that a client or a gateway can reach without the admin token, and a path without an endpoint.
const PUBLIC: [(&str, &str); 10] = [
    ("POST", LOGIN),
    ("POST", REFRESH),
    ("POST", LOGOUT),
    ("POST", "/oauth2/token"),
    ("POST", "/oauth2/introspect"),
    ("POST", "/oauth2/revoke"),
    ("GET", "/oauth2/jwks"),
    ("GET", "/.well-known/oauth-authorization-server"),
    ("GET", "/.well-known/openid-configuration"),
    ("GET", "/nowhere"),
];
const PRIVATE: [(&str, &str); 8] = [
    ("GET", "/verify"),
    ("GET", "/verify?style=oauth"),
    ("GET", "/verify/iocm/app"),
    ("POST", "/oauth2/introspect"),
    ("GET", "/revocations"),
    ("GET", "/metrics"),
    ("GET", "/health/ready"),
    ("GET", "/nowhere"),
];

/// Names that a parser looks for, and one that none does.
const NAMES: [&str; 17] = [
    "appId",
    "secret",
    "refreshToken",
    "accessToken",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "grant_type",
    "refresh_token",
    "token",
    "token_type_hint",
    "scope",
    "since",
    "wait",
    "style",
    "unknown",
];

const HEADERS: [&str; 12] = [
    "Authorization",
    "app_key",
    "x-app-key",
    "access_token",
    "DPoP",
    "Content-Type",
    "X-Original-URI",
    "X-Forwarded-Method",
    "X-Client-Cert-Thumbprint",
    "X-Forwarded-For",
    "User-Agent",
    "If-None-Match",
];

/// Requests with `text` in each position that a client can write to.
fn requests(method: &str, path: &str, text: &str) -> Vec<Vec<u8>> {
    let mut requests = Vec::new();
    let query = if path.contains('?') { '&' } else { '?' };
    let get = |method: &str, target: String, head: String| {
        format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n").into_bytes()
    };
    requests.push(get(text, path.to_owned(), String::new()));
    requests.push(get(method, format!("/{text}{path}"), String::new()));
    requests.push(get(method, format!("{path}/{text}"), String::new()));
    for header in HEADERS {
        requests.push(get(method, path.to_owned(), format!("{header}: {text}\r\n")));
        requests.push(get(method, path.to_owned(), format!("{header}: {text}\r\n{header}: {text}\r\n")));
    }
    requests.push(get(method, path.to_owned(), format!("{text}: x\r\n")));
    requests.push(get(method, path.to_owned(), format!("Authorization: Basic {text}\r\n")));
    for scheme in ["Bearer", "DPoP"] {
        requests.push(get(
            method,
            path.to_owned(),
            format!("app_key: demo\r\nAuthorization: {scheme} {text}\r\n"),
        ));
    }
    for name in NAMES {
        let swapped = if name == "appId" { "secret" } else { "appId" };
        for form in [
            format!("{name}={text}"),
            format!("{name}={text}&{name}={text}"),
            format!("{name}:{text}&{name}:{text}"),
            format!("{text}={name}&{text}={name}"),
            format!("{name}={text}&{swapped}={text}"),
            format!("grant_type=client_credentials&{name}={text}&client_id=demo&client_secret=x"),
            format!("{name}={text}%ff"),
        ] {
            requests.push(get(method, format!("{path}{query}{form}"), String::new()));
            requests.push(post(path, FORM, &form));
        }
        for json in [
            format!(r#"{{"{name}":"{text}"}}"#),
            format!(r#"{{"{name}":"{text}","{name}":"{text}"}}"#),
            format!(r#"{{"{text}":"{name}","{text}":1,"#),
            format!(r#"{{"{name}":{text}}}"#),
            format!(r#"{{"{name}":["{text}"]}}"#),
            format!(r#"{{"{name}":"{text}","appId":"{text}","secret":"{text}"}}"#),
        ] {
            requests.push(post(path, JSON, &json));
        }
        requests.push(post(path, text, format!("{name}={text}")));
    }
    requests
}

// The body `client_secret:VALUE&client_secret:VALUE` wrote the secret into `detail`, and introspection a token.
#[tokio::test]
async fn no_text_of_a_client_is_written_wherever_it_stands() {
    let world = World::new().await;
    let access = world.login().await.member("accessToken");
    let (page, _guard) = Page::open();
    let mut sent = 0;
    for text in ["Client-Wrote-This", &world.secret, &access] {
        let public = PUBLIC.iter().map(|endpoint| (world.public, endpoint));
        for (listener, (method, path)) in
            public.chain(PRIVATE.iter().map(|endpoint| (world.private, endpoint)))
        {
            for request in requests(method, path, text) {
                ask(listener, &request).await;
                sent += 1;
            }
        }
        let lines = page.text();
        assert!(!lines.contains(text), "{text} is in the log");
    }
    assert!(page.lines("northgate::request").len() >= sent, "each request has a line");
}

// What the HTTP parser refuses never reaches a handler, and must not be written either.
#[tokio::test]
async fn no_text_of_a_malformed_request_is_written() {
    let world = World::new().await;
    let (page, _guard) = Page::open();
    for request in [
        "Client-Wrote-This\r\n\r\n",
        "GET /Client-Wrote-This HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nClient Wrote This: Client-Wrote-This\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: Client-Wrote-This\r\n\r\n",
    ] {
        let mut socket = Socket::open(world.public).await;
        socket.send(request).await;
        while !socket.is_closed().await {}
    }
    assert!(!page.text().contains("Client-Wrote-This"), "{}", page.text());
}
