//! The place of the keyring: a file beside the embedded store, or the shared database.

use std::sync::Arc;

use northgate_core::auth::Auth;
use northgate_core::clock::Timestamp;
use northgate_core::keyring::Keyring;

use super::ServeError;
use super::listeners::{Listeners, ticket_seeds};
use super::store::Choice;
use crate::config::Config;
use crate::http::admin::KeyringHome;
use crate::keys::keyring_database::{DatabaseKeyring, UseKeyring};
use crate::keys::keyring_file::KeyringFile;

pub async fn open(
    config: &Config,
    store: &Choice,
    now: Timestamp,
) -> Result<(KeyringHome, Keyring), ServeError> {
    // Without applications nothing depends on a keyring, and a new one is safe.
    let is_needed = store.rules().registry().count() > 0;
    match store {
        Choice::Embedded(_) => {
            let (file, keyring) = KeyringFile::open_or_create(&config.keyring, now, is_needed)?;
            Ok((KeyringHome::File(Arc::new(file)), keyring))
        }
        Choice::Postgres(store) => {
            let path = config.keyring_key.clone();
            let (home, keyring) = DatabaseKeyring::open_or_create(store, path, now, is_needed).await?;
            Ok((KeyringHome::Database(Arc::new(home)), keyring))
        }
    }
}

/// Applies later keyrings, whichever node made them, and starts following the database.
pub fn put_to_use(home: &KeyringHome, auth: &Arc<Auth>, listeners: &Listeners) -> UseKeyring {
    let (auth, tls) = (Arc::clone(auth), listeners.all_tls());
    let use_keyring: UseKeyring = Arc::new(move |keyring: Keyring| {
        tls.iter().for_each(|tls| tls.replace_ticket_seeds(ticket_seeds(&keyring)));
        auth.replace_keyring(keyring);
    });
    match home {
        KeyringHome::File(_) => {}
        KeyringHome::Database(keyring) => {
            tokio::spawn(Arc::clone(keyring).follow(Arc::clone(&use_keyring)));
        }
    }
    use_keyring
}
