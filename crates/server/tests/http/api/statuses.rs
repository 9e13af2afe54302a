//! The header fields that a status demands (RFC 9110), for every endpoint that answers with it.

use std::net::SocketAddr;

use northgate_core::policy::Overrides;
use northgate_server::config::api::V3Login;

use crate::support::document::{Endpoint, Listener, Operation, endpoints};
use crate::support::socket::{Answer, ask, post};
use crate::support::world::*;

const TOKEN: &str = "/oauth2/token";
const INTROSPECT: &str = "/oauth2/introspect";

fn has(answer: &Answer, status: u16, field: &str, value: &str) {
    assert_eq!((answer.status, answer.header(field)), (status, Some(value)), "{}", answer.body);
}

fn get(path: &str, lines: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")
}

/// A listener of a world, and what is documented on it.
fn address(world: &World, private: SocketAddr, listener: Listener) -> SocketAddr {
    match listener {
        Listener::Public => world.public,
        Listener::Private => private,
    }
}

/// A request with every parameter that an endpoint demands, and with credentials that are wrong.
fn wrong(method: &str, path: &str) -> String {
    let form = "grant_type=client_credentials&token=x&client_id=demo&client_secret=x";
    let form = format!("{form}&appId=demo&key=demo&secret=x&refreshToken=x&accessToken=x");
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\n");
    format!("{head}Content-Length: {}\r\n\r\n{form}", form.len())
}

/// The challenge of an endpoint to a client without right credentials.
fn challenge(path: &str) -> &'static str {
    match path.split('/').nth(1).unwrap() {
        "iocm" | "api" => r#"AppSecret realm="northgate""#,
        "oauth2" => r#"Basic realm="northgate""#,
        "verify" | "admin" => r#"Bearer realm="northgate""#,
        other => panic!("what challenge has /{other}?"),
    }
}

// A client in Java with an `Authenticator` threw at a 401 without a challenge, and lost the status and the code.
#[tokio::test]
async fn a_401_has_a_challenge_wherever_it_is_documented() {
    let world = World::with(Setup { v3_login: V3Login::On, ..SETUP }).await;
    let private = world.administered().await.address;
    let mut said = 0;
    for endpoint in endpoints() {
        let path = &endpoint.path;
        for operation in endpoint.operations.iter().filter(|operation| operation.demands(401)) {
            for listener in endpoint.listeners() {
                let answer = ask(address(&world, private, listener), wrong(&operation.method, path)).await;
                // Gateways need no credentials for introspection.
                if listener == Listener::Private && path == INTROSPECT {
                    assert_eq!(answer.status, 200, "{path}");
                } else {
                    has(&answer, 401, "WWW-Authenticate", challenge(path));
                    said += 1;
                }
            }
        }
    }
    assert!(said >= 45, "{said} operations were tried");
    ask(world.public, wrong("POST", LOGIN)).await.is(401, REJECTED);
    let oauth = "/verify?style=oauth";
    let bearer = r#"Bearer realm="northgate""#;
    has(&ask(private, get(oauth, "")).await, 401, "WWW-Authenticate", bearer);
    let invalid = ask(private, get(oauth, "Authorization: Bearer x\r\n")).await;
    has(&invalid, 401, "WWW-Authenticate", r#"Bearer error="invalid_token""#);
}

#[tokio::test]
async fn the_dialect_that_says_401_for_a_refresh_token_has_a_challenge_too() {
    let world = World::with(Setup { dialect: northgate_server::config::api::Dialect::Cn, ..SETUP }).await;
    has(&world.refresh("x").await, 401, "WWW-Authenticate", r#"AppSecret realm="northgate""#);
}

#[tokio::test]
async fn a_405_names_the_methods_of_the_path() {
    let world = World::with(Setup { v3_login: V3Login::On, ..SETUP }).await;
    let admin = world.administered().await;
    let token = format!("Authorization: Bearer {}\r\n", admin.token);
    // A question may have any method: it is that of the call.
    for endpoint in endpoints().iter().filter(|endpoint| !endpoint.path.starts_with("/verify")) {
        let (allowed, path) = (endpoint.allowed(), &endpoint.path);
        let methods = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT-ME", "get"];
        for method in methods.into_iter().filter(|method| !allowed.contains(method)) {
            for listener in endpoint.listeners() {
                let request = format!(
                    "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{token}Content-Length: 0\r\n\r\n"
                );
                let answer = ask(address(&world, admin.address, listener), &request).await;
                assert_eq!(answer.status, 405, "{request}");
                let mut allow: Vec<&str> = answer.header("Allow").unwrap().split(',').collect();
                allow.sort_unstable();
                assert_eq!(allow, allowed, "{request}");
            }
        }
    }
}

/// The media types of bodies of an endpoint.
fn media_types(path: &str) -> &'static str {
    match path.split('/').nth(1).unwrap() {
        "iocm" | "api" => "application/json, application/x-www-form-urlencoded",
        "oauth2" => FORM,
        "admin" => JSON,
        other => panic!("what bodies has /{other}?"),
    }
}

// A compressed body was taken for a broken one.
#[tokio::test]
async fn a_compressed_body_is_a_415_that_names_what_is_taken() {
    let world = World::new().await;
    let coded = |method: &str, path: &str, lines: &str| {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\n{lines}");
        format!("{head}Content-Length: 4\r\n\r\na=b&")
    };
    let codings = [
        "gzip",
        "GZIP",
        "deflate",
        "br",
        "identity, gzip",
        "x-gzip",
        "aws-chunked",
        "gzip\r\nContent-Encoding: identity",
    ];
    let admin = world.administered().await;
    for coding in codings {
        let lines = format!("Content-Encoding: {coding}\r\n");
        for endpoint in endpoints() {
            let path = &endpoint.path;
            for operation in endpoint.operations.iter().filter(|operation| operation.has_body) {
                let token = format!("{lines}Authorization: Bearer {}\r\n", admin.token);
                let lines = if endpoint.is_admin() { &token } else { &lines };
                let request = coded(&operation.method, path, lines);
                for listener in endpoint.listeners() {
                    let said = ask(address(&world, admin.address, listener), &request).await;
                    assert!(operation.demands(415), "{path} does not document it: {}", said.body);
                    has(&said, 415, "Accept", media_types(path));
                    has(&said, 415, "Accept-Encoding", "identity");
                }
            }
        }
        let said = ask(admin.address, coded("POST", "/console/sign-in", &lines)).await;
        has(&said, 415, "Accept", FORM);
        let said = ask(world.public, coded("POST", LOGIN, &lines)).await;
        said.is(415, r#"{"error_code":"50415","error_desc":"The request body must not be compressed."}"#);
        let said = ask(world.public, coded("POST", TOKEN, &lines)).await;
        assert_eq!(said.member("error"), "invalid_request");
    }
    for identity in ["identity", "Identity", "", "identity, identity"] {
        let said =
            ask(world.public, coded("POST", LOGIN, &format!("Content-Encoding: {identity}\r\n"))).await;
        said.is(400, MISSING);
    }
}

// The application API says it with 403, and as much.
#[tokio::test]
async fn an_application_with_too_many_calls_hears_when_to_come_again() {
    let overrides = Overrides { calls_per_minute: Some(1), ..SETUP.overrides };
    let world = World::with(Setup { overrides, ..SETUP }).await;
    let access = world.login().await.member("accessToken");
    let form = format!("grant_type=client_credentials&client_id=demo&client_secret={}", world.secret);
    has(&ask(world.public, post(TOKEN, FORM, &form)).await, 429, "Retry-After", "60");
    let login = format!("appId=demo&secret={}", world.secret);
    has(&ask(world.public, post(LOGIN, FORM, login)).await, 403, "Retry-After", "60");
    let call = format!("app_key: demo\r\nAuthorization: Bearer {access}\r\n");
    ask(world.private, get("/verify", &call)).await;
    for endpoint in endpoints().iter().filter(|endpoint| endpoint.path.starts_with("/verify")) {
        let path = &endpoint.path;
        // An answer to HEAD has the fields of GET and no body.
        for Operation { method, .. } in endpoint.operations.iter().filter(|known| known.method != "HEAD") {
            let question =
                |query: &str| format!("{method} {path}{query} HTTP/1.1\r\nHost: localhost\r\n{call}\r\n");
            has(&ask(world.private, question("")).await, 403, "Retry-After", "60");
            // Behind `/verify/` the query is the call's.
            if matches!(&path[..], "/verify" | "/verify/") {
                has(&ask(world.private, question("?style=oauth")).await, 429, "Retry-After", "60");
            }
        }
    }
}

#[tokio::test]
async fn a_guesser_hears_at_every_endpoint_when_to_come_again() {
    let takes_a_secret = |operation: &Operation| operation.has_body && operation.demands(401);
    let public = |endpoint: &Endpoint| endpoint.listeners().contains(&Listener::Public);
    let mut tried = 0;
    for endpoint in endpoints().iter().filter(|endpoint| public(endpoint)) {
        for operation in endpoint.operations.iter().filter(|operation| takes_a_secret(operation)) {
            let world = World::with(Setup { failures_per_source: 1, ..SETUP }).await;
            let request = wrong(&operation.method, &endpoint.path);
            assert_eq!(ask(world.public, &request).await.status, 401, "{}", endpoint.path);
            let status = if operation.demands(429) { 429 } else { 403 };
            has(&ask(world.public, &request).await, status, "Retry-After", "60");
            tried += 1;
        }
    }
    assert_eq!(tried, 6, "both logins, refresh, token, introspection and revocation take a secret");
}

#[tokio::test]
async fn a_503_says_when_to_come_again() {
    // That of a full queue is in busy.rs: one before a database always has room.
    let world = World::with(SETUP).await;
    world.is_ready.store(false, std::sync::atomic::Ordering::Relaxed);
    has(&ask(world.private, get("/health/ready", "")).await, 503, "Retry-After", "1");
}
