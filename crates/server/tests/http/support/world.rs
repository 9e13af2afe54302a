//! Both listeners of a Northgate over a store in a place of its own, with a clock that tests move.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use northgate_core::actor::Actor;
use northgate_core::administer::{Change, Creation, Wanted};
use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::application::State;
use northgate_core::auth::{Auth, Settings};
use northgate_core::clock::Timestamp;
use northgate_core::keyring::{Keyring, KeyringRecord};
use northgate_core::policy::{
    AccessTokens, BindTokens, Dpop, Logins, OnReuse, Overrides, Policy, PolicyChange, Rotation,
};
use northgate_core::signing::Algorithms;
use northgate_server::clock::Clock;
use northgate_server::config::Config;
use northgate_server::config::api::{Dialect, V3Login};
use northgate_server::config::layers::Sources;
use northgate_server::config::limits::Limits;
use northgate_server::config::log::LoggedRequests;
use northgate_server::config::oauth::{Issuer, OAuth};
use northgate_server::config::verify::TrustedHeaders;
use northgate_server::http::hosts::Hosts;
use northgate_server::http::{self, Api, body::Bounds};
use northgate_server::jwt::signature_cache::SignatureCache;
use northgate_server::keys::keyring_file::KeyringFile;
use northgate_server::listener::{self, Rules, SharedRules, connection::Routes};
use northgate_server::metrics::Metrics;
use northgate_server::metrics::connections::ConnectionMetrics;
use northgate_server::tls::Tls;
use northgate_server::traces::Tracer;
use northgate_server::traces::sampling::Ratio;
use tokio::sync::watch;

use crate::support::admin::{self, Parts};
use crate::support::socket::{Answer, ask, post};
use crate::support::store::Place;

pub const LOGIN: &str = "/iocm/app/sec/v1.1.0/login";
pub const REFRESH: &str = "/iocm/app/sec/v1.1.0/refreshToken";
pub const LOGOUT: &str = "/iocm/app/sec/v1.1.0/logout";
pub const FORM: &str = "application/x-www-form-urlencoded";
pub const JSON: &str = "application/json";

pub const INVALID: &str = r#"{"error_code":"50400","error_desc":"The input is invalid."}"#;
pub const MISSING: &str = r#"{"error_code":"102202","error_desc":"Required Parameter is null or empty."}"#;
pub const REJECTED: &str = r#"{"error_code":"100208","error_desc":"AppId or secret is not right."}"#;

/// The largest body in these tests.
pub const BODY_MAX: usize = 16 * 1024;

/// More spans than any test has requests.
const SPANS: usize = 1_000_000;

/// The time at which every test begins: 2026-01-01 00:00:00 UTC.
pub const BEGIN_S: u64 = 1_767_225_600;

pub struct World {
    pub public: SocketAddr,
    pub private: SocketAddr,
    /// For tests that serve it once more, behind TLS.
    #[allow(dead_code)]
    pub api: Arc<Api>,
    pub auth: Arc<Auth>,
    pub clock: Clock,
    pub is_ready: Arc<AtomicBool>,
    /// The secret of the application `demo`.
    pub secret: String,
    stop: watch::Sender<bool>,
    place: Place,
}

/// A private listener with the admin API.
pub struct Administered {
    pub address: SocketAddr,
    /// The admin token.
    pub token: String,
}

/// What differs from one world to another.
pub struct Setup {
    pub dialect: Dialect,
    pub v3_login: V3Login,
    pub prefix: &'static str,
    pub body_time: Duration,
    /// Operations that may wait for the store once the world is made.
    pub queue: usize,
    pub overrides: Overrides,
    pub trusted_headers: TrustedHeaders,
    /// Wrong secrets in a minute from one address.
    pub failures_per_source: u32,
    /// Proxies that both listeners trust.
    pub trusted: &'static str,
    /// Used proofs of possession of one application that are remembered.
    pub dpop_proofs: usize,
    /// The part of the requests that are traced, where traces are on.
    pub traced: Option<f64>,
}

pub const TRUST_NOTHING: TrustedHeaders = TrustedHeaders {
    client_cert: false,
    client_cert_thumbprint: false,
    forwarded_host: false,
    forwarded_proto: false,
};

pub const SETUP: Setup = Setup {
    dialect: Dialect::Intl,
    v3_login: V3Login::On,
    prefix: "",
    body_time: Duration::from_secs(10),
    queue: 100,
    overrides: Overrides {
        rotation: None,
        retry_window: None,
        on_reuse: None,
        logins: None,
        max_grants: None,
        access_lifetime: None,
        refresh_lifetime: None,
        calls_per_minute: None,
        bind_tokens: None,
        access_tokens: None,
        dpop: None,
    },
    trusted_headers: TRUST_NOTHING,
    failures_per_source: 0,
    trusted: "",
    dpop_proofs: 65_536,
    traced: None,
};

impl World {
    pub async fn new() -> World {
        World::with(SETUP).await
    }

    pub async fn with(setup: Setup) -> World {
        // Tests that read the log missed lines now and then: `tracing` asks once whether anybody wants a line, and a test
        // beside them that wrote it first, without a subscriber, could settle that for all. So there is always a subscriber.
        let everything =
            tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(std::io::sink);
        let _ = tracing::subscriber::set_global_default(everything.finish());
        let place = Place::new().await;
        let clock = Clock::manual(Timestamp::from_millis(BEGIN_S * 1000));
        let record = KeyringRecord::random(clock.now());
        let secret = create(&auth(&place, 100, &setup, &clock, &record).await, &setup, clock.now()).await;
        let auth = Arc::new(auth(&place, setup.queue, &setup, &clock, &record).await);
        let is_ready = Arc::new(AtomicBool::new(true));
        let ready = Arc::clone(&is_ready);
        let api = Arc::new(Api {
            auth: Arc::clone(&auth),
            clock: clock.clone(),
            metrics: Arc::new(Metrics::default()),
            dialect: setup.dialect,
            v3_login: setup.v3_login,
            oauth: OAuth {
                issuer: Issuer::parse("https://tokens.example.com").unwrap(),
                audience: "https://api.example.com".to_owned(),
            },
            trusted_headers: setup.trusted_headers,
            signatures: SignatureCache::default(),
            asks_certificates: false,
            private_hosts: Hosts::new(vec!["h".to_owned(), "northgate".to_owned()], None),
            body: Bounds { size: BODY_MAX, time: setup.body_time },
            why_not_ready: Box::new(move || match ready.load(Ordering::Relaxed) {
                true => None,
                false => Some("the disk is full".to_owned()),
            }),
            attention: Box::new(Vec::new),
            logged: LoggedRequests::All,
            tracer: setup.traced.map(|ratio| Arc::new(Tracer::new(Ratio::new(ratio).unwrap(), SPANS, false))),
        });
        let (stop, stopped) = watch::channel(false);
        let public_routes = http::public(Arc::clone(&api), setup.prefix);
        let public = serve_behind(setup.trusted, public_routes, None, stopped.clone()).await;
        let private_routes = http::private(Arc::clone(&api), Router::new());
        let private = serve_behind(setup.trusted, private_routes, None, stopped).await;
        World { api, public, private, auth, clock, is_ready, secret, stop, place }
    }

    /// Serves the private listener once more, with the admin API.
    pub async fn administered(&self) -> Administered {
        let dir = self.place.dir.path();
        let path = dir.join("keyring.toml");
        let (keyring, _) = KeyringFile::open_or_create(&path, self.clock.now(), false).unwrap();
        let parts = Parts { keyring, use_keyring: Arc::new(|_| ()), back_up: None, body_time: "1m" };
        let admin = admin::admin(dir, &self.auth, &self.clock, parts);
        let routes = http::private(Arc::clone(&self.api), http::admin::router(Arc::new(admin)));
        let address = serve(routes, None, self.stop.subscribe()).await;
        Administered { address, token: admin::token(dir) }
    }

    /// A login of `demo`.
    pub async fn login(&self) -> Answer {
        let answer = ask(self.public, post(LOGIN, FORM, format!("appId=demo&secret={}", self.secret))).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer
    }

    /// A refresh by `demo`.
    pub async fn refresh(&self, token: &str) -> Answer {
        let body = format!(r#"{{"appId":"demo","secret":"{}","refreshToken":"{token}"}}"#, self.secret);
        ask(self.public, post(REFRESH, JSON, body)).await
    }

    pub async fn logout(&self, token: &str) -> Answer {
        ask(self.public, post(LOGOUT, JSON, format!(r#"{{"accessToken":"{token}"}}"#))).await
    }

    /// A gateway's question about a call of `demo`.
    pub async fn verify(&self, token: &str) -> Answer {
        let request = format!(
            "GET /verify HTTP/1.1\r\nHost: h\r\napp_key: demo\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        ask(self.private, request).await
    }

    /// Lets `demo` make these calls only.
    pub async fn allow(&self, rules: &[&str]) {
        let allow = Some(Allow::parse(rules).unwrap());
        let change = Change::Set { name: None, owner: None, policy: PolicyChange::default(), allow };
        self.auth
            .change(&AppId::parse("demo").unwrap(), &change, &Actor::LOCAL, self.clock.now())
            .await
            .unwrap();
    }

    pub async fn freeze(&self) {
        let change = Change::State(State::Frozen);
        self.auth
            .change(&AppId::parse("demo").unwrap(), &change, &Actor::LOCAL, self.clock.now())
            .await
            .unwrap();
    }
}

async fn auth(place: &Place, queue: usize, setup: &Setup, clock: &Clock, record: &KeyringRecord) -> Auth {
    let store = place.open(queue, clock).await.rules;
    let policy = Policy {
        rotation: Rotation::Once,
        retry_window: Duration::from_secs(60),
        on_reuse: OnReuse::Deny,
        logins: Logins::Many,
        max_grants: 32,
        access_lifetime: Duration::from_secs(3600),
        refresh_lifetime: Duration::from_secs(30 * 86_400),
        calls_per_minute: 0,
        bind_tokens: BindTokens::Authenticated,
        access_tokens: AccessTokens::Opaque,
        dpop: Dpop::Presented,
    };
    let settings = Settings {
        policy,
        leeway: Duration::from_secs(30),
        closed_grants: 1000,
        key_lead: Duration::from_secs(600),
        published: Algorithms { eddsa: false, es256: false },
        hashes_at_once: 1,
        failures_per_source: setup.failures_per_source,
        failures_per_application: 0,
        dpop_proofs: setup.dpop_proofs,
    };
    Auth::new(store, Keyring::new(record.clone()).unwrap(), settings)
}

async fn create(auth: &Auth, setup: &Setup, now: Timestamp) -> String {
    let id = Some(AppId::parse("demo").unwrap());
    let wanted = Wanted {
        id,
        name: "demo".to_owned(),
        owner: None,
        secret: None,
        overrides: setup.overrides,
        allow: Allow::default(),
    };
    match auth.create(wanted, &Actor::LOCAL, now).await.unwrap() {
        Creation::Created(_, Some(secret)) => secret.reveal().to_owned(),
        Creation::Created(_, None) | Creation::Same(_) | Creation::Taken(_) => panic!("not created"),
    }
}

/// Serves until the sender of `stop` is gone.
#[allow(dead_code)]
pub async fn serve(routes: impl Routes, tls: Option<Arc<Tls>>, stop: watch::Receiver<bool>) -> SocketAddr {
    serve_behind("", routes, tls, stop).await
}

/// The same behind proxies that are trusted.
pub async fn serve_behind(
    trusted: &str,
    routes: impl Routes,
    tls: Option<Arc<Tls>>,
    stop: watch::Receiver<bool>,
) -> SocketAddr {
    let socket = listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let minute = Duration::from_secs(60);
    let limits = Limits {
        body: BODY_MAX,
        headers: 32 * 1024,
        header_time: minute,
        body_time: minute,
        handshake_time: minute,
        idle_time: minute,
        connections: 100,
        connections_per_source: 100,
        stop_time: minute,
        commit_queue: 100,
        closed_grants: 1000,
        hashes_at_once: 1,
        failures_per_source: 0,
        failures_per_application: 0,
        dpop_proofs: 65_536,
        threads: None,
    };
    let flags = vec![("proxies.trusted".to_owned(), trusted.to_owned())];
    let proxies = Config::load(Sources { flags, ..Sources::default() }).unwrap().proxies;
    let [metrics, _] = ConnectionMetrics::register(&Metrics::default());
    let rules = SharedRules::new(Rules { limits, proxies, metrics });
    tokio::spawn(async move { listener::serve(socket, tls, routes, rules, stop).await });
    address
}
