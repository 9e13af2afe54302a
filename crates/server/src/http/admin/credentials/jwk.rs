//! A public key as JSON (RFC 7517), and as the DER that is kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

/// The members that matter; others, such as `kid` and `use`, are ignored.
#[derive(Deserialize)]
pub struct Jwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    /// The private part, which nobody should hand out.
    d: Option<Value>,
}

/// Why a JWK cannot be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    #[error("the JWK has a private key in it (d): register the public one, and make a new pair")]
    Private,
    #[error("the JWK is neither OKP with Ed25519, EC with P-256 nor RSA")]
    Unknown,
    #[error("a number of the JWK is missing, no base64url or of the wrong length")]
    Number,
}

const ED25519: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70";
const P256: &[u8] = b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;

impl Jwk {
    /// Its SubjectPublicKeyInfo (RFC 5280 §4.1).
    pub fn spki(&self) -> Result<Vec<u8>, JwkError> {
        if self.d.is_some() {
            return Err(JwkError::Private);
        }
        let (algorithm, key) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => (ED25519, number(&self.x, Some(32))?),
            ("EC", Some("P-256")) => {
                (P256, [vec![4], number(&self.x, Some(32))?, number(&self.y, Some(32))?].concat())
            }
            ("RSA", _) => {
                let integers = [integer(&number(&self.n, None)?), integer(&number(&self.e, None)?)].concat();
                (RSA, element(SEQUENCE, &integers))
            }
            (_, _) => return Err(JwkError::Unknown),
        };
        // Its first byte counts the unused bits.
        let key = element(BIT_STRING, &[&[0], &key[..]].concat());
        Ok(element(SEQUENCE, &[algorithm, &key[..]].concat()))
    }
}

fn number(text: &Option<String>, length: Option<usize>) -> Result<Vec<u8>, JwkError> {
    let bytes =
        URL_SAFE_NO_PAD.decode(text.as_ref().ok_or(JwkError::Number)?).map_err(|_| JwkError::Number)?;
    let is_good = length.map_or(!bytes.is_empty(), |length| bytes.len() == length);
    if is_good { Ok(bytes) } else { Err(JwkError::Number) }
}

/// A positive one: its first bit is a sign.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = &bytes[zeros..];
    let sign: &[u8] = if bytes.first().is_none_or(|first| *first >= 0x80) { &[0] } else { &[] };
    element(INTEGER, &[sign, bytes].concat())
}

fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let header = match length {
        0..=0x7f => vec![tag, length as u8],
        0x80..=0xff => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [&header, contents].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use northgate_core::credential::PublicKey;

    /// RFC 8037 appendix A.2, RFC 7517 appendix A.1.
    const ED25519_JWK: &str =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    const P256_JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"}"#;
    const RSA_JWK: &str = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB"}"#;

    fn spki(json: &str) -> Result<Vec<u8>, JwkError> {
        serde_json::from_str::<Jwk>(json).expect("a JWK").spki()
    }

    #[test]
    fn a_jwk_is_the_key_that_it_says() {
        for (json, family) in [(ED25519_JWK, "Ed25519"), (P256_JWK, "P-256"), (RSA_JWK, "RSA")] {
            let key = PublicKey::parse(&spki(json).expect("a key")).expect("a key that is known");
            assert_eq!(key.family(), family);
        }
    }

    #[test]
    fn a_private_key_is_refused() {
        let private = ED25519_JWK.replace('}', r#","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#);
        assert_eq!(spki(&private), Err(JwkError::Private));
        assert_eq!(spki(r#"{"kty":"oct","k":"AA"}"#), Err(JwkError::Unknown));
        assert_eq!(spki(r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#), Err(JwkError::Number));
    }
}
