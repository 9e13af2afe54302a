//! The sealed keyring in the database. This crate stores it; only a holder of the key can open it.

use std::sync::Arc;

use northgate_core::store::StoreError;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_postgres::{Client, Row, Statement};

use super::connect::DatabaseError;
use super::database_error::Outlook;
use super::{PostgresStore, Shared};

/// One row at most. Each change has the next version.
pub(super) const TABLE: &str = "
    CREATE TABLE keyring (
        one boolean PRIMARY KEY DEFAULT true CHECK (one),
        version int8 NOT NULL,
        sealed bytea NOT NULL
    );
";

const SELECT: &str = "SELECT version, sealed FROM keyring";

/// The keyring's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedKeyring {
    pub version: i64,
    pub sealed: Vec<u8>,
}

/// The result of [`PostgresStore::put_keyring`].
#[derive(Debug, PartialEq, Eq)]
pub enum KeyringPut {
    Put,
    /// Another one is present.
    Lost(SealedKeyring),
}

/// The keyring at the last look, if the installation has one; the outer `None` before the first look.
pub type LastSeen = Option<Option<Arc<SealedKeyring>>>;

/// The channel that announces the latest keyring.
pub(super) type Shown = watch::Sender<LastSeen>;

impl PostgresStore {
    /// The keyring, if the installation has one.
    pub async fn keyring(&self) -> Result<Option<SealedKeyring>, StoreError> {
        within(&self.shared, async |client| read(client).await).await
    }

    /// Replaces the keyring of version `from`, or inserts the first one. Idempotent: a keyring that is present already counts as
    /// written.
    pub async fn put_keyring(&self, new: SealedKeyring, from: Option<i64>) -> Result<KeyringPut, StoreError> {
        let put = within(&self.shared, async |client| {
            let done = match from {
                None => {
                    let insert =
                        "INSERT INTO keyring (version, sealed) VALUES ($1, $2) ON CONFLICT DO NOTHING";
                    client.execute(insert, &[&new.version, &new.sealed]).await?
                }
                Some(from) => {
                    let update = "UPDATE keyring SET version = $1, sealed = $2 WHERE one AND version = $3";
                    client.execute(update, &[&new.version, &new.sealed, &from]).await?
                }
            };
            match read(client).await? {
                _ if done > 0 => Ok(KeyringPut::Put),
                Some(present) if present == new => Ok(KeyringPut::Put),
                Some(present) => Ok(KeyringPut::Lost(present)),
                // The row that authenticates all tokens was deleted by hand.
                None => Err(DatabaseError::Damaged),
            }
        });
        let put = put.await?;
        self.shared.wake_others();
        Ok(put)
    }

    /// The latest keyring that this node has seen, and each later one.
    pub fn keyrings(&self) -> watch::Receiver<LastSeen> {
        self.shared.keyring.subscribe()
    }
}

/// Prepares the statement with which a connection polls the keyring.
pub(super) async fn prepare(client: &Client) -> Result<Statement, DatabaseError> {
    Ok(client.prepare(SELECT).await?)
}

/// Polls for a newer keyring.
pub(super) async fn look(client: &Client, statement: &Statement, shown: &Shown) -> Result<(), DatabaseError> {
    let row = client.query_opt(statement, &[]).await?;
    let found = Some(row.map(|row| sealed(&row)).transpose()?.map(Arc::new));
    shown.send_if_modified(|known| {
        let is_other = *known != found;
        *known = found;
        is_other
    });
    Ok(())
}

pub(super) async fn read(client: &Client) -> Result<Option<SealedKeyring>, DatabaseError> {
    client.query_opt(SELECT, &[]).await?.map(|row| sealed(&row)).transpose()
}

fn sealed(row: &Row) -> Result<SealedKeyring, DatabaseError> {
    Ok(SealedKeyring { version: row.try_get(0)?, sealed: row.try_get(1)? })
}

pub(super) async fn within<T>(
    shared: &Shared,
    work: impl AsyncFnOnce(&Client) -> Result<T, DatabaseError>,
) -> Result<T, StoreError> {
    let limit = shared.settings.answer_within;
    let done = timeout(limit, async {
        let session = loop {
            match shared.pool.take(&shared.server).await {
                Ok(session) => break session,
                Err(error) if error.outlook() == Outlook::Passing => {}
                Err(error) => return Err(error),
            }
        };
        let done = work(&session.client).await;
        if done.as_ref().err().is_none_or(DatabaseError::keeps_connection) {
            shared.pool.put(session);
        }
        done
    });
    let done = done.await.unwrap_or(Err(DatabaseError::Silent(limit)));
    done.map_err(|error| StoreError::Unavailable(Arc::new(error)))
}
