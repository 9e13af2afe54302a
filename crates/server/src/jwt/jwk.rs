//! Keys as JSON (RFC 7517): ours, for whoever checks our tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use northgate_core::signing::{PublicKey, SigningKey};
use serde_json::{Value, json};

/// The JWK Set of these keys, as text.
pub fn set<'k>(keys: impl Iterator<Item = &'k SigningKey>) -> String {
    json!({ "keys": keys.map(jwk).collect::<Vec<_>>() }).to_string()
}

fn jwk(key: &SigningKey) -> Value {
    let text = |bytes: &[u8; 32]| URL_SAFE_NO_PAD.encode(bytes);
    let (kid, alg) = (key.kid(), key.algorithm().as_str());
    match key.public() {
        // RFC 8037 §2.
        PublicKey::Ed25519(x) => {
            json!({ "kty": "OKP", "crv": "Ed25519", "x": text(x), "kid": kid, "alg": alg, "use": "sig" })
        }
        // RFC 7518 §6.2.1.
        PublicKey::P256 { x, y } => {
            json!({ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y), "kid": kid, "alg": alg, "use": "sig" })
        }
    }
}
