//! JWS compact serialization (RFC 7515 §3.1): base64url parts with dots between them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::parse_bounds::{TooMany, check_json};

/// A JWS taken apart; nothing of it is decoded or verified yet.
pub struct Jws<'t> {
    /// The JWS signing input: the header and the payload with the dot between them.
    pub signed: &'t str,
    header: &'t str,
    payload: &'t str,
    signature: &'t str,
}

/// The reason why a text is not a JWS with the expected parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwsError {
    /// It is not three parts, or a part is not base64url or not the expected JSON.
    Malformed,
    /// The header or the payload exceeds the bound on members.
    TooMany,
}

impl Jws<'_> {
    /// Takes `text` apart.
    pub fn split(text: &str) -> Result<Jws<'_>, JwsError> {
        let (signed, signature) = text.rsplit_once('.').ok_or(JwsError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(JwsError::Malformed)?;
        Ok(Jws { signed, header, payload, signature })
    }

    pub fn header<T: DeserializeOwned>(&self) -> Result<T, JwsError> {
        decode(self.header)
    }

    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, JwsError> {
        decode(self.payload)
    }

    pub fn signature(&self) -> Result<Vec<u8>, JwsError> {
        URL_SAFE_NO_PAD.decode(self.signature).map_err(|_| JwsError::Malformed)
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

fn decode<T: DeserializeOwned>(part: &str) -> Result<T, JwsError> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| JwsError::Malformed)?;
    check_json(&json).map_err(|TooMany| JwsError::TooMany)?;
    serde_json::from_slice(&json).map_err(|_| JwsError::Malformed)
}
