//! JWS compact serialization (RFC 7515 §3.1): base64url parts with dots between them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::members::are_few;

/// A JWS taken apart; nothing of it is decoded or verified yet.
pub struct Jws<'t> {
    /// The JWS signing input: the header and the payload with the dot between them.
    pub signed: &'t str,
    header: &'t str,
    payload: &'t str,
    signature: &'t str,
}

/// A text that is not three parts, or a part that is not base64url, not the expected JSON, or has too many members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Jws<'_> {
    /// Takes `text` apart.
    pub fn split(text: &str) -> Result<Jws<'_>, Malformed> {
        let (signed, signature) = text.rsplit_once('.').ok_or(Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Malformed)?;
        Ok(Jws { signed, header, payload, signature })
    }

    pub fn header<T: DeserializeOwned>(&self) -> Result<T, Malformed> {
        decode(self.header)
    }

    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Malformed> {
        decode(self.payload)
    }

    pub fn signature(&self) -> Result<Vec<u8>, Malformed> {
        URL_SAFE_NO_PAD.decode(self.signature).map_err(|_| Malformed)
    }
}

/// The JWS of this header and payload, under the signature that `sign` makes of the signing input.
pub fn sign(
    header: &impl Serialize,
    payload: &impl Serialize,
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> String {
    let mut text = format!("{}.{}", encode(header), encode(payload));
    let signature = URL_SAFE_NO_PAD.encode(sign(text.as_bytes()));
    text.push('.');
    text.push_str(&signature);
    text
}

fn encode(part: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(part).expect("texts and numbers are JSON"))
}

fn decode<T: DeserializeOwned>(part: &str) -> Result<T, Malformed> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| Malformed)?;
    if !are_few(&json) {
        return Err(Malformed);
    }
    serde_json::from_slice(&json).map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn payload_of(json: &Value) -> Result<Value, Malformed> {
        let text = sign(&json!({}), json, |_| Vec::new());
        Jws::split(&text)?.payload()
    }

    #[test]
    fn a_part_with_more_than_32_members_is_malformed_wherever_they_are() {
        let members = |count: usize| (0..count).map(|n| (n.to_string(), json!(1))).collect::<Value>();
        assert!(payload_of(&members(32)).is_ok());
        assert_eq!(payload_of(&members(33)), Err(Malformed));
        assert_eq!(payload_of(&json!({ "inside": members(32) })), Err(Malformed));
        assert_eq!(payload_of(&json!({ "aud": vec![1; 34] })), Err(Malformed));
        let nested = (0..40).fold(json!(1), |inside, _| json!({ "n": inside }));
        assert_eq!(payload_of(&nested), Err(Malformed));
    }
}
