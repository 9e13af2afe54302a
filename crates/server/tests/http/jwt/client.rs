//! An OAuth client of a world, and how what it gets is read.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use northgate_core::actor::Actor;
use northgate_core::administer::{Change, UseFrom};
use northgate_core::app_id::AppId;
use northgate_core::keyring::Keyring;
use northgate_core::policy::{AccessTokens, Dpop, Overrides};
use northgate_core::signing::Algorithm;
use northgate_server::config::verify::TrustedHeaders;
use serde_json::Value;

use crate::support::socket::{Answer, ask};
use crate::support::world::*;

pub const ISSUER: &str = "https://tokens.example.com";
pub const AUDIENCE: &str = "https://api.example.com";

/// A world in which `demo` gets signed tokens.
pub async fn signing(algorithm: Algorithm) -> World {
    let access_tokens = Some(AccessTokens::Jwt(algorithm));
    World::with(Setup { overrides: Overrides { access_tokens, ..SETUP.overrides }, ..SETUP }).await
}

/// A world in which the tokens of `demo` are bound to a key.
pub async fn binding(access_tokens: AccessTokens) -> World {
    let overrides =
        Overrides { access_tokens: Some(access_tokens), dpop: Some(Dpop::Required), ..SETUP.overrides };
    let trusted_headers = TrustedHeaders { forwarded_host: true, ..TRUST_NOTHING };
    World::with(Setup { overrides, trusted_headers, ..SETUP }).await
}

/// A form by `demo` to an endpoint, with more header lines.
pub async fn send(world: &World, path: &str, lines: &str, form: &str) -> Answer {
    let body = format!("client_id=demo&client_secret={}&{form}", world.secret);
    let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: {FORM}\r\n{lines}");
    ask(world.public, format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())).await
}

/// The answer to a request for a token by the client's own credentials.
pub async fn request(world: &World, lines: &str) -> Answer {
    send(world, "/oauth2/token", lines, "grant_type=client_credentials").await
}

/// An access token of `demo`.
pub async fn token(world: &World) -> String {
    let answer = request(world, "").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.member("access_token")
}

/// What the private listener says of a token.
pub async fn introspect(world: &World, token: &str) -> Value {
    let body = format!("token={token}");
    let head = format!("POST /oauth2/introspect HTTP/1.1\r\nHost: h\r\nContent-Type: {FORM}\r\n");
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    serde_json::from_str(&ask(world.private, request).await.body).unwrap()
}

pub async fn get(from: std::net::SocketAddr, path: &str, lines: &str) -> Answer {
    ask(from, format!("GET {path} HTTP/1.1\r\nHost: h\r\n{lines}\r\n")).await
}

pub async fn change(world: &World, change: Change) {
    world
        .auth
        .change(&AppId::parse("demo").unwrap(), &change, &Actor::LOCAL, world.clock.now())
        .await
        .unwrap();
}

pub fn rotate(world: &World, use_from: UseFrom) {
    let record = world.auth.rotated_keyring(use_from, world.clock.now()).unwrap();
    world.auth.replace_keyring(Keyring::new(record).unwrap());
}

/// One part of a token: 0 is its header, 1 what it says.
pub fn part(token: &str, index: usize) -> Value {
    let text = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

pub fn encoded(part: &Value) -> String {
    base64(part.to_string())
}

pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
