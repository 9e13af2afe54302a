//! Parsers of unauthenticated input, each as a function of bytes: for the fuzz targets and for the bound on the work per request.
//!
//! A parser that runs before authentication belongs in [`PARSERS`], which `tests/parsing_work.rs` counts under valgrind. Its outcome is its own tests' business.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use northgate_core::clock::Timestamp;
use northgate_core::key_id::KeyId;
use northgate_core::keyring::{KeyBytes, KeyRecord, Keyring, KeyringRecord};
use northgate_core::signing::{Algorithm, SigningKey};
use northgate_core::token::Claims;

use crate::config::Config;
use crate::config::layers::Sources;
use crate::config::oauth::{Issuer, OAuth};
use crate::config::verify::TrustedHeaders;
use crate::http::decode::decode;
use crate::http::oauth::form::Form;
use crate::http::oauth::{assertion, client, token};
use crate::http::revocations::Parameters;
use crate::http::verify::credentials::Credentials;
use crate::http::verify::style::{Question, Style};
use crate::http::verify::{call, holder};
use crate::http::{dpop, hosts::Hosts};
use crate::jose::jwk;
use crate::jwt;
use crate::jwt::signature_cache::SignatureCache;
use crate::listener::connection::{Peer, Remote};
use crate::listener::forwarded::Proxy;
use crate::listener::proxy_protocol;
use crate::listener::timeouts::Activity;
use crate::traces::context::TraceContext;

/// A parser and its name.
pub type Parser = (&'static str, fn(&[u8]));

/// The parsers.
pub const PARSERS: [Parser; 29] = [
    ("application API, JSON", |input| members(b"application/json", input)),
    ("application API, form", |input| members(b"application/x-www-form-urlencoded", input)),
    ("OAuth form", oauth_form),
    ("OAuth scope", |input| oauth_form(&[b"scope=", input].concat())),
    ("Authorization: Basic", basic),
    ("Authorization: Basic, decoded", |input| basic(STANDARD.encode(input).as_bytes())),
    ("assertion", |input| keep(text(input).map(assertion::parse))),
    ("assertion header", |input| keep(assertion::parse(&jwt(&[input, b"{}"])))),
    ("assertion claims", |input| keep(assertion::parse(&jwt(&[br#"{"alg":"ES256"}"#, input])))),
    ("access token", |input| keep(text(input).map(access_token))),
    ("access token header", |input| access_token(&jwt(&[fitting(input), b"{}"]))),
    ("access token claims", |input| access_token(&jwt(&[own_header().as_bytes(), fitting(input)]))),
    ("DPoP proof", proof),
    ("DPoP header", |input| proof(jwt(&[fitting(input), b"{}"]).as_bytes())),
    ("DPoP key", dpop_key),
    ("DPoP claims", dpop_claims),
    ("/verify headers", verify_headers),
    ("/verify path", |input| verify_address(b"/verify/", input)),
    ("/verify query", |input| verify_address(b"/verify?", input)),
    ("/verify uri", |input| verify_address(b"/verify?uri=/", input)),
    ("/revocations query", revocations_query),
    ("Forwarded", |input| stated("forwarded", input)),
    ("X-Forwarded-For", |input| stated("x-forwarded-for", input)),
    ("Client-Cert", |input| stated("client-cert", input)),
    ("Client-Cert-Chain", |input| stated("client-cert-chain", input)),
    ("Host and Origin", host),
    ("traceparent", traceparent),
    ("tracestate", tracestate),
    ("PROXY protocol", proxy_header),
];

/// Uses the outcome of a parser, so that the compiler does not optimize the parser away.
fn keep<T>(outcome: T) {
    let _ = black_box(outcome);
}

const NOW: Timestamp = Timestamp::from_millis(0);

/// The most header lines of a request, as in the HTTP parser.
const LINES_MAX: usize = 100;

/// The longest JSON of a part that fits into a token or proof of 8,192 characters.
const PART_MAX: usize = 5_700;

static KEYRING: LazyLock<Keyring> = LazyLock::new(|| {
    let bytes = KeyBytes::from_bytes([1; 32]);
    let key = KeyRecord { id: KeyId(1), created_at: NOW, use_from: NOW, retire_at: None, bytes };
    let record = KeyringRecord { pepper: KeyBytes::from_bytes([2; 32]), keys: vec![key] };
    Keyring::new(record).expect("one current key is a keyring")
});

static NAMES: LazyLock<OAuth> = LazyLock::new(|| OAuth {
    issuer: Issuer::parse("https://tokens.example").expect("an issuer"),
    audience: "https://api.example".to_owned(),
});

/// Trusts every address, so that the walk is as long as possible.
static PROXY: LazyLock<Proxy> = LazyLock::new(|| {
    let flags = vec![("proxies.trusted".to_owned(), "0.0.0.0/0,::/0".to_owned())];
    let config = Config::load(Sources { flags, ..Sources::default() }).expect("a configuration");
    Proxy { trusted: config.proxies.trusted, authorities: None }
});

fn members(content_type: &[u8], input: &[u8]) {
    keep(decode(["appId", "secret", "refreshToken"], Some(content_type), input));
}

fn oauth_form(input: &[u8]) {
    if let Ok(form) = Form::parse(input) {
        keep(token::check_scope(&form));
    }
}

fn basic(encoded: &[u8]) {
    let lines = lines(&[b"Basic ", encoded].concat());
    keep(client::basic(&lines));
}

fn access_token(text: &str) {
    if jwt::is_jwt(text) {
        keep(jwt::authenticate(text, &NAMES, &KEYRING, &SignatureCache::default()));
    } else {
        keep(Claims::authenticate(text, &KEYRING));
    }
}

fn key() -> &'static SigningKey {
    KEYRING.signing(Algorithm::EdDsa, NOW)
}

/// The header of our own tokens, which a forger can copy.
fn own_header() -> String {
    format!(r#"{{"typ":"at+jwt","alg":"EdDSA","kid":"{}"}}"#, key().kid())
}

fn proof(input: &[u8]) {
    let call = dpop::Call { method: "GET", uri: "https://api.example/a", access_token: None };
    keep(dpop::verify(input, &call, NOW));
}

fn dpop_header(key: &[u8]) -> Vec<u8> {
    [br#"{"typ":"dpop+jwt","alg":"EdDSA","jwk":"#, key, b"}"].concat()
}

fn dpop_key(input: &[u8]) {
    proof(jwt(&[&dpop_header(fitting(input)), b"{}"]).as_bytes());
}

/// Claims below a valid signature, which the sender makes with a key of its own.
fn dpop_claims(input: &[u8]) {
    let keys = jwk::set(std::iter::once(key()));
    let key_text = keys.trim_start_matches(r#"{"keys":["#).trim_end_matches("]}");
    let header = dpop_header(key_text.as_bytes());
    let signed = [&header, fitting(input)].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let signature = URL_SAFE_NO_PAD.encode(key().sign(signed.as_bytes()));
    let text = format!("{signed}.{signature}");
    assert!(text.len() <= dpop::LONGEST, "a longer proof is rejected before its claims are parsed");
    proof(text.as_bytes());
}

fn verify_headers(input: &[u8]) {
    let headers = headers(&["authorization", "app_key", "x-original-uri", "client-cert"], input);
    let trusted = TrustedHeaders { client_cert: true, client_cert_thumbprint: true, ..Default::default() };
    keep(Credentials::read(&headers, Style::OAuth));
    keep(holder::certificate(&headers, trusted));
    let bearer = [&b"Bearer "[..], input].concat();
    keep(Credentials::read(&self::headers(&["authorization", "x-app-key"], &bearer), Style::OAuth));
    let mut headers = headers;
    headers.insert("x-original-method", HeaderValue::from_static("GET"));
    keep(call::call(&Method::GET, None, &headers));
}

fn verify_address(begin: &[u8], input: &[u8]) {
    let Ok(uri) = Uri::try_from([begin, input].concat()) else { return };
    if let Ok(question) = black_box(Question::parse(&uri)) {
        keep(call::call(&Method::GET, question.target, &HeaderMap::new()));
    }
}

fn revocations_query(input: &[u8]) {
    if let Ok(uri) = Uri::try_from([b"/revocations?", input].concat()) {
        keep(Parameters::parse(&uri));
    }
}

/// Puts a certificate before a chain, which is not read without one.
fn stated(name: &'static str, input: &[u8]) {
    let activity = Arc::new(Activity::new(tokio::time::Instant::now()));
    let peer = Peer { address: Ipv4Addr::LOCALHOST.into(), port: None, via: None };
    let mut headers = headers(&[name], input);
    if name == "client-cert-chain" {
        headers.insert("client-cert", HeaderValue::from_static(":AAAA:"));
    }
    keep(PROXY.client(&Remote { activity, peer, certificate: None }, &headers));
}

fn host(input: &[u8]) {
    let hosts = Hosts::new(vec!["tokens.example".to_owned()], None);
    let mut request = axum::http::Request::new(());
    *request.headers_mut() = headers(&["host", "origin"], input);
    keep(hosts.check(&request));
    request.headers_mut().insert("host", HeaderValue::from_static("localhost"));
    keep(hosts.check(&request));
}

fn traceparent(input: &[u8]) {
    keep(TraceContext::read(&headers(&["traceparent"], input)));
    // A long one of a later version.
    let known = b"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-";
    keep(TraceContext::read(&headers(&["traceparent"], &[known, input].concat())));
}

fn tracestate(input: &[u8]) {
    let mut headers = headers(&["tracestate"], input);
    let known = HeaderValue::from_static("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    headers.insert("traceparent", known);
    keep(TraceContext::read(&headers));
}

fn proxy_header(input: &[u8]) {
    let line = [b"PROXY ", input].concat();
    let line = &line[..line.len().min(proxy_protocol::V1_MAX)];
    keep(proxy_protocol::parse(line));
    // Version 2: PROXY, TCP over IPv4, and TLVs behind the addresses.
    let length = input.len().min(proxy_protocol::V2_MAX - 28) + 12;
    let length = u16::try_from(length).unwrap_or_default().to_be_bytes();
    let fixed = [b"\r\n\r\n\0\r\nQUIT\n\x21\x11", &length[..], &[0; 12]].concat();
    let tlvs = &input[..input.len().min(proxy_protocol::V2_MAX - 28)];
    keep(proxy_protocol::parse(&[&fixed, tlvs].concat()));
}

/// A signed text with these parts and an invalid signature.
fn jwt(parts: &[&[u8]; 2]) -> String {
    let [header, claims] = parts.map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode([7; 64]))
}

fn fitting(input: &[u8]) -> &[u8] {
    &input[..input.len().min(PART_MAX)]
}

fn text(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok()
}

fn lines(input: &[u8]) -> Vec<HeaderValue> {
    let lines = input.split(|byte| *byte == b'\n').take(LINES_MAX);
    lines.filter_map(|line| HeaderValue::from_bytes(line).ok()).collect()
}

/// Each line of the input as a header with each of these names.
fn headers(names: &[&'static str], input: &[u8]) -> HeaderMap {
    let lines = lines(input);
    let all = names.iter().map(|name| HeaderName::from_static(name));
    all.flat_map(|name| lines.iter().map(move |line| (name.clone(), line.clone()))).collect()
}
