//! Private keys of clients, and what they sign with them.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use northgate_core::credential::AssertionKey;
use serde_json::{Value, json};

/// A private key of a client.
pub enum Key {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair, &'static str),
}

impl Key {
    pub fn ed25519() -> Key {
        Key::Ed25519(Ed25519KeyPair::generate().unwrap())
    }

    pub fn p256() -> Key {
        Key::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub fn rsa(alg: &'static str) -> Key {
        Key::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap(), alg)
    }

    pub fn alg(&self) -> &'static str {
        match self {
            Key::Ed25519(_) => "EdDSA",
            Key::P256(_) => "ES256",
            Key::Rsa(_, alg) => alg,
        }
    }

    pub fn public(&self) -> AssertionKey {
        let spki = match self {
            Key::Ed25519(key) => key.public_key().as_der().unwrap().as_ref().to_vec(),
            Key::P256(key) => key.public_key().as_der().unwrap().as_ref().to_vec(),
            Key::Rsa(key, _) => key.public_key().as_der().unwrap().as_ref().to_vec(),
        };
        AssertionKey::parse(&spki).unwrap()
    }

    pub fn sign(&self, text: &str) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Key::Ed25519(key) => key.sign(text.as_bytes()).as_ref().to_vec(),
            Key::P256(key) => key.sign(&random, text.as_bytes()).unwrap().as_ref().to_vec(),
            Key::Rsa(key, alg) => {
                let padding = if *alg == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(padding, &random, text.as_bytes(), &mut signature).unwrap();
                signature
            }
        }
    }

    /// An assertion with these claims.
    pub fn assert(&self, claims: &Value) -> String {
        self.assert_as(&json!({ "alg": self.alg(), "typ": "JWT" }), claims)
    }

    pub fn assert_as(&self, header: &Value, claims: &Value) -> String {
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.sign(&signed)))
    }
}
