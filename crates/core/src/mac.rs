//! HMAC-SHA-256 (RFC 2104, FIPS 198-1) with a precomputed key state: authenticates tokens and digests secrets.
//!
//! A refresh computes four tags over less than a hundred bytes each, so that the work around the hash counts:
//! `docs/decisions/0013-hmac-of-sha2.md` has the measurement.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The key state after its padding was hashed.
pub(crate) struct MacKey(Hmac<Sha256>);

impl MacKey {
    /// The key with these bytes.
    pub fn new(bytes: &[u8; 32]) -> MacKey {
        MacKey(Hmac::new_from_slice(bytes).expect("HMAC takes keys of any length"))
    }

    /// The tag over the parts, one after the other.
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_hmac_sha256_that_other_libraries_compute() {
        let reference = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &[7; 32]);
        for length in [0, 1, 32, 63, 64, 65, 300] {
            let text = vec![b'x'; length];
            let tag = MacKey::new(&[7; 32]).tag(&[&text[..length / 2], &text[length / 2..]]);
            assert_eq!(tag, aws_lc_rs::hmac::sign(&reference, &text).as_ref(), "{length}");
        }
    }
}
