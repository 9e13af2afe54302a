//! Settings of the database connection and its timeouts.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::url::Database;

/// Settings of one node.
pub struct PostgresSettings {
    pub database: Source,
    /// Connections that write refreshes and logouts. An application belongs to one of them, so that a node never waits for its
    /// own locks.
    pub writers: usize,
    /// Connections that write logins, which take two round trips.
    pub login_writers: usize,
    /// The most operations that wait for the database; half as many for logins.
    pub queue_bound: usize,
    /// Timeout of a connection attempt to one host.
    pub connect_timeout: Duration,
    /// Timeout of a statement, and of an idle transaction.
    pub statement_timeout: Duration,
    /// Timeout of a lock.
    pub lock_timeout: Duration,
    /// Timeout of a request at the database, retries included; then it gets the answer that the store is unavailable.
    pub answer_within: Duration,
    /// Interval of the polls for changes of other nodes. It bounds how late a node learns of a change.
    pub poll_every: Duration,
    /// Age of the last poll from which the node counts as lagging.
    pub behind_after: Duration,
    /// Whether nodes wake each other with LISTEN and NOTIFY, so that mostly they learn of a change before the next poll.
    pub notify: bool,
    /// How long the clock must not have jumped before expired rows are deleted.
    pub steady_for: Duration,
}

/// The source of the database's address, read again for each new connection: a rotated password or certificate needs no restart.
pub struct Source {
    read: Box<dyn Fn() -> Result<Database, ReadError> + Send + Sync>,
    /// The last content that was read without an error.
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

    /// The present address. While a file is being replaced, the last good content stays in use.
    pub(crate) fn current(&self) -> Arc<Database> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match (self.read)() {
            Ok(database) => *last = Arc::new(database),
            Err(error) => tracing::warn!(
                error = &*error as &dyn Error,
                "the URL of the database cannot be read again; the previous one stays in use"
            ),
        }
        Arc::clone(&last)
    }
}
