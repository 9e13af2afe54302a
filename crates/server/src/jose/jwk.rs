//! JWK (RFC 7517): the published key set, the keys that clients register, and those in their DPoP proofs.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use northgate_core::credential::{self, KeyError};
use northgate_core::signing::{PublicKey, SigningKey};
use serde_json::{Value, json};

/// The JWK Set (RFC 7517 §5) of these keys, as text.
pub fn set<'k>(keys: impl Iterator<Item = &'k SigningKey>) -> String {
    json!({ "keys": keys.map(jwk).collect::<Vec<_>>() }).to_string()
}

/// A public JWK of a supported type. Other members, such as `kid` and `use`, are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jwk {
    /// RFC 8037 §2.
    Ed25519 { x: [u8; 32] },
    /// RFC 7518 §6.2.1.
    P256 { x: [u8; 32], y: [u8; 32] },
    /// RFC 7518 §6.3.1; big-endian.
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

/// The reason why a JWK cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    #[error("the JWK has a private key in it (d): register the public one, and make a new pair")]
    Private,
    #[error("the JWK is neither OKP with Ed25519, EC with P-256 nor RSA")]
    Unknown,
    #[error("a number of the JWK is missing, no base64url or of the wrong length")]
    Number,
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Jwk {
    /// Reads a JWK (RFC 7517 §4).
    pub fn read(jwk: &Value) -> Result<Jwk, JwkError> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let number = |name: &str| {
            let bytes = URL_SAFE_NO_PAD.decode(text(name).ok_or(JwkError::Number)?);
            bytes.ok().filter(|bytes| !bytes.is_empty()).ok_or(JwkError::Number)
        };
        let coordinate = |name: &str| number(name)?.try_into().map_err(|_| JwkError::Number);
        if jwk.get("d").is_some() {
            return Err(JwkError::Private);
        }
        match (text("kty"), text("crv")) {
            (Some("OKP"), Some("Ed25519")) => Ok(Jwk::Ed25519 { x: coordinate("x")? }),
            (Some("EC"), Some("P-256")) => Ok(Jwk::P256 { x: coordinate("x")?, y: coordinate("y")? }),
            (Some("RSA"), _) => Ok(Jwk::Rsa { n: number("n")?, e: number("e")? }),
            (_, _) => Err(JwkError::Unknown),
        }
    }

    /// The key of a credential that signs client assertions.
    pub fn credential(&self) -> Result<credential::AssertionKey, JwkError> {
        let key = match self {
            Jwk::Ed25519 { x } => credential::AssertionKey::ed25519(x),
            Jwk::P256 { x, y } => credential::AssertionKey::p256(x, y),
            Jwk::Rsa { n, e } => credential::AssertionKey::rsa(n, e),
        };
        Ok(key?)
    }
}

/// The key of a DPoP proof: a public key of Ed25519 or P-256, and a strong one.
pub fn signing_key(jwk: &Value) -> Option<PublicKey> {
    let key = match Jwk::read(jwk).ok()? {
        Jwk::Ed25519 { x } => PublicKey::Ed25519(x),
        Jwk::P256 { x, y } => PublicKey::P256 { x, y },
        Jwk::Rsa { .. } => return None,
    };
    key.trustworthy()
}

/// The thumbprint of a key (RFC 7638).
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
        let key = signing_key(
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
            assert_eq!(signing_key(&bad), None, "{bad}");
        }
    }

    /// RFC 8037 appendix A.2, RFC 7517 appendix A.1.
    const ED25519_JWK: &str =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    const P256_JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"}"#;
    const RSA_JWK: &str = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB"}"#;

    fn credential(json: &str) -> Result<credential::AssertionKey, JwkError> {
        Jwk::read(&serde_json::from_str(json).expect("JSON"))?.credential()
    }

    #[test]
    fn a_jwk_is_registered_as_the_key_that_it_says() {
        for (json, family) in [(ED25519_JWK, "Ed25519"), (P256_JWK, "P-256"), (RSA_JWK, "RSA")] {
            assert_eq!(credential(json).expect("a key").family(), family);
        }
    }

    #[test]
    fn a_private_key_is_not_registered() {
        let private = ED25519_JWK.replace('}', r#","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#);
        assert_eq!(credential(&private).map(|_| ()), Err(JwkError::Private));
        assert_eq!(credential(r#"{"kty":"oct","k":"AA"}"#).map(|_| ()), Err(JwkError::Unknown));
        assert_eq!(
            credential(r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#).map(|_| ()),
            Err(JwkError::Number)
        );
    }
}
