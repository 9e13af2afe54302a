//! The stored form of a credential, the same in both stores: a word for its kind, and bytes.

use northgate_core::credential::{AssertionKey, CertificateName, CredentialKind, NameField};

const KEY: &str = "key";
const CERTIFICATE: &str = "certificate";

/// The word and the bytes. Words: key, certificate, subject, san-dns, san-uri, san-ip or san-email. Bytes: the
/// SubjectPublicKeyInfo, the SHA-256 of the certificate, or the name in UTF-8.
pub fn write(kind: &CredentialKind) -> (&'static str, &[u8]) {
    match kind {
        CredentialKind::Key(key) => (KEY, key.as_spki()),
        CredentialKind::Certificate(thumbprint) => (CERTIFICATE, &thumbprint[..]),
        CredentialKind::Name(name) => (name.field.as_str(), name.value.as_bytes()),
    }
}

/// The credential of a stored word and bytes; `None` where they are damaged.
pub fn read(word: &str, value: Vec<u8>) -> Option<CredentialKind> {
    match (word, NameField::parse(word)) {
        (KEY, _) => AssertionKey::stored(&value).ok().map(CredentialKind::Key),
        (CERTIFICATE, _) => value.try_into().ok().map(CredentialKind::Certificate),
        (_, Some(field)) => {
            let value = String::from_utf8(value).ok()?;
            Some(CredentialKind::Name(CertificateName { field, value }))
        }
        (_, None) => None,
    }
}
