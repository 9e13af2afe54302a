//! Fills a data directory or a database for a benchmark: applications with grants, made by the rules themselves, and one
//! line `appId secret refreshToken accessToken` for each grant on standard output.
//!
//! `seed DATA_DIR APPLICATIONS GRANTS [--reusable] [--access-tokens KIND] [--database-url URL]`; the key of a database's
//! keyring is made in DATA_DIR.

// It prints, and what goes wrong ends it.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use northgate_core::actor::Actor;
use northgate_core::administer::{Creation, Wanted};
use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::auth::{Auth, Settings};
use northgate_core::keyring::Keyring;
use northgate_core::policy::{AccessTokens, BindTokens, Dpop, Logins, OnReuse, Overrides, Policy, Rotation};
use northgate_core::secret::SecretText;
use northgate_core::signing::{Algorithm, Algorithms};
use northgate_core::store::Store;
use northgate_server::clock::Clock;
use northgate_server::config::Config;
use northgate_server::config::layers::Sources;
use northgate_server::keys::keyring_database::DatabaseKeyring;
use northgate_server::keys::keyring_file::KeyringFile;
use northgate_store::embedded::EmbeddedStore;
use northgate_store::postgres::{self, PostgresStore};
use tokio::task::JoinSet;

/// Operations under way at once: they share commits.
const AT_ONCE: usize = 1_024;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (data_dir, applications, grants) =
        (Path::new(&arguments[1]), number(&arguments[2]), number(&arguments[3]));
    let rotation = arguments.iter().any(|argument| argument == "--reusable").then_some(Rotation::Reusable);
    let option = |name| arguments.iter().skip_while(move |argument| *argument != name).nth(1);
    let (url, access_tokens) =
        (option("--database-url"), option("--access-tokens").map(|kind| kind_of(kind)));
    let (store, embedded, keyring) = match url {
        None => {
            let (store, keyring) = embedded(data_dir);
            (Arc::clone(&store) as Arc<dyn Store>, Some(store), keyring)
        }
        Some(url) => {
            let (store, keyring) = database(data_dir, url).await;
            (store, None, keyring)
        }
    };
    let auth = Arc::new(auth(store, keyring));
    let overrides = Overrides { rotation, access_tokens, ..Overrides::default() };
    let known = Arc::new(create(&auth, applications, overrides).await);
    log_in(&auth, &known, grants).await;
    if let Some(embedded) = embedded {
        rest(&embedded).await;
    }
}

/// Folding what the logins left in the journal is theirs: otherwise the load to come would be found to cost that as well.
async fn rest(store: &EmbeddedStore) {
    while store.stats().journal_bytes() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap()
}

fn kind_of(access_tokens: &str) -> AccessTokens {
    match access_tokens {
        "jwt-eddsa" => AccessTokens::Jwt(Algorithm::EdDsa),
        "jwt-es256" => AccessTokens::Jwt(Algorithm::Es256),
        other => panic!("{other}: jwt-eddsa or jwt-es256"),
    }
}

fn embedded(data_dir: &Path) -> (Arc<EmbeddedStore>, Keyring) {
    let store = EmbeddedStore::open(data_dir, 8 * AT_ONCE, Box::new(|| Clock::System.now())).unwrap();
    let (_, keyring) =
        KeyringFile::open_or_create(&data_dir.join("keyring.toml"), Clock::System.now(), false).unwrap();
    (Arc::new(store), keyring)
}

/// Sets up an empty database as the nodes will find it.
async fn database(data_dir: &Path, url: &str) -> (Arc<dyn Store>, Keyring) {
    std::fs::create_dir_all(data_dir).unwrap();
    // Applications are created one after the other, each with a commit of its own.
    let patience = ("database.answer_within", "60s");
    let set = [("data_dir", data_dir.to_str().unwrap()), ("database.url", url), patience];
    let set = set.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let config = Config::load(Sources::of_process(None, set.to_vec())).unwrap();
    let settings = config.database.unwrap().resolve().unwrap();
    postgres::migrate(&settings).await.unwrap();
    let clock = Box::new(|| Clock::System.now());
    let store = Arc::new(PostgresStore::connect(settings, clock).await.unwrap());
    let opened = DatabaseKeyring::open_or_create(&store, config.keyring_key, Clock::System.now(), false);
    let (_, keyring) = opened.await.unwrap();
    (store, keyring)
}

fn auth(store: Arc<dyn Store>, keyring: Keyring) -> Auth {
    let day = Duration::from_secs(86_400);
    let policy = Policy {
        rotation: Rotation::Once,
        retry_window: Duration::from_secs(60),
        on_reuse: OnReuse::Deny,
        logins: Logins::Many,
        max_grants: 32,
        access_lifetime: day / 24,
        refresh_lifetime: 30 * day,
        calls_per_minute: 0,
        bind_tokens: BindTokens::Authenticated,
        access_tokens: AccessTokens::Opaque,
        dpop: Dpop::Off,
    };
    let settings = Settings {
        policy,
        leeway: Duration::ZERO,
        closed_grants: 10_000,
        key_lead: Duration::from_secs(600),
        published: Algorithms { eddsa: false, es256: false },
        hashes_at_once: 1,
        failures_per_source: 0,
        failures_per_application: 0,
        dpop_proofs: 65_536,
    };
    Auth::new(store, keyring, settings)
}

async fn create(auth: &Arc<Auth>, count: usize, overrides: Overrides) -> Vec<(AppId, SecretText)> {
    let mut known = Vec::with_capacity(count);
    let mut working = JoinSet::new();
    for n in 0..count {
        if working.len() == AT_ONCE {
            known.push(working.join_next().await.unwrap().unwrap());
        }
        let auth = Arc::clone(auth);
        working.spawn(async move {
            let wanted = Wanted {
                id: None,
                name: format!("benchmark {n}"),
                owner: None,
                secret: None,
                overrides,
                allow: Allow::default(),
            };
            match auth.create(wanted, &Actor::LOCAL, Clock::System.now()).await.unwrap() {
                Creation::Created(application, Some(secret)) => (application.id.clone(), secret),
                Creation::Created(_, None) | Creation::Same(_) | Creation::Taken(_) => {
                    panic!("not a new application")
                }
            }
        });
    }
    known.extend(working.join_all().await);
    known
}

/// The grants go round the applications, so that neighbours in the output belong to different ones.
async fn log_in(auth: &Arc<Auth>, known: &Arc<Vec<(AppId, SecretText)>>, count: usize) {
    let mut output = std::io::BufWriter::new(std::io::stdout().lock());
    let mut working = JoinSet::new();
    for n in 0..count {
        if working.len() == AT_ONCE {
            let line: String = working.join_next().await.unwrap().unwrap();
            output.write_all(line.as_bytes()).unwrap();
        }
        let (auth, known) = (Arc::clone(auth), Arc::clone(known));
        working.spawn(async move {
            let (app, secret) = &known[n % known.len()];
            let pair =
                auth.login(app, secret, Ipv4Addr::LOCALHOST.into(), Clock::System.now()).await.unwrap().pair;
            let mut line = String::with_capacity(256);
            writeln!(line, "{app} {} {} {}", secret.reveal(), pair.refresh_token, pair.access_token).unwrap();
            line
        });
    }
    for line in working.join_all().await {
        output.write_all(line.as_bytes()).unwrap();
    }
}
