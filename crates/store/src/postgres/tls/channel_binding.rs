//! Channel binding `tls-server-end-point` (RFC 5929): the hash of the server's certificate by its signature's algorithm.

use sha2::{Digest, Sha256, Sha384, Sha512};

/// The channel binding of SCRAM, or `None` where the signature algorithm has no hash of its own, as Ed25519.
pub(super) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let hash = match signature_hash(certificate)? {
        Hash::Sha256 => Sha256::digest(certificate).to_vec(),
        Hash::Sha384 => Sha384::digest(certificate).to_vec(),
        Hash::Sha512 => Sha512::digest(certificate).to_vec(),
    };
    Some(hash)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// `sha…WithRSAEncryption` and RSASSA-PSS are 1.2.840.113549.1.1.n, ECDSA is 1.2.840.10045.4.
const RSA: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
const ECDSA: [u8; 6] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];
/// 2.16.840.1.101.3.4.2: SHA-2, in the parameters of RSASSA-PSS.
const SHA2: [u8; 8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];

fn signature_hash(certificate: &[u8]) -> Option<Hash> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (_to_be_signed, rest) = element(certificate, SEQUENCE)?;
    let (algorithm, _) = element(rest, SEQUENCE)?;
    let (name, parameters) = element(algorithm, OBJECT_IDENTIFIER)?;
    match (name.strip_prefix(&RSA), name.strip_prefix(&ECDSA)) {
        // MD5 and SHA-1 are replaced by SHA-256.
        (Some([4 | 5 | 11]), _) | (_, Some([1] | [3, 2])) => Some(Hash::Sha256),
        (Some([12]), _) | (_, Some([3, 3])) => Some(Hash::Sha384),
        (Some([13]), _) | (_, Some([3, 4])) => Some(Hash::Sha512),
        (Some([10]), _) => Some(pss_hash(parameters)),
        (_, _) => None,
    }
}

/// The first SHA-2 in the parameters, else SHA-1.
fn pss_hash(parameters: &[u8]) -> Hash {
    let at = parameters.windows(SHA2.len()).position(|window| window == SHA2);
    match at.and_then(|at| parameters.get(at + SHA2.len())) {
        Some(2) => Hash::Sha384,
        Some(3) => Hash::Sha512,
        Some(_) | None => Hash::Sha256,
    }
}

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// The content of a DER element with this tag, and the bytes after it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        0x80 | 0x85.. => return None,
    };
    (found == tag).then_some(())?;
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_signature() {
        for (algorithm, hash) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, Some(Hash::Sha256)),
            (&rcgen::PKCS_ECDSA_P384_SHA384, Some(Hash::Sha384)),
            (&rcgen::PKCS_ED25519, None),
        ] {
            let key = rcgen::KeyPair::generate_for(algorithm).expect("a key");
            let parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
            let certificate = parameters.self_signed(&key).expect("a certificate");
            assert_eq!(signature_hash(certificate.der()), hash);
        }
        assert_eq!(end_point(b"no certificate"), None);
        assert_eq!(end_point(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }
}
