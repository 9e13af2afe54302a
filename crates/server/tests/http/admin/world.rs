//! A running admin API: a store in a folder of its own, a clock that tests move, and an operator with the token.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use northgate_core::app_id::AppId;
use northgate_core::auth::{Auth, Settings};
use northgate_core::clock::Timestamp;
use northgate_core::issue::Pair;
use northgate_core::login::LoginError;
use northgate_core::policy::{AccessTokens, BindTokens, Dpop, Logins, OnReuse, Policy, Rotation};
use northgate_core::secret::SecretText;
use northgate_core::signing::Algorithms;
use northgate_server::clock::Clock;
use northgate_server::http::admin::{BackUp, router};
use northgate_server::keys::keyring_file::KeyringFile;
use northgate_store::embedded::EmbeddedStore;
use reqwest::Method;
use serde_json::Value;

use crate::support::admin::{self, Parts};
use crate::support::store::Place;

/// 2023-11-14T22:13:20Z.
pub const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// How long a request body may take.
const BODY_TIME: &str = "1s";

pub struct World {
    pub auth: Arc<Auth>,
    pub clock: Clock,
    pub address: SocketAddr,
    pub token: String,
    /// How often another keyring was put to use.
    pub rotations: Arc<AtomicUsize>,
    pub place: Place,
    pub http: reqwest::Client,
}

/// What was answered: the status and the JSON, `null` for an empty body.
pub type Answer = (u16, Value);

impl World {
    pub async fn start() -> World {
        let place = Place::new().await;
        let dir = &place.dir;
        let clock = Clock::manual(START);
        let path = dir.path().join("keyring.toml");
        let (keyring_file, keyring) = KeyringFile::open_or_create(&path, START, false).unwrap();
        let store = place.open(1000, &clock).await;
        let auth = Arc::new(Auth::new(store.rules, keyring, settings()));
        let rotations = Arc::new(AtomicUsize::new(0));
        let (rotated, in_use) = (Arc::clone(&rotations), Arc::clone(&auth));
        let parts = Parts {
            keyring: keyring_file,
            use_keyring: Arc::new(move |keyring| {
                in_use.replace_keyring(keyring);
                rotated.fetch_add(1, Ordering::SeqCst);
            }),
            back_up: store.embedded.map(back_up),
            body_time: BODY_TIME,
        };
        let admin = admin::admin(dir.path(), &auth, &clock, parts);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router(Arc::new(admin))).await });
        let token = admin::token(dir.path());
        World { auth, clock, address, token, rotations, place, http: http() }
    }

    pub async fn ask(&self, method: Method, path: &str, body: Value) -> Answer {
        self.ask_with(&format!("Bearer {}", self.token), method, path, body).await
    }

    pub async fn ask_with(&self, authorization: &str, method: Method, path: &str, body: Value) -> Answer {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let url = format!("http://{}{path}", self.address);
        let request = self.http.request(method, url).header("authorization", authorization);
        let answer = request.body(text).send().await.unwrap();
        let status = answer.status().as_u16();
        assert_eq!(answer.headers()["cache-control"], "no-store");
        // A scheme alone is no challenge (RFC 6750 §3).
        let challenge = answer.headers().get("www-authenticate").map(|challenge| challenge.to_str().unwrap());
        assert_eq!(challenge, (status == 401).then_some("Bearer realm=\"northgate\""));
        let text = answer.text().await.unwrap();
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask(Method::GET, path, Value::Null).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, body).await
    }

    /// Creates an application and returns the secret that was allocated.
    pub async fn application(&self, app_id: &str) -> String {
        let body = serde_json::json!({ "name": format!("the {app_id}"), "appId": app_id });
        let (status, answer) = self.post("/admin/v1/applications", body).await;
        assert_eq!(status, 201, "{answer}");
        answer["secret"].as_str().unwrap().to_owned()
    }

    pub async fn login(&self, app_id: &str, secret: &str) -> Result<Pair, LoginError> {
        let (app, secret) = (AppId::parse(app_id).unwrap(), SecretText::parse(secret).unwrap());
        Ok(self.auth.login(&app, &secret, Ipv4Addr::LOCALHOST.into(), self.clock.now()).await?.pair)
    }
}

fn back_up(store: Arc<EmbeddedStore>) -> BackUp {
    Box::new(move |to: PathBuf| {
        let store = Arc::clone(&store);
        Box::pin(async move { store.backup(&to).await })
    })
}

fn http() -> reqwest::Client {
    // The client wants to know how to speak TLS even where it does not. Another test may have said so already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::new()
}

fn settings() -> Settings {
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
        dpop: Dpop::Off,
    };
    Settings {
        policy,
        leeway: Duration::from_secs(30),
        closed_grants: 100,
        key_lead: Duration::from_secs(600),
        published: Algorithms { eddsa: false, es256: false },
        hashes_at_once: 2,
        failures_per_source: 0,
        failures_per_application: 0,
        dpop_proofs: 65_536,
    }
}
