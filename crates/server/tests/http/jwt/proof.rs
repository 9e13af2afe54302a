//! A client's proof of possession, right or with something wrong in it.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use northgate_core::clock::Timestamp;
use northgate_core::keyring::{Keyring, KeyringRecord};
use northgate_core::signing::{Algorithm, SigningKey};
use northgate_server::jose::jwk;
use serde_json::{Value, json};

use crate::jwt::client::{ISSUER, encoded};
use crate::support::world::BEGIN_S;

const NOW: Timestamp = Timestamp::from_millis(0);

/// A key of a client.
pub struct Holder {
    keys: Keyring,
    algorithm: Algorithm,
}

/// What a proof says before it is signed.
#[derive(Clone)]
pub struct Proof {
    pub header: Value,
    pub said: Value,
}

impl Holder {
    pub fn new(algorithm: Algorithm) -> Holder {
        Holder { keys: Keyring::new(KeyringRecord::random(NOW)).unwrap(), algorithm }
    }

    fn key(&self) -> &SigningKey {
        self.keys.signing(self.algorithm, NOW)
    }

    /// The thumbprint of the public key.
    pub fn jkt(&self) -> String {
        URL_SAFE_NO_PAD.encode(jwk::thumbprint(self.key().public()))
    }

    fn jwk(&self) -> Value {
        let set: Value = serde_json::from_str(&jwk::set(std::iter::once(self.key()))).unwrap();
        set["keys"][0].clone()
    }

    /// A proof for the token endpoint, made when the world began; each has its own id.
    pub fn proof(&self) -> Proof {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let jti = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
        Proof {
            header: json!({ "typ": "dpop+jwt", "alg": self.algorithm.as_str(), "jwk": self.jwk() }),
            said: json!({ "jti": jti, "htm": "POST", "htu": format!("{ISSUER}/oauth2/token"), "iat": BEGIN_S }),
        }
    }

    /// A proof for a call on the platform with a token.
    pub fn proof_of_call(&self, method: &str, uri: &str, token: &str) -> Proof {
        let ath = URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()));
        self.proof().saying("htm", method).saying("htu", uri).saying("ath", ath)
    }

    pub fn sign(&self, proof: &Proof) -> String {
        let text = format!("{}.{}", encoded(&proof.header), encoded(&proof.said));
        let signature = self.key().sign(text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The header line with it.
    pub fn line(&self, proof: &Proof) -> String {
        format!("DPoP: {}\r\n", self.sign(proof))
    }
}

impl Proof {
    /// The same with another value, or `null` for none.
    pub fn saying(mut self, name: &str, value: impl Into<Value>) -> Proof {
        set(&mut self.said, name, value.into());
        self
    }

    pub fn headed(mut self, name: &str, value: impl Into<Value>) -> Proof {
        set(&mut self.header, name, value.into());
        self
    }
}

fn set(part: &mut Value, name: &str, value: Value) {
    let members = part.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
}
