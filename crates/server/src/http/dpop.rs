//! DPoP proofs (RFC 9449): a signature of the client over one request, without which a stolen token is useless.

mod uri;

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::HeaderName;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use northgate_core::clock::Timestamp;
use northgate_core::possession::KeyProof;
use northgate_core::signing::Algorithm;
use serde::Deserialize;
use serde_json::Value;

use crate::jose::jwk;
use crate::jose::jws::{Jws, JwsError};
use crate::jose::members::{numeric_date, present};
use crate::parse_bounds::MEMBERS_MAX;

pub const DPOP: HeaderName = HeaderName::from_static("dpop");

const TYPE: &str = "dpop+jwt";

/// The longest validity after `iat`: covers a slow connection and clock skew.
pub const MAX_AGE: Duration = Duration::from_secs(60);

/// The farthest that a client's clock may be ahead.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(30);

/// The longest proof. Proofs with supported keys are below 1,000 characters, plus a long URI.
pub const LONGEST: usize = 8_192;

/// Signature algorithms of proofs. RFC 9864 gives EdDSA with Ed25519 a name of its own, and libraries write either.
pub const ALGORITHMS: [(&str, Algorithm); 3] =
    [("EdDSA", Algorithm::EdDsa), ("Ed25519", Algorithm::EdDsa), ("ES256", Algorithm::Es256)];

/// The request that a proof has to match.
pub struct Call<'c> {
    pub method: &'c str,
    /// With scheme and host; query and fragment do not matter.
    pub uri: &'c str,
    /// The access token of the call, if there is one.
    pub access_token: Option<&'c str>,
}

/// Reason why a proof is invalid (RFC 9449 §4.3). Each shows in the request itself, so that any sender may learn it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("there are two DPoP proofs")]
    Two,
    #[error("there is no DPoP proof")]
    Missing,
    #[error("the DPoP proof is malformed")]
    Malformed,
    #[error("the DPoP proof is longer than {LONGEST} bytes")]
    TooLong,
    #[error("the header or the claims of the DPoP proof have more than {MEMBERS_MAX} members and elements")]
    TooMany,
    #[error("the DPoP proof has crit, and no extension is known")]
    Critical,
    #[error("the jti of the DPoP proof is empty")]
    Id,
    #[error("the DPoP proof has another typ than {TYPE}")]
    Type,
    #[error(
        "the key in the DPoP proof is not a public one of Ed25519 or P-256, is weak, or alg is not its algorithm"
    )]
    Key,
    #[error("the DPoP proof is not signed by the key in it")]
    Signature,
    #[error("the DPoP proof is about another method")]
    Method,
    #[error("the DPoP proof is about another URI")]
    Uri,
    #[error("the DPoP proof is too old or issued in the future")]
    Time,
    #[error("the DPoP proof has expired or is not valid yet by its own exp or nbf")]
    Validity,
    #[error("the DPoP proof is about another access token")]
    AccessToken,
    /// The gateway has to name the call.
    #[error("the gateway does not say what method and URI the call has")]
    NoCall,
}

/// The `error_description` of a replayed proof.
pub const REPLAYED: &str = "The DPoP proof was used before: sign a new one for every try, also for those that the HTTP client makes itself.";

impl ProofError {
    /// The `error_description` for the client.
    pub fn description(self) -> &'static str {
        match self {
            ProofError::Two => "There is more than one DPoP header.",
            ProofError::Missing => "The DPoP proof is missing.",
            ProofError::Malformed => {
                "The DPoP proof is not one JWT with typ, alg and jwk in its header and jti, htm, htu and iat in its claims, or one of its members is of another type."
            }
            ProofError::TooLong => "The DPoP proof is longer than 8192 bytes.",
            ProofError::TooMany => "The header or the claims of the DPoP proof have more than 32 members.",
            ProofError::Critical => "The DPoP proof has a crit header, and no extension is known.",
            ProofError::Id => "The jti of the DPoP proof is empty.",
            ProofError::Type => "The typ of the DPoP proof is not dpop+jwt.",
            ProofError::Key => {
                "The jwk of the DPoP proof is not a public key of Ed25519 or P-256 with the alg that belongs to it (EdDSA, Ed25519 or ES256), or is a weak key."
            }
            ProofError::Signature => "The DPoP proof is not signed by the key in it.",
            ProofError::Method => "The DPoP proof is about another method (htm).",
            ProofError::Uri => "The DPoP proof is about another URL (htu).",
            ProofError::Time => {
                "The DPoP proof was made (iat) more than 60 s ago or more than 30 s ahead: compare the clocks."
            }
            ProofError::Validity => {
                "The DPoP proof has expired (exp) or is not good yet (nbf): compare the clocks."
            }
            ProofError::AccessToken => "The DPoP proof is about another access token (ath).",
            ProofError::NoCall => "The gateway does not say which call the DPoP proof has to be about.",
        }
    }
}

#[derive(Deserialize)]
struct Header {
    typ: String,
    alg: String,
    jwk: Value,
    /// Critical extensions (RFC 7515 §4.1.11): none is supported.
    #[serde(default, deserialize_with = "present")]
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Payload {
    jti: String,
    htm: String,
    htu: String,
    iat: f64,
    /// RFC 9449 requires neither; where one is present, it holds (RFC 7519 §4.1.4, §4.1.5).
    exp: Option<f64>,
    nbf: Option<f64>,
    ath: Option<String>,
}

/// Verifies a proof for this call. The replay check follows after authentication: until then the proof takes no room, and a
/// refused request does not use it up.
pub fn verify(proof: &[u8], call: &Call<'_>, now: Timestamp) -> Result<KeyProof, ProofError> {
    if proof.len() > LONGEST {
        return Err(ProofError::TooLong);
    }
    let proof = std::str::from_utf8(proof).map_err(|_| ProofError::Malformed)?;
    let jws = Jws::split(proof).map_err(malformed)?;
    let header: Header = jws.header().map_err(malformed)?;
    if header.typ != TYPE {
        return Err(ProofError::Type);
    }
    if header.crit.is_some() {
        return Err(ProofError::Critical);
    }
    let key = jwk::signing_key(&header.jwk).ok_or(ProofError::Key)?;
    if !ALGORITHMS.contains(&(&header.alg, key.algorithm())) {
        return Err(ProofError::Key);
    }
    let signature = jws.signature().map_err(malformed)?;
    if !key.has_signed(jws.signed.as_bytes(), &signature) {
        return Err(ProofError::Signature);
    }
    let payload: Payload = jws.payload().map_err(malformed)?;
    payload.is_about(call, now)?;
    let key = jwk::thumbprint(&key);
    let mut half = [0; 16];
    half.copy_from_slice(&digest(&SHA256, &[&key[..], payload.jti.as_bytes()].concat()).as_ref()[..16]);
    Ok(KeyProof { key, digest: half, good_until: payload.made_at().plus(MAX_AGE) })
}

impl Payload {
    fn is_about(&self, call: &Call<'_>, now: Timestamp) -> Result<(), ProofError> {
        if self.htm != call.method {
            return Err(ProofError::Method);
        }
        if uri::normalize(&self.htu).is_none_or(|htu| uri::normalize(call.uri) != Some(htu)) {
            return Err(ProofError::Uri);
        }
        let made_at = self.made_at();
        if now.since(made_at) > MAX_AGE || made_at.since(now) > MAX_CLOCK_SKEW {
            return Err(ProofError::Time);
        }
        let is_over = self.exp.is_some_and(|end| now >= numeric_date(end).plus(MAX_CLOCK_SKEW));
        if is_over || self.nbf.is_some_and(|begin| numeric_date(begin) > now.plus(MAX_CLOCK_SKEW)) {
            return Err(ProofError::Validity);
        }
        let hash = call.access_token.map(|token| digest(&SHA256, token.as_bytes()));
        let expected = hash.map(|hash| URL_SAFE_NO_PAD.encode(hash));
        if expected.is_some() && self.ath != expected {
            return Err(ProofError::AccessToken);
        }
        if self.jti.is_empty() { Err(ProofError::Id) } else { Ok(()) }
    }

    fn made_at(&self) -> Timestamp {
        numeric_date(self.iat)
    }
}

fn malformed(error: JwsError) -> ProofError {
    match error {
        JwsError::Malformed => ProofError::Malformed,
        JwsError::TooMany => ProofError::TooMany,
    }
}
