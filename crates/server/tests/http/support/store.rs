//! Where the store of a world is. Which one it is stands at the root of the tests: all of them hold on both.

use std::sync::Arc;

use northgate_core::store::Store;
use northgate_server::clock::Clock;
use northgate_store::embedded::EmbeddedStore;
use northgate_store::postgres::{PostgresSettings, PostgresStore, migrate};

use northgate_testkit::{Kind, postgres as server};

use crate::STORE;

pub struct Place {
    /// For files.
    pub dir: tempfile::TempDir,
    database: Option<server::Place>,
}

/// A store that was opened, as the rules know it, and the embedded one as itself.
pub struct Opened {
    pub rules: Arc<dyn Store>,
    pub embedded: Option<Arc<EmbeddedStore>>,
}

impl Place {
    pub async fn new() -> Place {
        let database = match STORE {
            Kind::Embedded => None,
            Kind::Postgres => {
                let server = tokio::task::spawn_blocking(server::server).await.unwrap();
                let place = server.place().await;
                migrate(&place.settings()).await.unwrap();
                Some(place)
            }
        };
        Place { dir: tempfile::tempdir().unwrap(), database }
    }

    pub async fn open(&self, queue_bound: usize, clock: &Clock) -> Opened {
        let clock = clock.clone();
        let tell = Box::new(move || clock.now());
        match &self.database {
            None => {
                let store = Arc::new(EmbeddedStore::open(self.dir.path(), queue_bound, tell).unwrap());
                Opened { rules: Arc::clone(&store) as _, embedded: Some(store) }
            }
            Some(place) => {
                let settings = PostgresSettings { queue_bound, ..place.settings() };
                let store = PostgresStore::connect(settings, tell).await.unwrap();
                Opened { rules: Arc::new(store), embedded: None }
            }
        }
    }
}
