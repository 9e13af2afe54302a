//! Proofs of possession (RFC 9449): a statement about one request, signed by a key of the application, which comes beside
//! its token so that a stolen token alone is of no use.

pub mod seen;
mod uri;

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::HeaderName;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use northgate_core::clock::Timestamp;
use northgate_core::signing::Algorithm;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::jwt::jwk;
use seen::Seen;

pub const DPOP: HeaderName = HeaderName::from_static("dpop");

const TYPE: &str = "dpop+jwt";

/// How long after it was made a proof is accepted: a slow connection, and clocks that differ.
pub const OLD_MAX: Duration = Duration::from_secs(60);

/// How far ahead a client's clock may be.
pub const AHEAD_MAX: Duration = Duration::from_secs(30);

/// Proofs with the keys that we know are below 1,000 characters; a long URI may be in it.
const LONGEST: usize = 8_192;

/// How a proof may be signed. RFC 9864 has given EdDSA with Ed25519 a name of its own, and libraries write either.
pub const ALGORITHMS: [(&str, Algorithm); 3] =
    [("EdDSA", Algorithm::EdDsa), ("Ed25519", Algorithm::EdDsa), ("ES256", Algorithm::Es256)];

/// What a proof has to be about.
pub struct Call<'c> {
    pub method: &'c str,
    /// With scheme and host; what follows a `?` or `#` does not matter.
    pub uri: &'c str,
    /// Where there is one already.
    pub access_token: Option<&'c str>,
}

/// Why a proof is none (RFC 9449 §4.3). For the log: the client hears only that it is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("there are two DPoP proofs")]
    Two,
    #[error("the DPoP proof is malformed")]
    Malformed,
    #[error("the DPoP proof has another typ than {TYPE}")]
    Type,
    #[error("the key in the DPoP proof is not a public one of Ed25519 or P-256, or alg is not its algorithm")]
    Key,
    #[error("the DPoP proof is not signed by the key in it")]
    Signature,
    #[error("the DPoP proof is about another method")]
    Method,
    #[error("the DPoP proof is about another URI")]
    Uri,
    #[error("the DPoP proof is too old or from the future")]
    Time,
    #[error("the DPoP proof is about another access token")]
    AccessToken,
    #[error("the DPoP proof was used before")]
    Again,
    /// A gateway has to say what call it asks about.
    #[error("the gateway does not say what method and URI the call has")]
    NoCall,
}

#[derive(Deserialize)]
struct Header {
    typ: String,
    alg: String,
    jwk: Value,
    /// Extensions that must be understood (RFC 7515 §4.1.11): there is none that we do.
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Payload {
    jti: String,
    htm: String,
    htu: String,
    iat: f64,
    ath: Option<String>,
}

/// The thumbprint of the key that made `proof`, if the proof is about this call and was not used before.
pub fn check(proof: &[u8], call: &Call<'_>, seen: &Seen, now: Timestamp) -> Result<[u8; 32], ProofError> {
    let proof = std::str::from_utf8(proof).ok().filter(|proof| proof.len() <= LONGEST);
    let (signed, signature) = proof.and_then(|proof| proof.rsplit_once('.')).ok_or(ProofError::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(ProofError::Malformed)?;
    let header: Header = parsed(header)?;
    if header.typ != TYPE {
        return Err(ProofError::Type);
    }
    if header.crit.is_some() {
        return Err(ProofError::Malformed);
    }
    let key = jwk::parse(&header.jwk).ok_or(ProofError::Key)?;
    if !ALGORITHMS.contains(&(&header.alg, key.algorithm())) {
        return Err(ProofError::Key);
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| ProofError::Malformed)?;
    if !key.has_signed(signed.as_bytes(), &signature) {
        return Err(ProofError::Signature);
    }
    let payload: Payload = parsed(payload)?;
    payload.is_about(call, now)?;
    let thumbprint = jwk::thumbprint(&key);
    // Last, so that only good proofs take room.
    if !seen.is_new(&[&thumbprint[..], payload.jti.as_bytes()].concat(), now) {
        return Err(ProofError::Again);
    }
    Ok(thumbprint)
}

impl Payload {
    fn is_about(&self, call: &Call<'_>, now: Timestamp) -> Result<(), ProofError> {
        if self.htm != call.method {
            return Err(ProofError::Method);
        }
        if uri::normal(&self.htu).is_none_or(|htu| uri::normal(call.uri) != Some(htu)) {
            return Err(ProofError::Uri);
        }
        // A number that is none, or beyond all time, becomes one that is too old or too new.
        let made_at = Timestamp::from_millis((self.iat * 1000.0) as u64);
        if now.since(made_at) > OLD_MAX || made_at.since(now) > AHEAD_MAX {
            return Err(ProofError::Time);
        }
        let hash = call.access_token.map(|token| digest(&SHA256, token.as_bytes()));
        let expected = hash.map(|hash| URL_SAFE_NO_PAD.encode(hash));
        if expected.is_some() && self.ath != expected {
            return Err(ProofError::AccessToken);
        }
        if self.jti.is_empty() { Err(ProofError::Malformed) } else { Ok(()) }
    }
}

fn parsed<T: DeserializeOwned>(part: &str) -> Result<T, ProofError> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| ProofError::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| ProofError::Malformed)
}
