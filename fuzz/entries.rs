//! What is fuzzed: the functions that read bytes from elsewhere, each with what must hold for all inputs. The targets in
//! `fuzz/targets` feed them from a fuzzer, `crates/server/tests/fuzz` from the corpus and small changes to it.

#[path = "entries/files.rs"]
mod files;
#[path = "entries/journal.rs"]
mod journal;

pub use files::{export_file, import_file};
pub use journal::journal;

use northgate_core::application::AppNumber;
use northgate_core::clock::Timestamp;
use northgate_core::grant::{Grant, GrantId};
use northgate_core::key_id::KeyId;
use northgate_core::keyring::{KeyBytes, KeyRecord, Keyring, KeyringRecord};
use northgate_core::text::check_text;
use northgate_core::token::Claims;
use northgate_server::http::decode::decode;
use northgate_server::operator_input::BODIES;
use northgate_server::tls::x509::names;
use northgate_server::unauthenticated::{PARSERS, Parser};

const NOW: Timestamp = Timestamp::from_millis(0);

/// No text but that of a real token opens. The input is tried as it is, and as a change to a real token: a zero leaves
/// a character alone.
pub fn token_open(input: &[u8]) {
    let keyring = keyring();
    if let Ok(text) = std::str::from_utf8(input) {
        check_token(text, &keyring);
    }
    let real = real_token(&keyring);
    let change = input.iter().copied().chain(std::iter::repeat(0));
    let changed: Vec<u8> = real.bytes().zip(change).map(|(byte, change)| byte ^ change).collect();
    if let Ok(text) = std::str::from_utf8(&changed) {
        assert_eq!(Claims::authenticate(text, &keyring).is_ok(), text == real, "{text}");
    }
}

/// Whatever opens is what the claims in it are sealed to.
fn check_token(text: &str, keyring: &Keyring) {
    if let Ok(claims) = Claims::authenticate(text, keyring) {
        assert_eq!(claims.mint(keyring, NOW), text);
    }
}

fn keyring() -> Keyring {
    let key = KeyRecord {
        id: KeyId(1),
        created_at: NOW,
        use_from: NOW,
        retire_at: None,
        bytes: KeyBytes::from_bytes([1; 32]),
    };
    Keyring::new(KeyringRecord { pepper: KeyBytes::from_bytes([2; 32]), keys: vec![key] })
        .expect("one current key is a keyring")
}

fn real_token(keyring: &Keyring) -> String {
    let grant = Grant {
        id: GrantId(0x0102_0304_0506_0708),
        generation: 9,
        refreshed_at: Timestamp::from_millis(1_700_000_000_000),
        expires_at: Timestamp::from_millis(1_702_592_000_000),
    };
    Claims::refresh(AppNumber(7), &grant).mint(keyring, NOW)
}

const CONTENT_TYPES: [Option<&[u8]>; 5] = [
    None,
    Some(b""),
    Some(b"application/json; charset=UTF-8"),
    Some(b"application/x-www-form-urlencoded"),
    Some(b"text/plain"),
];

/// A body is refused, or understood as texts that are in order; written carefully, they are understood as the same.
/// The first byte of the input chooses the content type, the rest is the body.
pub fn decode_request(input: &[u8]) {
    const NAMES: [&str; 3] = ["appId", "secret", "refreshToken"];
    let Some((choice, body)) = input.split_first() else { return };
    let content_type = CONTENT_TYPES[usize::from(*choice) % CONTENT_TYPES.len()];
    let Ok(texts) = decode(NAMES, content_type, body) else { return };
    assert!(texts.iter().all(|text| check_text(text).is_ok()), "{texts:?}");

    let [app_id, secret, refresh_token] = texts.each_ref();
    let json = serde_json::json!({ "appId": app_id, "secret": secret, "refreshToken": refresh_token });
    assert_eq!(decode(NAMES, CONTENT_TYPES[2], json.to_string().as_bytes()).as_ref(), Ok(&texts));
    let form = format!(
        "refreshToken={}&appId={}&secret={}",
        percent_encoded(refresh_token),
        percent_encoded(app_id),
        percent_encoded(secret)
    );
    assert_eq!(decode(NAMES, CONTENT_TYPES[3], form.as_bytes()).as_ref(), Ok(&texts));
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// No input stops a parser that runs before authentication. The first byte of the input chooses the parser, the rest is
/// parsed. `crates/e2e/tests/parsing_work` bounds the instructions that each of them executes.
pub fn parse_unauthenticated(input: &[u8]) {
    parse_one_of(&PARSERS, input);
}

/// No body stops the admin API. The first byte of the input chooses what the body is of.
pub fn admin_body(input: &[u8]) {
    parse_one_of(&BODIES, input);
}

fn parse_one_of(parsers: &[Parser], input: &[u8]) {
    let Some((choice, input)) = input.split_first() else { return };
    let (_, parse) = parsers[usize::from(*choice) % parsers.len()];
    parse(input);
}

/// No certificate stops the reading of its names, and each name is one that an operator can register as it is.
pub fn x509(input: &[u8]) {
    for name in names::of(input) {
        assert_eq!(names::written(name.field, &name.value).as_ref(), Some(&name));
    }
}
