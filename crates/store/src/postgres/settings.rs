//! How to reach the database and how long to wait for it.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::url::Database;

/// What one node does with the database.
pub struct PostgresSettings {
    pub database: Source,
    /// Connections that write refreshes and logouts. An application belongs to one, so that a node never waits for its
    /// own locks.
    pub writers: usize,
    /// Connections that write logins, which take two round trips.
    pub login_writers: usize,
    /// Operations that may wait for the database; for logins there is half as much room.
    pub queue_bound: usize,
    /// How long a connection to one host may take to be made.
    pub connect_timeout: Duration,
    /// How long the database may work on one statement, and a transaction may stand still.
    pub statement_timeout: Duration,
    /// How long a statement may wait for a lock.
    pub lock_timeout: Duration,
    /// How long a request waits for the database, retries included, before it hears that the store is unavailable.
    pub answer_within: Duration,
    /// How often the registry is read for what other nodes changed. It bounds how late a node knows of it.
    pub poll_every: Duration,
    /// How old the last look may be before the node is behind.
    pub behind_after: Duration,
    /// Whether nodes wake each other with LISTEN and NOTIFY, so that mostly they need not wait for the next look.
    pub notify: bool,
    /// For how long the clock must not have jumped before expired rows are removed on its word.
    pub steady_for: Duration,
}

/// Where the database is, read again for each new connection: a rotated password or certificate needs no restart.
pub struct Source {
    read: Box<dyn Fn() -> Result<Database, ReadError> + Send + Sync>,
    /// What was read last without an error.
    last: Mutex<Arc<Database>>,
}

type ReadError = Box<dyn Error + Send + Sync>;

impl Source {
    /// Reads it for the first time.
    pub fn read_by<E: Error + Send + Sync + 'static>(
        read: impl Fn() -> Result<Database, E> + Send + Sync + 'static,
    ) -> Result<Source, E> {
        let last = Mutex::new(Arc::new(read()?));
        Ok(Source { read: Box::new(move || read().map_err(|error| Box::new(error) as _)), last })
    }

    /// As it is at this moment. While a file is being replaced, the last good content stays in use.
    pub(crate) fn current(&self) -> Arc<Database> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.read)() {
            Ok(database) => *last = Arc::new(database),
            Err(error) => tracing::warn!(
                error = &*error as &dyn Error,
                "the URL of the database cannot be read again; the last one stays in use"
            ),
        }
        Arc::clone(&last)
    }
}
