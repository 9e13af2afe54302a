//! The keyring in a shared database: the first node creates it, any node rotates it with a guard on what it read, all follow.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use northgate_core::clock::Timestamp;
use northgate_core::keyring::{Keyring, KeyringError, KeyringRecord};
use northgate_core::store::StoreError;
use northgate_store::postgres::{KeyringPut, PostgresStore, SealedKeyring};
use tracing::{error, info, warn};

use crate::keys::keyring_key::{KeyringKey, KeyringKeyError, OpenSealedError};
use crate::private_file;
use crate::telemetry::with_causes;

/// Applies a keyring: to the rules, and to what is derived from it.
pub type UseKeyring = Arc<dyn Fn(Keyring) + Send + Sync>;

/// This node's copy of the installation's keyring.
pub struct DatabaseKeyring {
    store: Arc<PostgresStore>,
    key: KeyringKey,
    taken: Mutex<SealedKeyring>,
}

/// Reason why the keyring was not opened or saved.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseKeyringError {
    #[error("the keyring in the database could not be read or written")]
    Store(#[from] StoreError),
    #[error(transparent)]
    Key(#[from] KeyringKeyError),
    #[error(transparent)]
    Open(#[from] OpenSealedError),
    #[error(
        "the keyring in the database is sealed, and there is no key at {}: copy keyring.key from another node, or name \
         it with keyring_key",
        .0.display()
    )]
    NoKey(PathBuf),
    #[error(
        "the database has applications but no keyring: put its backup back as a whole. All tokens and all allocated \
         secrets depend on the keyring, and with a new one none of them would be good any more"
    )]
    Lost,
    #[error("the keyring cannot be rotated now: {0}")]
    Rotate(#[from] KeyringError),
}

impl DatabaseKeyring {
    /// Opens the keyring, or creates it for a new installation; of several nodes one is first, and the others take its keyring.
    /// Where applications exist already, a missing keyring is an error.
    pub async fn open_or_create(
        store: &Arc<PostgresStore>,
        key_path: PathBuf,
        now: Timestamp,
        applications_exist: bool,
    ) -> Result<(DatabaseKeyring, Keyring), DatabaseKeyringError> {
        let key = KeyringKey::read(&key_path)?;
        let (key, taken) = match (store.keyring().await?, key) {
            (Some(found), Some(key)) => (key, found),
            (Some(_), None) => return Err(DatabaseKeyringError::NoKey(key_path)),
            (None, _) if applications_exist => return Err(DatabaseKeyringError::Lost),
            (None, Some(key)) => {
                let taken = create(store, &key, now).await?;
                (key, taken)
            }
            (None, None) => {
                // Durable before anything is sealed under it.
                let key = KeyringKey::create(&key_path)?;
                let taken = create(store, &key, now).await?;
                if key.open(taken.version, &taken.sealed).is_err() {
                    // Another node was first, with a key of its own: ours has sealed nothing.
                    let _ = private_file::remove(&key_path);
                    return Err(DatabaseKeyringError::NoKey(key_path));
                }
                warn!(
                    "{} was made: every other node needs a copy of it, and its backup is as important as the database's",
                    key_path.display()
                );
                (key, taken)
            }
        };
        let keyring = key.open(taken.version, &taken.sealed)?;
        Ok((DatabaseKeyring { store: Arc::clone(store), key, taken: Mutex::new(taken) }, keyring))
    }

    /// Replaces the keyring by the result of `next`, and again after each lost race with another node.
    pub async fn rotate(
        &self,
        next: impl Fn() -> Result<KeyringRecord, KeyringError> + Send,
        use_keyring: &UseKeyring,
    ) -> Result<(), DatabaseKeyringError> {
        loop {
            let from = self.taken().version;
            let record = next()?;
            let new = SealedKeyring { version: from + 1, sealed: self.key.seal(from + 1, &record) };
            match self.store.put_keyring(new.clone(), Some(from)).await? {
                KeyringPut::Put => return Ok(self.take_up(&new, use_keyring)?),
                KeyringPut::Lost(present) => self.settle(Some(&present), use_keyring).await?,
            }
        }
    }

    /// Follows keyrings of other nodes, for as long as the store announces them.
    pub async fn follow(self: Arc<Self>, use_keyring: UseKeyring) {
        let mut keyrings = self.store.keyrings();
        // One may have come since it was opened.
        keyrings.mark_changed();
        // It ends with the store, which this holds: with the runtime.
        while keyrings.changed().await.is_ok() {
            let Some(found) = keyrings.borrow_and_update().clone() else { continue };
            if let Err(error) = self.settle(found.as_deref(), &use_keyring).await {
                error!("the keyring in the database was refused: {}", with_causes(&error));
            }
        }
    }

    /// Takes over the database's keyring. Where the database went back in time, writes this node's keyring instead: with a key
    /// that a failover lost, tokens were issued.
    async fn settle(
        &self,
        found: Option<&SealedKeyring>,
        use_keyring: &UseKeyring,
    ) -> Result<(), DatabaseKeyringError> {
        let taken = self.taken().clone();
        if let Some(found) = found.filter(|found| found.version >= taken.version) {
            return Ok(self.take_up(found, use_keyring)?);
        }
        // The poll may predate this node's keyring, or another node was faster: the present one is announced next.
        match self.store.put_keyring(taken, found.map(|found| found.version)).await? {
            KeyringPut::Put => warn!("the database had lost the latest keyring; this node has put it back"),
            KeyringPut::Lost(_) => {}
        }
        Ok(())
    }

    fn take_up(&self, found: &SealedKeyring, use_keyring: &UseKeyring) -> Result<(), OpenSealedError> {
        let mut taken = self.taken();
        if *taken != *found && found.version >= taken.version {
            let keyring = self.key.open(found.version, &found.sealed)?;
            *taken = found.clone();
            use_keyring(keyring);
            info!(version = found.version, "the keyring of the installation is in use");
        }
        Ok(())
    }

    fn taken(&self) -> MutexGuard<'_, SealedKeyring> {
        // It is replaced as a whole.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the first keyring; returns the present one.
async fn create(
    store: &PostgresStore,
    key: &KeyringKey,
    now: Timestamp,
) -> Result<SealedKeyring, DatabaseKeyringError> {
    let new = SealedKeyring { version: 1, sealed: key.seal(1, &KeyringRecord::random(now)) };
    match store.put_keyring(new.clone(), None).await? {
        KeyringPut::Put => Ok(new),
        KeyringPut::Lost(first) => Ok(first),
    }
}
