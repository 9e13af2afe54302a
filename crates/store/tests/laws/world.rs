//! A store in a place of its own, with a clock that stands still until it is moved.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::application::{Application, State};
use northgate_core::clock::Timestamp;
use northgate_core::grant::{Grant, GrantId, GrantKey};
use northgate_core::policy::Overrides;
use northgate_core::registry::Revocation;
use northgate_core::secret::{Digest, Kept, Secret, SecretId};
use northgate_core::store::{Created, NewApplication, Opened, Opening, Store};
use northgate_store::embedded::EmbeddedStore;
use northgate_store::postgres::{PostgresStore, migrate};

use northgate_testkit::Kind;
use northgate_testkit::postgres::{Place, server};

use crate::STORE;

pub const HOUR: Duration = Duration::from_secs(3_600);
pub const DAY: Duration = Duration::from_secs(86_400);

pub struct World {
    pub data_dir: tempfile::TempDir,
    place: Option<Place>,
    clock: Arc<AtomicU64>,
    queue_bound: usize,
    store: Option<Running>,
}

enum Running {
    Embedded(EmbeddedStore),
    Postgres(PostgresStore),
}

impl World {
    pub async fn new() -> World {
        World::with_queue(4_096).await
    }

    pub async fn with_queue(queue_bound: usize) -> World {
        let clock = Arc::new(AtomicU64::new(1_700_000_000_000));
        let data_dir = tempfile::tempdir().unwrap();
        let place = match STORE {
            Kind::Embedded => None,
            Kind::Postgres => {
                let place = server().place().await;
                migrate(&place.settings()).await.unwrap();
                Some(place)
            }
        };
        let mut world = World { data_dir, place, clock, queue_bound, store: None };
        world.start().await;
        world
    }

    pub fn store(&self) -> &dyn Store {
        match self.store.as_ref().unwrap() {
            Running::Embedded(store) => store,
            Running::Postgres(store) => store,
        }
    }

    /// The store of laws that the embedded one has beside those of every store.
    pub fn embedded(&self) -> &EmbeddedStore {
        match self.store.as_ref().unwrap() {
            Running::Embedded(store) => store,
            Running::Postgres(_) => panic!("the law is about files"),
        }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.load(Ordering::SeqCst))
    }

    pub fn advance(&self, by: Duration) {
        self.clock.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }

    pub fn stop(&mut self) {
        self.store = None;
    }

    pub async fn start(&mut self) {
        let clock = Arc::clone(&self.clock);
        let tell = Box::new(move || Timestamp::from_millis(clock.load(Ordering::SeqCst)));
        self.store = Some(match self.place {
            None => {
                Running::Embedded(EmbeddedStore::open(self.data_dir.path(), self.queue_bound, tell).unwrap())
            }
            Some(place) => Running::Postgres(PostgresStore::connect(place.settings(), tell).await.unwrap()),
        });
    }

    pub async fn restart(&mut self) {
        self.stop();
        self.start().await;
    }

    pub fn wanted(&self, id: &str) -> NewApplication {
        let kept = Kept::Digest(Digest::from_bytes([7; 32]));
        NewApplication {
            id: AppId::parse(id).unwrap(),
            name: format!("the application {id}"),
            owner: None,
            state: State::Active,
            overrides: Overrides::default(),
            allow: Allow::default(),
            created_at: self.now(),
            secrets: [Arc::new(Secret::new(SecretId(1), "first".to_owned(), self.now(), kept))]
                .into_iter()
                .collect(),
        }
    }

    pub async fn application(&self, id: &str) -> Arc<Application> {
        match self.store().create(self.wanted(id)).await.unwrap() {
            Created::Created(application) => application,
            Created::Taken(_) => panic!("{id} is taken"),
        }
    }

    pub fn grant(&self, id: u64) -> Grant {
        let now = self.now();
        Grant { id: GrantId(id), generation: 0, refreshed_at: now, expires_at: now.plus(30 * DAY) }
    }

    /// Opens a grant with room for 32.
    pub async fn open(&self, application: &Application, id: u64) -> GrantKey {
        let opening = self.opening(application, id);
        assert_eq!(self.store().open(opening).await.unwrap(), Opened::Opened);
        GrantKey { application: application.number, id: GrantId(id) }
    }

    pub fn opening(&self, application: &Application, id: u64) -> Opening {
        let grant = self.grant(id);
        let (application, now) = (application.number, self.now());
        Opening { application, grant, at_most: 32, close_others: None, not_before: None, now }
    }

    /// That access tokens end now, and that this need be known for an hour.
    pub fn revocation(&self) -> Revocation {
        Revocation { ends_at: self.now(), forget_at: self.now().plus(HOUR) }
    }
}
