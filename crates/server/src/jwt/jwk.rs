//! Keys as JSON (RFC 7517): ours, for whoever checks our tokens, and those that applications show.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use northgate_core::signing::{PublicKey, SigningKey};
use serde_json::{Value, json};

/// The JWK Set of these keys, as text.
pub fn set<'k>(keys: impl Iterator<Item = &'k SigningKey>) -> String {
    json!({ "keys": keys.map(jwk).collect::<Vec<_>>() }).to_string()
}

/// The public key that `jwk` is, if it is of a kind that we know, nothing in it is secret, and not everybody can sign by it.
pub fn parse(jwk: &Value) -> Option<PublicKey> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes =
        |name: &str| -> Option<[u8; 32]> { URL_SAFE_NO_PAD.decode(text(name)?).ok()?.try_into().ok() };
    if jwk.get("d").is_some() {
        return None;
    }
    let key = match (text("kty")?, text("crv")?) {
        ("OKP", "Ed25519") => PublicKey::Ed25519(bytes("x")?),
        ("EC", "P-256") => PublicKey::P256 { x: bytes("x")?, y: bytes("y")? },
        (_, _) => return None,
    };
    key.trustworthy()
}

/// What names a key wherever it is (RFC 7638).
pub fn thumbprint(key: &PublicKey) -> [u8; 32] {
    let text = |bytes: &[u8; 32]| URL_SAFE_NO_PAD.encode(bytes);
    let members = match key {
        PublicKey::Ed25519(x) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(x)),
        PublicKey::P256 { x, y } => {
            format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, text(x), text(y))
        }
    };
    let mut thumbprint = [0; 32];
    thumbprint.copy_from_slice(digest(&SHA256, members.as_bytes()).as_ref());
    thumbprint
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

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8037, appendix A.3.
    #[test]
    fn the_thumbprint_is_the_one_of_the_standard() {
        let key = parse(
            &json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }),
        );
        let thumbprint = thumbprint(&key.expect("a key"));
        assert_eq!(URL_SAFE_NO_PAD.encode(thumbprint), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_key_that_is_secret_or_of_another_kind_is_none() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        for bad in [
            json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "d": x }),
            json!({ "kty": "OKP", "crv": "X25519", "x": x }),
            json!({ "kty": "oct", "k": x }),
            json!({ "kty": "EC", "crv": "P-256", "x": x }),
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA" }),
            json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode([0; 32]) }),
            json!("key"),
        ] {
            assert_eq!(parse(&bad), None, "{bad}");
        }
    }
}
