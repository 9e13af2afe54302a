//! The keyring as a file, which must never be lost and which no other user may read.

pub(crate) mod document;

use std::path::{Path, PathBuf};

use northgate_core::clock::Timestamp;
use northgate_core::keyring::{Keyring, KeyringError, KeyringRecord};

use crate::private_file::{self, PrivateFileError};

/// The keyring file of this installation.
#[derive(Debug)]
pub struct KeyringFile {
    path: PathBuf,
}

/// Reason why the keyring was not opened or saved.
#[derive(Debug, thiserror::Error)]
pub enum KeyringFileError {
    #[error(transparent)]
    File(#[from] PrivateFileError),
    #[error("{} is not a keyring file: {reason}", path.display())]
    Malformed { path: PathBuf, reason: String },
    #[error("{} is not a usable keyring", path.display())]
    Unusable {
        path: PathBuf,
        #[source]
        cause: KeyringError,
    },
    #[error(
        "there is a database but no keyring at {}: put the keyring back from its backup. All tokens and all \
         allocated secrets depend on it, and with a new one none of them would be good any more",
        .0.display()
    )]
    Lost(PathBuf),
}

impl KeyringFile {
    /// Opens the keyring at `path`, or creates it for a new installation. Where a database exists already, a missing keyring is
    /// an error.
    pub fn open_or_create(
        path: &Path,
        now: Timestamp,
        database_exists: bool,
    ) -> Result<(KeyringFile, Keyring), KeyringFileError> {
        let file = KeyringFile { path: path.to_owned() };
        let record = match private_file::read(path)? {
            Some(text) => document::parse(&text)
                .map_err(|reason| KeyringFileError::Malformed { path: path.to_owned(), reason })?,
            None if database_exists => return Err(KeyringFileError::Lost(path.to_owned())),
            None => {
                let record = KeyringRecord::random(now);
                file.save(&record)?;
                record
            }
        };
        let unusable = |cause| KeyringFileError::Unusable { path: path.to_owned(), cause };
        let keyring = Keyring::new(record).map_err(unusable)?;
        Ok((file, keyring))
    }

    /// Creates the file of an imported keyring.
    pub fn create(path: &Path, record: &KeyringRecord) -> Result<KeyringFile, KeyringFileError> {
        let file = KeyringFile { path: path.to_owned() };
        file.save(record)?;
        Ok(file)
    }

    /// Replaces the content by `record`; durable when this returns.
    pub fn save(&self, record: &KeyringRecord) -> Result<(), KeyringFileError> {
        Ok(private_file::write(&self.path, &document::format(record))?)
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_123);
    const LEAD: Duration = Duration::from_secs(10);
    const LONGEST: Duration = Duration::from_secs(60);

    fn open(path: &Path) -> Result<(KeyringFile, Keyring), KeyringFileError> {
        KeyringFile::open_or_create(path, NOW, false)
    }

    #[test]
    fn a_keyring_is_made_once_and_found_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("keyring.toml");
        let (_, first) = open(&path).expect("made");
        let (_, again) = KeyringFile::open_or_create(&path, NOW, true).expect("found");
        assert!(first.ticket_seeds() == again.ticket_seeds());
        assert_eq!(fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_rotated_keyring_is_found_again_with_its_retiring_keys() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("keyring.toml");
        let (file, first) = open(&path).expect("made");
        let rotated = first.record().rotated(NOW, LEAD, LONGEST).expect("rotated");
        file.save(&rotated).expect("saved");
        let (_, again) = open(&path).expect("found");
        let keys: Vec<_> = again.record().keys.iter().map(|key| (key.id.0, key.retire_at)).collect();
        assert_eq!(keys, [(1, Some(NOW.plus(LEAD).plus(LONGEST))), (2, None)]);
        assert_eq!(again.record().keys[0].created_at, NOW);
        assert_eq!(again.record().keys[1].use_from, NOW.plus(LEAD));
    }

    #[test]
    fn a_file_from_before_keys_had_a_time_of_first_use_is_read_as_it_was_meant() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("keyring.toml");
        open(&path).expect("made");
        let text = fs::read_to_string(&path).expect("text");
        let before: Vec<&str> = text.lines().filter(|line| !line.starts_with("use_from")).collect();
        fs::write(&path, before.join("\n")).expect("written");
        let (_, again) = open(&path).expect("found");
        assert_eq!(again.record().keys[0].use_from, NOW);
    }

    #[test]
    fn a_keyring_is_never_made_beside_a_database() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("keyring.toml");
        let error = KeyringFile::open_or_create(&path, NOW, true).err().expect("refused");
        assert!(error.to_string().contains("from its backup"), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn a_broken_keyring_is_refused_without_repeating_its_bytes() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("keyring.toml");
        open(&path).expect("made");
        let good = fs::read_to_string(&path).expect("text");
        let pepper = good.split("pepper = \"").nth(1).and_then(|rest| rest.get(..64)).expect("a pepper");
        for broken in [
            String::new(),
            good.replace(pepper, &pepper[1..]),
            good.replace("id = 1", "id = 70000"),
            good.replace("created_at = \"2023", "created_at = \"9"),
            good.replace("id = 1", "id = 1\nretire_at = \"2024-01-01T00:00:00Z\""),
            format!("{good}\n[[keys]]\n{}", good.split("[[keys]]").nth(1).expect("a key")),
            good.replace("pepper", "peper"),
        ] {
            fs::write(&path, &broken).expect("written");
            let error = open(&path).err().expect("refused").to_string();
            assert!(error.contains("keyring.toml") && !error.contains(&pepper[1..9]), "{error}");
        }
    }
}
