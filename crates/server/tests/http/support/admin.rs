//! The state of an admin API over the rules of a world.

use std::path::Path;
use std::sync::Arc;

use northgate_core::auth::Auth;
use northgate_core::search::Index;
use northgate_server::clock::Clock;
use northgate_server::config::Config;
use northgate_server::config::layers::Sources;
use northgate_server::http::admin::status::NodeStatus;
use northgate_server::http::admin::{Admin, BackUp, Exclusive, KeyringHome};
use northgate_server::http::console::session::Sessions;
use northgate_server::keys::admin_token::{self, AdminToken};
use northgate_server::keys::keyring_database::UseKeyring;
use northgate_server::keys::keyring_file::KeyringFile;

/// What differs from one world to another.
pub struct Parts {
    pub keyring: KeyringFile,
    pub use_keyring: UseKeyring,
    pub back_up: Option<BackUp>,
    /// How long a request body may take.
    pub body_time: &'static str,
}

/// An admin API whose files are in `dir`.
pub fn admin(dir: &Path, auth: &Arc<Auth>, clock: &Clock, parts: Parts) -> Admin {
    Admin {
        auth: Arc::clone(auth),
        clock: clock.clone(),
        token: AdminToken::open_or_create(dir, None).unwrap(),
        keyring: KeyringHome::File(Arc::new(parts.keyring)),
        back_up: parts.back_up,
        node: Box::new(|| NodeStatus {
            store: "embedded",
            why_not_ready: None,
            attention: Vec::new(),
            registry_lag: None,
            certificates: Vec::new(),
        }),
        lost: Box::new(|| None),
        use_keyring: parts.use_keyring,
        config: Arc::new(Arc::new(config(dir, parts.body_time)).into()),
        reload: Box::new(|_| Ok(Vec::new())),
        exclusive: Exclusive::default(),
        metrics: Arc::default(),
        sessions: Sessions::default(),
        index: Index::default(),
    }
}

/// The admin token that is in `dir`.
pub fn token(dir: &Path) -> String {
    admin_token::find(dir, None).unwrap().reveal().to_owned()
}

fn config(data_dir: &Path, body_time: &str) -> Config {
    let body_time = ("limits.body_time".to_owned(), body_time.to_owned());
    let data_dir = ("data_dir".to_owned(), data_dir.display().to_string());
    Config::load(Sources { flags: vec![body_time, data_dir], ..Sources::default() }).unwrap()
}
