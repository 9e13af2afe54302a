//! Credentials: public keys and certificates that authenticate an application instead of a secret. None is confidential.

use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{self, ParsedPublicKey, VerificationAlgorithm};

use crate::clock::Timestamp;
use crate::ed25519_point;

/// The most credentials of one application. Two are in use while one replaces the other.
pub const MAX_CREDENTIALS: usize = 8;

/// Identifies a credential within its application, counting from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialId(pub u32);

/// A credential of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub id: CredentialId,
    /// The operator's name for it.
    pub label: String,
    pub kind: CredentialKind,
    pub created_at: Timestamp,
}

/// The kinds of credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// A public key that verifies assertions (RFC 7523).
    Key(AssertionKey),
    /// The certificate with this SHA-256 thumbprint (RFC 8705 §2.2).
    Certificate([u8; 32]),
    /// A name in a certificate that a trusted authority has signed (RFC 8705 §2.1).
    Name(CertificateName),
}

/// A name in a certificate, in canonical form, compared byte by byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateName {
    pub field: NameField,
    pub value: String,
}

/// The field of a certificate that holds a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameField {
    /// The subject as in RFC 4514.
    Subject,
    SanDns,
    SanUri,
    SanIp,
    SanEmail,
}

/// A certificate on the connection; the TLS handshake has proved possession of its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentedCertificate {
    /// SHA-256 over its DER.
    pub thumbprint: [u8; 32],
    /// Its subject and subject alternative names; empty unless a trusted authority signed it.
    pub names: Vec<CertificateName>,
    pub expires_at: Timestamp,
}

/// Signature algorithms of assertions (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssertionAlgorithm {
    EdDsa,
    Es256,
    Rs256,
    Ps256,
}

/// A public key of a supported kind.
#[derive(Clone, Debug)]
pub struct AssertionKey {
    family: Family,
    /// Its SubjectPublicKeyInfo (RFC 5280 §4.1).
    spki: Arc<[u8]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Ed25519,
    P256,
    Rsa,
}

/// Reason why a key cannot be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the key is neither Ed25519, ECDSA P-256 nor RSA of 2048 to 8192 bits")]
    Unknown,
    #[error("the key is damaged")]
    Damaged,
    /// Any attacker can make signatures that it verifies.
    #[error("the key is weak: any attacker can make signatures that it verifies; make a new key pair")]
    Weak,
}

const ED25519: [u8; 12] = *b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";
const P256: [u8; 26] =
    *b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
/// The first byte of an uncompressed point (SEC 1 §2.3.3).
const UNCOMPRESSED: u8 = 4;
/// rsaEncryption with its NULL, after the outer header.
const RSA: [u8; 15] = *b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
/// Lengths of the SubjectPublicKeyInfo of RSA keys with 2048 to 8192 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 290..=1070;

impl AssertionKey {
    /// A public key of Ed25519 (RFC 8037 §2).
    pub fn ed25519(x: &[u8; 32]) -> Result<AssertionKey, KeyError> {
        AssertionKey::parse(&[&ED25519[..], x].concat())
    }

    /// A point of P-256 (RFC 7518 §6.2.1).
    pub fn p256(x: &[u8; 32], y: &[u8; 32]) -> Result<AssertionKey, KeyError> {
        AssertionKey::parse(&[&P256[..], &[UNCOMPRESSED], x, y].concat())
    }

    /// Modulus and exponent of RSA, big-endian (RFC 7518 §6.3.1).
    pub fn rsa(n: &[u8], e: &[u8]) -> Result<AssertionKey, KeyError> {
        let der = PublicKeyComponents { n, e }.as_der().map_err(|_| KeyError::Damaged)?;
        AssertionKey::parse(der.as_ref())
    }

    /// Parses a SubjectPublicKeyInfo whose key may be registered.
    pub fn parse(spki: &[u8]) -> Result<AssertionKey, KeyError> {
        let key = AssertionKey::stored(spki)?;
        // Trailing bytes would give the same key a second encoding.
        if !key.is_whole() {
            return Err(KeyError::Damaged);
        }
        if key.is_strong() { Ok(key) } else { Err(KeyError::Weak) }
    }

    /// Parses a key that was registered before. An earlier version may have registered a weak one, which verifies nothing.
    pub fn stored(spki: &[u8]) -> Result<AssertionKey, KeyError> {
        let family = family(spki).ok_or(KeyError::Unknown)?;
        let key = AssertionKey { family, spki: spki.into() };
        let algorithm = match family {
            Family::Ed25519 => AssertionAlgorithm::EdDsa,
            Family::P256 => AssertionAlgorithm::Es256,
            Family::Rsa => AssertionAlgorithm::Rs256,
        };
        ParsedPublicKey::new(algorithm.verification(), &*key.spki).map_err(|_| KeyError::Damaged)?;
        Ok(key)
    }

    fn is_whole(&self) -> bool {
        match self.family {
            Family::Ed25519 => self.spki.len() == ED25519.len() + 32,
            Family::P256 => self.spki.len() == P256.len() + P256_BASE.len(),
            // A sequence whose length is in the long form of two bytes.
            Family::Rsa => match &*self.spki {
                [0x30, 0x82, high, low, contents @ ..] => {
                    contents.len() == usize::from(u16::from_be_bytes([*high, *low]))
                }
                _ => false,
            },
        }
    }

    /// Whether only the holder of the private key can make signatures that it verifies.
    fn is_strong(&self) -> bool {
        match self.family {
            Family::Ed25519 => self.spki.last_chunk().is_some_and(ed25519_point::is_strong),
            Family::P256 | Family::Rsa => true,
        }
    }

    /// Its SubjectPublicKeyInfo, for the store.
    pub fn as_spki(&self) -> &[u8] {
        &self.spki
    }

    /// The word for its key type.
    pub fn family(&self) -> &'static str {
        match self.family {
            Family::Ed25519 => "Ed25519",
            Family::P256 => "P-256",
            Family::Rsa => "RSA",
        }
    }

    /// Whether the key type belongs to `algorithm`.
    pub(crate) fn fits(&self, algorithm: AssertionAlgorithm) -> bool {
        let family = match algorithm {
            AssertionAlgorithm::EdDsa => Family::Ed25519,
            AssertionAlgorithm::Es256 => Family::P256,
            AssertionAlgorithm::Rs256 | AssertionAlgorithm::Ps256 => Family::Rsa,
        };
        self.family == family
    }

    /// Verifies `signature` over `message`.
    pub(crate) fn verifies(&self, algorithm: AssertionAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        self.fits(algorithm) && self.is_strong() && verifies(algorithm, &self.spki, message, signature)
    }
}

fn family(spki: &[u8]) -> Option<Family> {
    if spki.starts_with(&ED25519) {
        Some(Family::Ed25519)
    } else if spki.starts_with(&P256) {
        Some(Family::P256)
    } else if spki.get(4..4 + RSA.len()) == Some(&RSA) && RSA_BYTES.contains(&spki.len()) {
        Some(Family::Rsa)
    } else {
        None
    }
}

/// Costs as much as a verification; for clients without a key, so that the time does not reveal them.
pub(crate) fn burn(algorithm: AssertionAlgorithm, message: &[u8], signature: &[u8]) {
    let key = match algorithm {
        // The base points of both curves, whose private key is known: the result is thrown away.
        AssertionAlgorithm::EdDsa => [&ED25519[..], &[0x58], &[0x66; 31]].concat(),
        AssertionAlgorithm::Es256 => [&P256[..], &P256_BASE].concat(),
        AssertionAlgorithm::Rs256 | AssertionAlgorithm::Ps256 => rsa_decoy(),
    };
    let _ = verifies(algorithm, &key, message, signature);
}

const P256_BASE: [u8; 65] = *b"\x04\
    \x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\
    \x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96\
    \x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\
    \x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5";

/// A modulus of 2048 set bits: no real key, and as much work as one.
fn rsa_decoy() -> Vec<u8> {
    let head = b"\x30\x82\x01\x22";
    let key = b"\x03\x82\x01\x0f\x00\x30\x82\x01\x0a\x02\x82\x01\x01\x00";
    [&head[..], &RSA, key, &[0xff; 256], b"\x02\x03\x01\x00\x01"].concat()
}

fn verifies(algorithm: AssertionAlgorithm, spki: &[u8], message: &[u8], signature: &[u8]) -> bool {
    ParsedPublicKey::new(algorithm.verification(), spki)
        .is_ok_and(|key| key.verify_sig(message, signature).is_ok())
}

impl PartialEq for AssertionKey {
    fn eq(&self, other: &AssertionKey) -> bool {
        self.spki == other.spki
    }
}

impl Eq for AssertionKey {}

impl AssertionAlgorithm {
    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            AssertionAlgorithm::EdDsa => &signature::ED25519,
            AssertionAlgorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
            AssertionAlgorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            AssertionAlgorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        }
    }
}

impl NameField {
    const ALL: [NameField; 5] =
        [NameField::Subject, NameField::SanDns, NameField::SanUri, NameField::SanIp, NameField::SanEmail];

    /// The word in the admin API, flags and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            NameField::Subject => "subject",
            NameField::SanDns => "san-dns",
            NameField::SanUri => "san-uri",
            NameField::SanIp => "san-ip",
            NameField::SanEmail => "san-email",
        }
    }

    /// Parses the word of a field.
    pub fn parse(word: &str) -> Option<NameField> {
        NameField::ALL.into_iter().find(|field| field.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decoys_are_keys_that_take_part_in_a_verification() {
        let p256 = [&P256[..], &P256_BASE].concat();
        let ed25519 = [&ED25519[..], &[0x58], &[0x66; 31]].concat();
        for (spki, family) in [(p256, "P-256"), (ed25519, "Ed25519"), (rsa_decoy(), "RSA")] {
            assert_eq!(AssertionKey::parse(&spki).map(|key| key.family()), Ok(family));
        }
    }

    #[test]
    fn what_is_no_key_that_we_know_is_told() {
        assert_eq!(AssertionKey::parse(b"").err(), Some(KeyError::Unknown));
        let off_the_curve = [&P256[..], &[4], &[7; 64]].concat();
        assert_eq!(AssertionKey::parse(&off_the_curve).err(), Some(KeyError::Damaged));
        for point in [&[][..], &[4; 1], &[0; 65], &[&[4][..], &[0; 64]].concat(), &P256_BASE[..64]] {
            let spki = [&P256[..], point].concat();
            assert!(AssertionKey::parse(&spki).is_err(), "{point:?}");
        }
        for point in [&[][..], &[0x58; 31], &[0x58; 33]] {
            let spki = [&ED25519[..], point].concat();
            assert_eq!(AssertionKey::parse(&spki).err(), Some(KeyError::Damaged), "{point:?}");
        }
        let longer = |spki: &[u8]| AssertionKey::parse(&[spki, &[0]].concat()).err();
        assert_eq!(longer(&[&P256[..], &P256_BASE].concat()), Some(KeyError::Damaged));
        assert_eq!(longer(&rsa_decoy()), Some(KeyError::Damaged));
    }

    /// With a key of small order an attacker can sign half or all of all messages; with RSA exponent 1 the padded hash is its own
    /// signature.
    #[test]
    fn a_key_by_which_anybody_can_sign_is_refused() {
        for point in ed25519_point::tests::WEAK {
            let mut point: [u8; 32] = point;
            for sign in [0, 0x80] {
                point[31] = point[31] & 0x7f | sign;
                let spki = [&ED25519[..], &point].concat();
                assert_eq!(AssertionKey::parse(&spki).err(), Some(KeyError::Weak));
                // Registered before such keys were refused, with a signature that any attacker can make.
                let neutral = [&[1][..], &[0; 63]].concat();
                let stored = AssertionKey::stored(&spki).expect("it is well-formed");
                assert!(!stored.verifies(AssertionAlgorithm::EdDsa, b"any text", &neutral));
            }
        }
        for exponent in [[0, 0, 1], [0, 0, 0], [1, 0, 0]] {
            let mut spki = rsa_decoy();
            let at = spki.len() - 3;
            spki[at..].copy_from_slice(&exponent);
            assert!(AssertionKey::parse(&spki).is_err(), "{exponent:?}");
        }
    }
}
