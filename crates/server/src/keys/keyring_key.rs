//! The key that seals the keyring in a shared database: a file on every node, so that a stolen database yields no token.

use std::fmt;
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use northgate_core::keyring::{KeyBytes, Keyring, KeyringRecord};

use crate::blanks::{self, Blank};
use crate::keys::keyring_file::document;
use crate::private_file::{self, PrivateFileError};

const HEADER: &str = "\
# The key that opens the keyring in the database of a Northgate installation. All nodes have the same one.
# Who has it and the database can make tokens. If it is lost, all tokens and all allocated secrets are lost with it.
";

/// Seals and opens the keyring.
pub struct KeyringKey {
    key: RandomizedNonceKey,
    path: PathBuf,
}

/// Reason why the key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringKeyError {
    #[error(transparent)]
    File(#[from] PrivateFileError),
    #[error("{} holds no keyring key: it must be the 64 hexadecimal digits of `northgate keyring-key create`", .0.display())]
    Malformed(PathBuf),
    #[error("the keyring key in {}: write it without {blank}", path.display())]
    Blank { path: PathBuf, blank: Blank },
    #[error("{} exists already: a new key would not open what it has sealed", .0.display())]
    Exists(PathBuf),
    #[error("the key could not be made")]
    Crypto,
}

/// Reason why a sealed keyring was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenSealedError {
    #[error(
        "the keyring in the database was sealed under another key than the one in {}: copy keyring.key from a node that \
         works",
        .0.display()
    )]
    OtherKey(PathBuf),
    #[error("the keyring in the database is not one: {0}")]
    Malformed(String),
}

impl KeyringKey {
    /// Reads the key from the file at `path`, if it exists.
    pub fn read(path: &Path) -> Result<Option<KeyringKey>, KeyringKeyError> {
        let Some(text) = private_file::read(path)? else { return Ok(None) };
        let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        if let Some(blank) = lines.iter().find_map(|line| blanks::check(line).err()) {
            return Err(KeyringKeyError::Blank { path: path.to_owned(), blank });
        }
        let malformed = || KeyringKeyError::Malformed(path.to_owned());
        let [digits] = lines[..] else { return Err(malformed()) };
        let bytes = document::bytes(digits).ok_or_else(malformed)?;
        Ok(Some(KeyringKey::new(bytes.reveal(), path)?))
    }

    /// Creates a key and its file, unless the file exists.
    pub fn create(path: &Path) -> Result<KeyringKey, KeyringKeyError> {
        if path.exists() {
            return Err(KeyringKeyError::Exists(path.to_owned()));
        }
        let bytes = KeyBytes::random();
        private_file::write(path, &format!("{HEADER}{}\n", document::hex(bytes.reveal())))?;
        KeyringKey::new(bytes.reveal(), path)
    }

    fn new(bytes: &[u8; 32], path: &Path) -> Result<KeyringKey, KeyringKeyError> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, bytes).map_err(|_| KeyringKeyError::Crypto)?;
        Ok(KeyringKey { key, path: path.to_owned() })
    }

    /// The path of its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Seals a keyring for the database: a nonce, and the text of a keyring file encrypted under this key and bound to its
    /// version.
    pub fn seal(&self, version: i64, record: &KeyringRecord) -> Vec<u8> {
        let mut sealed = document::format(record).into_bytes();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(associated(version)), &mut sealed)
            .expect("a keyring is far below AES-GCM's bound");
        [&nonce.as_ref()[..], &sealed].concat()
    }

    /// Opens the result of [`KeyringKey::seal`].
    pub fn open(&self, version: i64, sealed: &[u8]) -> Result<Keyring, OpenSealedError> {
        let other_key = || OpenSealedError::OtherKey(self.path.clone());
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or_else(other_key)?;
        let mut plain = sealed.to_vec();
        let aad = Aad::from(associated(version));
        let opened = self.key.open_in_place(Nonce::from(nonce), aad, &mut plain).map_err(|_| other_key())?;
        let text =
            std::str::from_utf8(opened).map_err(|error| OpenSealedError::Malformed(error.to_string()))?;
        let record = document::parse(text).map_err(OpenSealedError::Malformed)?;
        Keyring::new(record).map_err(|error| OpenSealedError::Malformed(error.to_string()))
    }
}

/// Binds it to its version, so that an attacker who can write to the database cannot pass an old keyring off as a new one.
fn associated(version: i64) -> [u8; 28] {
    let mut bytes = *b"northgate keyring v1........";
    bytes[20..].copy_from_slice(&version.to_be_bytes());
    bytes
}

impl fmt::Debug for KeyringKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyringKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use northgate_core::clock::Timestamp;
    use std::os::unix::fs::PermissionsExt;

    fn record() -> KeyringRecord {
        KeyringRecord::random(Timestamp::from_millis(1_700_000_000_000))
    }

    #[test]
    fn a_key_is_made_once_is_private_and_opens_what_it_sealed() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("keyring.key");
        let (made, record) = (KeyringKey::create(&path).expect("made"), record());
        assert_eq!(path.metadata().expect("the file").permissions().mode() & 0o777, 0o600);
        assert!(KeyringKey::create(&path).expect_err("refused").to_string().contains("exists already"));
        let sealed = made.seal(1, &record);
        let read = KeyringKey::read(&path).expect("read").expect("there");
        let opened = read.open(1, &sealed).expect("opened");
        assert_eq!(opened.record().pepper.reveal(), record.pepper.reveal());
        let digits = document::hex(record.pepper.reveal());
        assert!(!sealed.windows(64).any(|window| window == digits.as_bytes()));
    }

    #[test]
    fn another_key_another_version_and_a_changed_byte_open_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let one = KeyringKey::create(&dir.path().join("one")).expect("made");
        let other = KeyringKey::create(&dir.path().join("other")).expect("made");
        let sealed = one.seal(7, &record());
        assert!(one.open(7, &sealed).is_ok());
        let mut changed = sealed.clone();
        changed[40] ^= 1;
        for refused in [other.open(7, &sealed), one.open(8, &sealed), one.open(7, &changed), one.open(7, b"")]
        {
            let sentence = refused.err().expect("refused").to_string();
            assert!(sentence.contains("copy keyring.key from a node that works"), "{sentence}");
        }
    }

    #[test]
    fn a_file_that_is_no_key_is_refused_without_repeating_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("keyring.key");
        for text in ["", "abc", &"0g".repeat(32), &format!("{0}\n{0}\n", "0a".repeat(32))] {
            private_file::write(&path, text).expect("written");
            let sentence = KeyringKey::read(&path).expect_err("refused").to_string();
            assert!(sentence.contains("64 hexadecimal digits") && !sentence.contains("0g"), "{sentence}");
        }
        let good = "0a".repeat(32);
        for text in [format!("{good} \n"), format!("\u{feff}# a comment\n{good}\n"), format!(" {good}")] {
            private_file::write(&path, &text).expect("written");
            let sentence = KeyringKey::read(&path).expect_err("refused").to_string();
            assert!(sentence.contains("write it without the ") && !sentence.contains("0a0a"), "{sentence}");
        }
        private_file::write(&path, &format!("# a comment \r\n{good}\r\n")).expect("written");
        assert!(KeyringKey::read(&path).expect("read").is_some());
    }
}
