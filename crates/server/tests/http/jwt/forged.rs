//! Forged signed access tokens (RFC 9068 §4, RFC 8725).

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use northgate_core::signing::Algorithm;
use serde_json::{Value, json};

use crate::jwt::client::*;
use crate::support::world::World;

/// A token with this header and these claims, signed by the server's own key.
fn signed(world: &World, header: &Value, said: &Value) -> String {
    let text = format!("{}.{}", encoded(header), encoded(said));
    let keyring = world.auth.keyring();
    let signature = keyring.signing(Algorithm::EdDsa, world.clock.now()).sign(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

async fn refused(world: &World, token: &str) -> bool {
    let is_refused = world.verify(token).await.status == 403;
    assert_eq!(introspect(world, token).await == json!({ "active": false }), is_refused);
    is_refused
}

/// RFC 9068 §4: "The resource server MUST verify that the "typ" header value is "at+jwt" or "application/at+jwt" and
/// reject tokens carrying any other "typ" value."
#[tokio::test]
async fn another_type_is_refused() {
    let world = signing(Algorithm::EdDsa).await;
    let token = token(&world).await;
    let (header, said) = (part(&token, 0), part(&token, 1));
    let typed = |typ: &str| {
        let mut header = header.clone();
        header["typ"] = typ.into();
        signed(&world, &header, &said)
    };
    assert!(!refused(&world, &typed("application/at+jwt")).await);
    for typ in ["JWT", "dpop+jwt", "", "at"] {
        assert!(refused(&world, &typed(typ)).await, "{typ}");
    }
}

/// RFC 9068 §4: "The issuer identifier […] MUST exactly match the value of the "iss" claim." "The resource server MUST
/// validate that the "aud" claim contains a resource indicator value corresponding to an identifier the resource server
/// expects for itself."
#[tokio::test]
async fn another_issuer_or_audience_is_refused() {
    let world = signing(Algorithm::EdDsa).await;
    let token = token(&world).await;
    for name in ["iss", "aud"] {
        let mut said = part(&token, 1);
        assert!(!refused(&world, &signed(&world, &part(&token, 0), &said)).await);
        said[name] = "https://tokens.example.com/".into();
        assert!(refused(&world, &signed(&world, &part(&token, 0), &said)).await, "{name}");
    }
}

/// RFC 9068 §4: "The resource server MUST reject any JWT in which the value of "alg" is "none"." RFC 8725 §3.1: the
/// algorithm is the key's. The header is what a forger writes.
#[tokio::test]
async fn the_algorithm_in_the_header_decides_nothing() {
    let world = signing(Algorithm::EdDsa).await;
    let token = token(&world).await;
    let text = |alg: &str| {
        let mut header = part(&token, 0);
        header["alg"] = alg.into();
        format!("{}.{}", encoded(&header), encoded(&part(&token, 1)))
    };
    assert!(refused(&world, &format!("{}.", text("none"))).await);
    for alg in ["none", "None", "ES256", "eddsa", "HS256"] {
        let signature = token.rsplit_once('.').unwrap().1;
        assert!(refused(&world, &format!("{}.{signature}", text(alg))).await, "{alg}");
    }
    // The public key as an HMAC key.
    let set = get(world.public, "/oauth2/jwks", "").await.body;
    let jwks: Value = serde_json::from_str(&set).unwrap();
    let public = URL_SAFE_NO_PAD.decode(jwks["keys"][0]["x"].as_str().unwrap()).unwrap();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &public), text("HS256").as_bytes());
    assert!(refused(&world, &format!("{}.{}", text("HS256"), URL_SAFE_NO_PAD.encode(tag))).await);
}

/// RFC 7515 §4.1.11: extensions that are not understood make a token invalid.
#[tokio::test]
async fn a_header_with_more_in_it_is_refused() {
    let world = signing(Algorithm::EdDsa).await;
    let token = token(&world).await;
    for (name, value) in [("crit", json!(["b64"])), ("jwk", json!({})), ("jku", json!("https://e.example"))] {
        let mut header = part(&token, 0);
        header[name] = value;
        assert!(refused(&world, &signed(&world, &header, &part(&token, 1))).await, "{name}");
    }
}

#[tokio::test]
async fn a_token_of_another_installation_or_with_another_letter_is_refused() {
    let (world, other) = (signing(Algorithm::EdDsa).await, signing(Algorithm::EdDsa).await);
    assert!(refused(&world, &token(&other).await).await);
    let token = token(&world).await;
    assert!(!refused(&world, &token).await);
    for at in (0..token.len()).step_by(7) {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert!(refused(&world, &String::from_utf8(changed).unwrap()).await, "{at}");
    }
}

#[tokio::test]
async fn texts_with_dots_are_no_tokens() {
    let world = signing(Algorithm::EdDsa).await;
    for text in [".", "..", "...", "a.b.c", "e30.e30.e30", &format!("{}.", "a".repeat(5_000))] {
        assert!(refused(&world, text).await, "{text}");
    }
}
