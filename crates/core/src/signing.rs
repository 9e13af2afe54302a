//! Signing keys of access tokens for offline verification, derived from a key of the keyring: every node with the keyring has
//! them, and nothing else is stored or distributed.

use aws_lc_rs::agreement::{self, ECDH_P256};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ed25519_point;
use crate::key_id::KeyId;
use crate::random;

/// Signature algorithms of access tokens (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Ed25519.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
}

impl Algorithm {
    pub const ALL: [Algorithm; 2] = [Algorithm::EdDsa, Algorithm::Es256];

    /// The order of publication: some libraries stop at the first key of an unknown type, and all know ES256.
    pub const BEST_KNOWN_FIRST: [Algorithm; 2] = [Algorithm::Es256, Algorithm::EdDsa];

    /// The registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::EdDsa => "EdDSA",
            Algorithm::Es256 => "ES256",
        }
    }
}

/// A set of algorithms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Algorithms {
    pub eddsa: bool,
    pub es256: bool,
}

impl Algorithms {
    pub fn contains(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::EdDsa => self.eddsa,
            Algorithm::Es256 => self.es256,
        }
    }

    pub fn insert(&mut self, algorithm: Algorithm) {
        match algorithm {
            Algorithm::EdDsa => self.eddsa = true,
            Algorithm::Es256 => self.es256 = true,
        }
    }
}

/// The public half of a signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicKey {
    Ed25519([u8; 32]),
    P256 { x: [u8; 32], y: [u8; 32] },
}

/// A signing key for one algorithm.
pub struct SigningKey {
    kid: String,
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
}

/// 128 random bits as text, for a token's `jti`.
pub fn unique() -> String {
    URL_SAFE_NO_PAD.encode(random::bytes::<16>())
}

impl SigningKey {
    /// The signing key of `id` for an algorithm; `derive` gives 32 bytes that depend on the key and a purpose.
    pub(crate) fn derive(id: KeyId, algorithm: Algorithm, derive: impl Fn(&[u8]) -> [u8; 32]) -> SigningKey {
        let (pair, public) = match algorithm {
            Algorithm::EdDsa => ed25519(&derive(b"northgate sign eddsa v1")),
            Algorithm::Es256 => p256(derive),
        };
        SigningKey { kid: kid(id, algorithm, &public), pair, public }
    }

    /// Its `kid`, the same for the life of the key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.public.algorithm()
    }

    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The signature over `message`, 64 bytes.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            // It fails only where the operating system has no random bytes; there is no safe way on.
            Pair::P256(pair) => {
                let signature = pair.sign(&random::source(), message);
                signature.expect("the operating system gives random bytes").as_ref().to_vec()
            }
        }
    }

    /// Verifies `signature` over `message`.
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.public.has_signed(message, signature)
    }
}

impl PublicKey {
    /// Its algorithm.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            PublicKey::Ed25519(_) => Algorithm::EdDsa,
            PublicKey::P256 { .. } => Algorithm::Es256,
        }
    }

    /// The key, if it is strong: points of small order are rejected, since any attacker can sign with them. Verification checks
    /// whether a P-256 point is on the curve.
    pub fn trustworthy(self) -> Option<PublicKey> {
        match &self {
            PublicKey::Ed25519(point) => ed25519_point::is_strong(point).then_some(self),
            PublicKey::P256 { .. } => Some(self),
        }
    }

    /// Verifies `signature` over `message`.
    pub fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            PublicKey::Ed25519(bytes) => UnparsedPublicKey::new(&ED25519, bytes).verify(message, signature),
            PublicKey::P256 { x, y } => {
                // Uncompressed (SEC 1 §2.3.3).
                let point = [&[4][..], x, y].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
        };
        verified.is_ok()
    }
}

/// The `kid` contains the public half, since another installation has a key with the same id.
fn kid(id: KeyId, algorithm: Algorithm, public: &PublicKey) -> String {
    let (PublicKey::Ed25519(bytes) | PublicKey::P256 { x: bytes, .. }) = public;
    let word = algorithm.as_str().to_ascii_lowercase();
    format!("{}-{word}-{}", id.0, URL_SAFE_NO_PAD.encode(&bytes[..6]))
}

fn ed25519(seed: &[u8; 32]) -> (Pair, PublicKey) {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are a seed");
    let mut public = [0; 32];
    public.copy_from_slice(pair.public_key().as_ref());
    (Pair::Ed25519(pair), PublicKey::Ed25519(public))
}

/// Any number below the order of the group is a key (FIPS 186-5 A.2.2); about one of 2^32 derived numbers is not below it.
fn p256(derive: impl Fn(&[u8]) -> [u8; 32]) -> (Pair, PublicKey) {
    let numbers =
        (0..=u8::MAX).map(|counter| derive(&[b"northgate sign es256 v1 ", &[counter][..]].concat()));
    let mut pairs = numbers.filter_map(|number| {
        let point =
            agreement::PrivateKey::from_private_key(&ECDH_P256, &number).ok()?.compute_public_key().ok()?;
        let pair = EcdsaKeyPair::from_private_key_and_public_key(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            &number,
            point.as_ref(),
        );
        Some((pair.ok()?, point))
    });
    let (pair, point) = pairs.next().expect("one of 256 numbers is below the order");
    // Uncompressed (SEC 1 §2.3.3): 4, x, y.
    let (mut x, mut y) = ([0; 32], [0; 32]);
    x.copy_from_slice(&point.as_ref()[1..33]);
    y.copy_from_slice(&point.as_ref()[33..]);
    (Pair::P256(pair), PublicKey::P256 { x, y })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(algorithm: Algorithm, seed: u8) -> SigningKey {
        SigningKey::derive(KeyId(7), algorithm, |purpose| {
            let mut bytes = [seed; 32];
            bytes[..8].copy_from_slice(&purpose[purpose.len() - 8..]);
            bytes
        })
    }

    #[test]
    fn the_same_bytes_give_the_same_key_and_name() {
        for algorithm in Algorithm::ALL {
            let (one, again) = (key(algorithm, 1), key(algorithm, 1));
            assert_eq!((one.kid(), one.public()), (again.kid(), again.public()));
            assert!(again.has_signed(b"text", &one.sign(b"text")));
            assert_ne!(one.kid(), key(algorithm, 2).kid());
        }
    }

    #[test]
    fn a_signature_is_good_for_its_text_and_its_key_only() {
        for algorithm in Algorithm::ALL {
            let signature = key(algorithm, 1).sign(b"text");
            assert!(!key(algorithm, 1).has_signed(b"texT", &signature));
            assert!(!key(algorithm, 2).has_signed(b"text", &signature));
            assert!(!key(algorithm, 1).has_signed(b"text", &signature[1..]));
        }
    }

    /// About one number in 2^32 is not below the order of P-256.
    #[test]
    fn a_number_that_is_no_key_is_passed_over() {
        let high_first = |purpose: &[u8]| if purpose.ends_with(&[0]) { [0xFF; 32] } else { [1; 32] };
        let key = SigningKey::derive(KeyId(7), Algorithm::Es256, high_first);
        assert!(key.has_signed(b"text", &key.sign(b"text")));
    }
}
