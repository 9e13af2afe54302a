//! The choice of the store: the only place that knows both.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use northgate_core::store::Store;
use northgate_store::embedded::{DATABASE, EmbeddedStore, ExposedError, OpenError, make_private};
use northgate_store::postgres::{ConnectError, PostgresStore};
use tracing::warn;

use crate::clock::Clock;
use crate::config::Config;
use crate::config::database::{DatabaseError, DatabaseSettings};
use crate::http::admin::BackUp;
use crate::metrics::{Metrics, collected};

/// The configured store.
#[derive(Clone)]
pub enum Choice {
    Embedded(Arc<EmbeddedStore>),
    Postgres(Arc<PostgresStore>),
}

/// Reason why the store did not open.
#[derive(Debug, thiserror::Error)]
pub enum StoreOpenError {
    #[error(transparent)]
    Embedded(#[from] OpenError),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Exposed(#[from] ExposedError),
    #[error("cannot use the data directory {}", path.display())]
    DataDir {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

impl Choice {
    pub async fn open(config: &Config, clock: &Clock) -> Result<Choice, StoreOpenError> {
        let clock = clock.clone();
        let tell = Box::new(move || clock.now());
        match &config.database {
            None => {
                let queue = config.limits.commit_queue as usize;
                Ok(Choice::Embedded(Arc::new(EmbeddedStore::open(&config.data_dir, queue, tell)?)))
            }
            Some(database) => {
                make_data_dir(&config.data_dir)?;
                Ok(Choice::Postgres(Arc::new(connect(database, tell).await?)))
            }
        }
    }

    /// The store as the rules see it.
    pub fn rules(&self) -> Arc<dyn Store> {
        match self {
            Choice::Embedded(store) => Arc::clone(store) as _,
            Choice::Postgres(store) => Arc::clone(store) as _,
        }
    }

    pub fn register(&self, metrics: &Metrics) {
        match self {
            Choice::Embedded(store) => collected::register(metrics, store),
            Choice::Postgres(store) => collected::register_postgres(metrics, store),
        }
    }

    /// Reason why the node should get no requests.
    pub fn why_not_ready(&self) -> Option<String> {
        match self {
            Choice::Embedded(store) => {
                let is_failing = store.stats().is_failing();
                let failure = || is_failing.then(|| "the last write to the store failed".to_owned());
                store.stats().lost().or_else(failure)
            }
            Choice::Postgres(store) => store.why_not_ready(),
        }
    }

    /// The name of the store in the status.
    pub fn name(&self) -> &'static str {
        match self {
            Choice::Embedded(_) => "embedded",
            Choice::Postgres(_) => "postgresql",
        }
    }

    /// Age of the last poll for changes of other nodes; `None` for the embedded store, which has one node.
    pub fn registry_lag(&self) -> Option<Duration> {
        match self {
            Choice::Embedded(_) => None,
            Choice::Postgres(store) => Some(store.stats().registry_lag()),
        }
    }

    /// Reason why the data directory is not the one that was opened: nothing must be written into it then.
    pub fn lost(&self) -> Option<String> {
        match self {
            Choice::Embedded(store) => store.stats().lost(),
            Choice::Postgres(_) => None,
        }
    }

    /// `None` where the database has its own backups.
    pub fn back_up(&self) -> Option<BackUp> {
        match self {
            Choice::Embedded(store) => {
                let store = Arc::clone(store);
                Some(Box::new(move |to| {
                    let store = Arc::clone(&store);
                    Box::pin(async move { store.backup(Path::new(&to)).await })
                }))
            }
            Choice::Postgres(_) => None,
        }
    }
}

async fn connect(
    database: &DatabaseSettings,
    tell: northgate_store::postgres::Clock,
) -> Result<PostgresStore, StoreOpenError> {
    Ok(PostgresStore::connect(database.resolve()?, tell).await?)
}

/// For the admin token and the keyring's key. Several nodes on a machine may share it.
fn make_data_dir(path: &Path) -> Result<(), StoreOpenError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|cause| StoreOpenError::DataDir { path: path.to_owned(), cause })?;
    make_private(path)?;
    if path.join(DATABASE).exists() {
        warn!(
            "{} has an embedded store, which is not used beside database.url: `northgate export` and `import` move it",
            path.display()
        );
    }
    Ok(())
}
