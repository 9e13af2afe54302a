//! The header fields that a status demands (RFC 9110), for every endpoint that answers with it.

use northgate_server::config::api::V3Login;

use northgate_core::policy::Overrides;

use crate::support::document::endpoints;
use crate::support::socket::{Answer, ask, post};
use crate::support::world::*;

const TOKEN: &str = "/oauth2/token";
const INTROSPECT: &str = "/oauth2/introspect";
const REVOKE: &str = "/oauth2/revoke";

fn has(answer: &Answer, status: u16, field: &str, value: &str) {
    assert_eq!((answer.status, answer.header(field)), (status, Some(value)), "{}", answer.body);
}

fn get(path: &str, lines: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n")
}

// A client in Java with an `Authenticator` threw at a 401 without a challenge, and lost the status and the code.
#[tokio::test]
async fn a_401_has_a_challenge_wherever_it_is_said() {
    let world = World::with(Setup { v3_login: V3Login::On, ..SETUP }).await;
    let app_secret = r#"AppSecret realm="northgate""#;
    let login = ask(world.public, post(LOGIN, FORM, "appId=demo&secret=x")).await;
    has(&login, 401, "WWW-Authenticate", app_secret);
    login.is(401, REJECTED);
    let refresh = ask(world.public, post(REFRESH, FORM, "appId=demo&secret=x&refreshToken=x")).await;
    has(&refresh, 401, "WWW-Authenticate", app_secret);
    for path in [TOKEN, INTROSPECT, REVOKE] {
        let form = "grant_type=client_credentials&token=x&client_id=demo&client_secret=x";
        let said = ask(world.public, post(path, FORM, form)).await;
        has(&said, 401, "WWW-Authenticate", r#"Basic realm="northgate""#);
    }
    let bearer = r#"Bearer realm="northgate""#;
    has(&ask(world.private, get("/verify", "")).await, 401, "WWW-Authenticate", bearer);
    let oauth = "/verify?style=oauth";
    has(&ask(world.private, get(oauth, "")).await, 401, "WWW-Authenticate", bearer);
    let invalid = ask(world.private, get(oauth, "Authorization: Bearer x\r\n")).await;
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
    for endpoint in endpoints().iter().filter(|endpoint| !endpoint.is_admin()) {
        // A question may have any method: it is that of the call.
        if endpoint.path.starts_with("/verify") {
            continue;
        }
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            if endpoint.allowed().contains(&method) {
                continue;
            }
            let request = format!(
                "{method} {} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
                endpoint.path
            );
            let mut said = 0;
            for listener in [world.public, world.private] {
                let answer = ask(listener, &request).await;
                if answer.status != 404 {
                    assert_eq!(answer.status, 405, "{request}");
                    let mut allow: Vec<&str> = answer.header("Allow").unwrap().split(',').collect();
                    allow.sort_unstable();
                    assert_eq!(allow, endpoint.allowed(), "{request}");
                    said += 1;
                }
            }
            assert!(said > 0, "no listener has {request}");
        }
    }
}

// A compressed body was taken for a broken one.
#[tokio::test]
async fn a_compressed_body_is_a_415_that_names_what_is_taken() {
    let world = World::new().await;
    let coded = |path: &str, lines: &str| {
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\n{lines}");
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
    for coding in codings {
        let lines = format!("Content-Encoding: {coding}\r\n");
        for path in [LOGIN, REFRESH, LOGOUT] {
            let said = ask(world.public, coded(path, &lines)).await;
            said.is(415, r#"{"error_code":"50415","error_desc":"The request body must not be compressed."}"#);
            has(&said, 415, "Accept", "application/json, application/x-www-form-urlencoded");
            has(&said, 415, "Accept-Encoding", "identity");
        }
        let endpoints = [
            (world.public, TOKEN),
            (world.public, INTROSPECT),
            (world.public, REVOKE),
            (world.private, INTROSPECT),
        ];
        for (listener, path) in endpoints {
            let said = ask(listener, coded(path, &lines)).await;
            has(&said, 415, "Accept", FORM);
            assert_eq!(said.member("error"), "invalid_request");
        }
    }
    for identity in ["identity", "Identity", "", "identity, identity"] {
        let said = ask(world.public, coded(LOGIN, &format!("Content-Encoding: {identity}\r\n"))).await;
        said.is(400, MISSING);
    }
}

#[tokio::test]
async fn a_429_says_when_to_come_again() {
    let overrides = Overrides { calls_per_minute: Some(1), ..SETUP.overrides };
    let world = World::with(Setup { overrides, ..SETUP }).await;
    let access = world.login().await.member("accessToken");
    let form = format!("grant_type=client_credentials&client_id=demo&client_secret={}", world.secret);
    has(&ask(world.public, post(TOKEN, FORM, &form)).await, 429, "Retry-After", "60");
    let call = format!("app_key: demo\r\nAuthorization: Bearer {access}\r\n");
    let mut said = ask(world.private, get("/verify?style=oauth", &call)).await;
    while said.status == 200 {
        said = ask(world.private, get("/verify?style=oauth", &call)).await;
    }
    has(&said, 429, "Retry-After", "60");
    // The application API says it with 403, and as much.
    let login = format!("appId=demo&secret={}", world.secret);
    has(&ask(world.public, post(LOGIN, FORM, login)).await, 403, "Retry-After", "60");
}

#[tokio::test]
async fn a_guesser_hears_at_every_endpoint_when_to_come_again() {
    for path in [TOKEN, INTROSPECT, REVOKE, LOGIN, REFRESH] {
        let world = World::with(Setup { failures_per_source: 1, ..SETUP }).await;
        let of_oauth = "grant_type=client_credentials&token=x&client_id=demo&client_secret=x";
        let form = format!("{of_oauth}&appId=demo&secret=x&refreshToken=x");
        assert_eq!(ask(world.public, post(path, FORM, &form)).await.status, 401, "{path}");
        let status = if path.starts_with("/oauth2") { 429 } else { 403 };
        has(&ask(world.public, post(path, FORM, &form)).await, status, "Retry-After", "60");
    }
}

#[tokio::test]
async fn a_503_says_when_to_come_again() {
    // That of a full queue is in busy.rs: one before a database always has room.
    let world = World::with(SETUP).await;
    world.is_ready.store(false, std::sync::atomic::Ordering::Relaxed);
    has(&ask(world.private, get("/health/ready", "")).await, 503, "Retry-After", "1");
}
