//! Proof of possession: binds an access token to a key (DPoP, RFC 9449) or a certificate (mutual TLS, RFC 8705). Each DPoP proof
//! is single-use.

use std::time::Duration;

use crate::admit::{Caller, Proof};
use crate::application::Application;
use crate::auth::Auth;
use crate::clock::Timestamp;
use crate::policy::{BindTokens, Dpop, Policy};
use crate::replay::ReplayError;
use crate::token::Binding;

/// A DPoP proof that is valid for its request. The replay check comes later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyProof {
    /// The thumbprint of the key that made it (RFC 7638).
    pub key: [u8; 32],
    /// Half of a SHA-256 over the key and the `jti`.
    pub digest: [u8; 16],
    /// The last moment of its validity.
    pub good_until: Timestamp,
}

/// The client's proof of possession, to which its access token can be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Possession {
    /// The application API has no proofs.
    NotAsked,
    NotShown,
    Proof(KeyProof),
}

/// Evidence of a call's sender, to which its token may be bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The certificate with this thumbprint is on its connection.
    Certificate([u8; 32]),
    Key(KeyProof),
}

/// Reason why a proof, or its absence, refuses a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PossessionError {
    #[error("the application must send a DPoP proof with each request for a token, and did not")]
    Missing,
    /// The client would take the unbound token for a bound one.
    #[error("the application sends a DPoP proof, and its policy takes none")]
    NotTaken,
    #[error("the DPoP proof was used before")]
    Replayed,
    #[error("the application has filled its share of the replay cache of DPoP proofs; retry in {}s", .0.as_secs_f32())]
    Full(Duration),
}

impl Evidence {
    /// The binding that this evidence satisfies.
    pub fn binding(&self) -> Binding {
        match self {
            Evidence::Certificate(thumbprint) => Binding::Certificate(*thumbprint),
            Evidence::Key(proof) => Binding::Key(proof.key),
        }
    }
}

impl Auth {
    /// The binding of an access token for an authenticated client: the key that it proves, else the certificate that it
    /// authenticated by, or by policy any certificate on its connection. Records the use of the proof last, so that no request
    /// that fails for another reason uses it up.
    pub(crate) fn bind(
        &self,
        caller: &Caller<'_>,
        application: &Application,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Option<Binding>, PossessionError> {
        let is_bound = match caller.proof {
            Proof::Certificate => true,
            Proof::Secret(_) | Proof::Assertion(..) => policy.bind_tokens == BindTokens::Presented,
        };
        let certificate = caller.certificate.filter(|_| is_bound);
        let certificate = certificate.map(|certificate| Binding::Certificate(certificate.thumbprint));
        match (policy.dpop, caller.possession) {
            (Dpop::Off | Dpop::Presented | Dpop::Required, Possession::NotAsked)
            | (Dpop::Off | Dpop::Presented, Possession::NotShown) => Ok(certificate),
            (Dpop::Presented | Dpop::Required, Possession::Proof(proof)) => {
                self.token_proofs.record_once(application.number, &proof, now)?;
                Ok(Some(Binding::Key(proof.key)))
            }
            (Dpop::Off, Possession::Proof(_)) => Err(PossessionError::NotTaken),
            (Dpop::Required, Possession::NotShown) => Err(PossessionError::Missing),
        }
    }
}

impl From<ReplayError> for PossessionError {
    fn from(error: ReplayError) -> PossessionError {
        match error {
            ReplayError::Replayed => PossessionError::Replayed,
            ReplayError::Full(wait) => PossessionError::Full(wait),
        }
    }
}
