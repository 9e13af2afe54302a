//! A node: the rules over a store of its own on a database that others use as well.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use northgate_core::actor::Actor;
use northgate_core::administer::{Creation, Wanted};
use northgate_core::admit::Caller;
use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::application::Application;
use northgate_core::auth::{Auth, Settings};
use northgate_core::clock::Timestamp;
use northgate_core::issue::Pair;
use northgate_core::keyring::{Keyring, KeyringRecord};
use northgate_core::policy::{AccessTokens, BindTokens, Dpop, Logins, OnReuse, Overrides, Policy, Rotation};
use northgate_core::refresh::{Refresh, RefreshError};
use northgate_core::secret::SecretText;
use northgate_core::signing::Algorithms;
use northgate_store::postgres::{PostgresSettings, PostgresStore, migrate};

use northgate_testkit::postgres::{Place, server};

pub const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// How long something may take that must happen; the laws are about whether it does.
const PATIENCE: Duration = Duration::from_secs(60);

const SETTINGS: Settings = Settings {
    policy: Policy {
        rotation: Rotation::Once,
        retry_window: Duration::from_secs(60),
        on_reuse: OnReuse::Deny,
        logins: Logins::Many,
        max_grants: 32,
        access_lifetime: Duration::from_secs(3_600),
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

/// What all nodes of one installation share.
pub struct Installation {
    pub place: Place,
    keyring: KeyringRecord,
}

pub struct Node {
    pub auth: Arc<Auth>,
    pub store: Arc<PostgresStore>,
}

pub struct Customer {
    pub id: AppId,
    pub secret: SecretText,
}

impl Installation {
    pub async fn new() -> Installation {
        Installation::at(server().place().await).await
    }

    /// With tables that belong to a role without any other privileges.
    pub async fn of_a_role() -> Installation {
        Installation::at(server().place_of_a_role().await).await
    }

    async fn at(place: Place) -> Installation {
        migrate(&place.settings()).await.unwrap();
        Installation { place, keyring: KeyringRecord::random(NOW) }
    }

    pub async fn node(&self) -> Node {
        self.node_with(self.place.settings()).await
    }

    pub async fn node_with(&self, settings: PostgresSettings) -> Node {
        Node::new(settings, &self.keyring).await
    }

    /// The database, beside the nodes.
    pub async fn database(&self) -> tokio_postgres::Client {
        server().client(&self.place.url()).await
    }
}

impl Node {
    pub async fn new(settings: PostgresSettings, keyring: &KeyringRecord) -> Node {
        let store = Arc::new(PostgresStore::connect(settings, Box::new(|| NOW)).await.unwrap());
        let keyring = Keyring::new(keyring.clone()).unwrap();
        Node { auth: Arc::new(Auth::new(Arc::clone(&store) as _, keyring, SETTINGS)), store }
    }

    pub async fn customer(&self, id: &str, overrides: Overrides) -> Arc<Customer> {
        let id = AppId::parse(id).unwrap();
        let wanted = Wanted {
            id: Some(id.clone()),
            name: id.to_string(),
            owner: None,
            secret: None,
            overrides,
            allow: Allow::default(),
        };
        match self.auth.create(wanted, &Actor::LOCAL, NOW).await.unwrap() {
            Creation::Created(_, secret) => Arc::new(Customer { id, secret: secret.unwrap() }),
            Creation::Same(_) | Creation::Taken(_) => panic!("{id} is taken"),
        }
    }

    /// Waits until this node knows an application.
    pub async fn knows(&self, customer: &Customer) -> Arc<Application> {
        until(|| self.auth.registry().find(&customer.id).is_some()).await;
        self.auth.registry().find(&customer.id).unwrap()
    }

    pub async fn login(&self, customer: &Customer) -> Pair {
        self.auth.login(&customer.id, &customer.secret, HERE, NOW).await.unwrap().pair
    }

    pub async fn refresh(
        &self,
        customer: &Customer,
        token: &str,
        now: Timestamp,
    ) -> Result<Refresh, RefreshError> {
        self.auth.refresh(&Caller::with_secret(&customer.id, &customer.secret, HERE), token, now).await
    }

    pub fn verifies(&self, customer: &Customer, token: &str) -> bool {
        self.auth.verify(Some(&customer.id), token, None, &[], NOW).is_ok()
    }
}

/// Waits until it holds. Not `eventually`: tests spawn this as a task, for which the compiler does not see that an `AsyncFnMut` is `Send`.
pub async fn until(mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "it never came to hold");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
