//! Where the store of a world is. Which one it is stands at the root of the tests: all of them hold on both.

use std::sync::Arc;

use northgate_core::store::Store;
use northgate_server::clock::Clock;
use northgate_store::embedded::EmbeddedStore;
use northgate_store::postgres::{PostgresSettings, PostgresStore, migrate};

use crate::{STORE, server};

#[allow(dead_code)]
#[derive(Clone, Copy)]
pub enum Kind {
    Embedded,
    Postgres,
}

pub enum Place {
    Embedded(tempfile::TempDir),
    Postgres(server::Place),
}

/// A store that was opened, as the rules know it, and the embedded one as itself.
pub struct Opened {
    pub rules: Arc<dyn Store>,
    #[allow(dead_code)]
    pub embedded: Option<Arc<EmbeddedStore>>,
}

impl Place {
    pub async fn new() -> Place {
        match STORE {
            Kind::Embedded => Place::Embedded(tempfile::tempdir().unwrap()),
            Kind::Postgres => {
                let server = tokio::task::spawn_blocking(server::server).await.unwrap();
                let place = server.place().await;
                migrate(&place.settings()).await.unwrap();
                Place::Postgres(place)
            }
        }
    }

    pub async fn open(&self, queue_bound: usize, clock: &Clock) -> Opened {
        let clock = clock.clone();
        let tell = Box::new(move || clock.now());
        match self {
            Place::Embedded(dir) => {
                let store = Arc::new(EmbeddedStore::open(dir.path(), queue_bound, tell).unwrap());
                Opened { rules: Arc::clone(&store) as _, embedded: Some(store) }
            }
            Place::Postgres(place) => {
                let settings = PostgresSettings { queue_bound, ..place.settings() };
                let store = PostgresStore::connect(settings, tell).await.unwrap();
                Opened { rules: Arc::new(store), embedded: None }
            }
        }
    }
}
