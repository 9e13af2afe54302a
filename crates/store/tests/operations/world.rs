//! The rules over a store in a place of its own, with a clock that stands still until it is moved.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use northgate_core::actor::Actor;
use northgate_core::administer::{Change, Creation, UseFrom, Wanted};
use northgate_core::admit::Caller;
use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::application::{Application, State};
use northgate_core::auth::{Auth, Settings};
use northgate_core::clock::Timestamp;
use northgate_core::issue::Pair;
use northgate_core::keyring::{Keyring, KeyringRecord};
use northgate_core::login::{Login, LoginError};
use northgate_core::logout::{Logout, LogoutError};
use northgate_core::policy::{AccessTokens, BindTokens, Dpop, Logins, OnReuse, Overrides, Policy, Rotation};
use northgate_core::refresh::{Refresh, RefreshError, Refusal};
use northgate_core::registry::STEADY;
use northgate_core::secret::SecretText;
use northgate_core::signing::Algorithms;
use northgate_core::store::Store;
use northgate_core::verify::VerifyError;
use northgate_store::embedded::{EmbeddedStore, restore};
use northgate_store::postgres::{PostgresStore, migrate};

use northgate_testkit::Kind;
use northgate_testkit::postgres::{Place, server};

use crate::STORE;
use northgate_testkit::eventually;

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3_600);
pub const DAY: Duration = Duration::from_secs(86_400);
pub const MILLISECOND: Duration = Duration::from_millis(1);

/// What holds for an application unless a law says otherwise.
pub const SETTINGS: Settings = Settings {
    policy: Policy {
        rotation: Rotation::Once,
        retry_window: MINUTE,
        on_reuse: OnReuse::Deny,
        logins: Logins::Many,
        max_grants: 32,
        access_lifetime: HOUR,
        refresh_lifetime: Duration::from_secs(30 * 86_400),
        calls_per_minute: 0,
        bind_tokens: BindTokens::Authenticated,
        access_tokens: AccessTokens::Opaque,
        dpop: Dpop::Off,
    },
    leeway: Duration::from_secs(30),
    closed_grants: 1_000,
    key_lead: Duration::from_secs(600),
    published: Algorithms { eddsa: false, es256: false },
    hashes_at_once: 2,
    failures_per_source: 0,
    failures_per_application: 0,
    dpop_proofs: 65_536,
};

/// Where applications call from unless a law says otherwise.
pub const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// An application as its own servers know it.
pub struct Customer {
    pub id: AppId,
    pub secret: SecretText,
}

pub struct World {
    data_dir: tempfile::TempDir,
    place: Option<Place>,
    clock: Arc<AtomicU64>,
    /// By how much the clock of the node that operations come to is off.
    pub skew_ms: i64,
    pub settings: Settings,
    keyring: KeyringRecord,
    running: Option<(Arc<Auth>, Running)>,
}

enum Running {
    Embedded(Arc<EmbeddedStore>),
    Postgres(Arc<PostgresStore>),
}

/// A copy of the store at one moment.
pub struct Backup(PathBuf);

/// The tables of a database, and copies of them.
const TABLES: [&str; 6] = ["applications", "secrets", "grants", "revocations", "removed", "forgotten"];

impl World {
    pub async fn new() -> World {
        World::with(SETTINGS).await
    }

    pub async fn with(settings: Settings) -> World {
        let clock = Arc::new(AtomicU64::new(1_700_000_000_000));
        let keyring = KeyringRecord::random(Timestamp::from_millis(0));
        let data_dir = tempfile::tempdir().unwrap();
        let place = match STORE {
            Kind::Embedded => None,
            Kind::Postgres => {
                let place = server().place().await;
                migrate(&place.settings()).await.unwrap();
                Some(place)
            }
        };
        let mut world = World { data_dir, place, clock, skew_ms: 0, settings, keyring, running: None };
        world.start().await;
        world
    }

    pub fn auth(&self) -> &Arc<Auth> {
        &self.running.as_ref().unwrap().0
    }

    /// How many operations were written since the start.
    pub fn writes(&self) -> u64 {
        match &self.running.as_ref().unwrap().1 {
            Running::Embedded(store) => store.stats().writes(),
            Running::Postgres(store) => store.stats().writes(),
        }
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock.load(Ordering::SeqCst).saturating_add_signed(self.skew_ms))
    }

    /// What the store does when revocations need not be known any more: as if the clock had been steady for long enough.
    pub async fn forget(&self) {
        let before = self.auth().registry().high_water().get();
        self.auth().registry().forget_revocations(self.now(), STEADY);
        let marks = self.auth().registry().high_water().get();
        // The embedded store writes the mark with its next commit, and this one as soon as it can.
        if let (Some(place), true) = (self.place, marks != before) {
            let client = server().client(&place.url()).await;
            let mark = "SELECT tokens_until FROM forgotten";
            let tokens = marks.tokens.as_millis() as i64;
            let is_written = async || client.query_one(mark, &[]).await.unwrap().get::<_, i64>(0) >= tokens;
            eventually("the marks are written", is_written).await;
        }
    }

    pub fn advance(&self, by: Duration) {
        self.clock.fetch_add(by.as_millis() as u64, Ordering::SeqCst);
    }

    pub fn set_back(&self, by: Duration) {
        self.clock.fetch_sub(by.as_millis() as u64, Ordering::SeqCst);
    }

    pub fn stop(&mut self) {
        self.running = None;
    }

    pub async fn start(&mut self) {
        let clock = Arc::clone(&self.clock);
        let tell = Box::new(move || Timestamp::from_millis(clock.load(Ordering::SeqCst)));
        let (store, running): (Arc<dyn Store>, Running) = match self.place {
            None => {
                let store = Arc::new(EmbeddedStore::open(self.data_dir.path(), 4_096, tell).unwrap());
                (Arc::clone(&store) as _, Running::Embedded(store))
            }
            Some(place) => {
                let store = Arc::new(PostgresStore::connect(place.settings(), tell).await.unwrap());
                (Arc::clone(&store) as _, Running::Postgres(store))
            }
        };
        let keyring = Keyring::new(self.keyring.clone()).unwrap();
        self.running = Some((Arc::new(Auth::new(store, keyring, self.settings)), running));
    }

    pub async fn restart(&mut self) {
        self.stop();
        self.start().await;
    }

    /// Restarts with the keyring of another installation.
    pub async fn lose_keyring(&mut self) {
        self.keyring = KeyringRecord::random(self.now());
        self.restart().await;
    }

    pub fn rotate_keyring(&mut self) {
        self.keyring = self.auth().rotated_keyring(UseFrom::After(Duration::ZERO), self.now()).unwrap();
        self.auth().replace_keyring(Keyring::new(self.keyring.clone()).unwrap());
    }

    pub async fn backup(&self) -> Backup {
        let path = self.data_dir.path().join("backup.db");
        match &self.running.as_ref().unwrap().1 {
            Running::Embedded(store) => store.backup(&path).await.unwrap(),
            Running::Postgres(_) => {
                let copies = TABLES.map(|table| format!("CREATE TABLE copy_of_{table} AS TABLE {table};"));
                self.do_in_database(&copies.concat()).await;
            }
        }
        Backup(path)
    }

    /// Puts the store back to a backup, as an operator does after the disk was lost.
    pub async fn put_back(&mut self, Backup(path): &Backup) {
        self.stop();
        match self.place {
            None => drop(restore(self.data_dir.path(), path).unwrap()),
            Some(_) => {
                let copies = TABLES
                    .map(|table| format!("DELETE FROM {table}; INSERT INTO {table} TABLE copy_of_{table};"));
                self.do_in_database(&copies.concat()).await;
            }
        }
        self.start().await;
    }

    async fn do_in_database(&self, statements: &str) {
        let client = server().client(&self.place.unwrap().url()).await;
        client.batch_execute(statements).await.unwrap();
    }

    pub async fn customer(&self, id: &str) -> Customer {
        self.customer_with(id, Overrides::default()).await
    }

    pub async fn customer_with(&self, id: &str, overrides: Overrides) -> Customer {
        let id = AppId::parse(id).unwrap();
        let wanted = Wanted {
            id: Some(id.clone()),
            name: id.to_string(),
            owner: None,
            secret: None,
            overrides,
            allow: Allow::default(),
        };
        match self.auth().create(wanted, &Actor::LOCAL, self.now()).await.unwrap() {
            Creation::Created(_, secret) => Customer { id, secret: secret.unwrap() },
            Creation::Same(_) | Creation::Taken(_) => panic!("{id} is taken"),
        }
    }

    pub async fn change(&self, customer: &Customer, change: Change) -> Arc<Application> {
        self.auth().change(&customer.id, &change, &Actor::LOCAL, self.now()).await.unwrap()
    }

    pub async fn set(&self, customer: &Customer, overrides: Overrides) {
        self.change(customer, Change::Set { name: None, owner: None, policy: overrides.into(), allow: None })
            .await;
    }

    pub async fn freeze(&self, customer: &Customer) {
        self.change(customer, Change::State(State::Frozen)).await;
    }

    pub async fn unfreeze(&self, customer: &Customer) {
        self.change(customer, Change::State(State::Active)).await;
    }

    pub async fn try_login(&self, customer: &Customer) -> Result<Login, LoginError> {
        self.try_login_from(customer, HOME).await
    }

    pub async fn try_login_from(&self, customer: &Customer, from: IpAddr) -> Result<Login, LoginError> {
        self.auth().login(&customer.id, &customer.secret, from, self.now()).await
    }

    pub async fn login(&self, customer: &Customer) -> Pair {
        self.try_login(customer).await.unwrap().pair
    }

    pub async fn try_refresh(&self, customer: &Customer, token: &str) -> Result<Refresh, RefreshError> {
        self.auth()
            .refresh(&Caller::with_secret(&customer.id, &customer.secret, HOME), token, self.now())
            .await
    }

    pub async fn refresh(&self, customer: &Customer, token: &str) -> Pair {
        self.try_refresh(customer, token).await.unwrap().pair
    }

    /// Why the refresh token is invalid.
    pub async fn refusal(&self, customer: &Customer, token: &str) -> Refusal {
        match self.try_refresh(customer, token).await {
            Err(RefreshError::Refused(refusal)) => refusal,
            Err(error) => panic!("it failed otherwise: {error}"),
            Ok(_) => panic!("it was accepted"),
        }
    }

    pub async fn logout(&self, access_token: &str) -> Result<Logout, LogoutError> {
        self.auth().logout(access_token, self.now()).await
    }

    pub fn verify(&self, customer: &Customer, access_token: &str) -> Result<(), VerifyError> {
        self.auth().verify(Some(&customer.id), access_token, None, &[], self.now()).map(drop)
    }
}
