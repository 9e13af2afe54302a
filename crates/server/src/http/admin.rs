//! The admin API on the private listener: applications, their secrets and credentials, and the keyring.

pub mod answer;
pub mod applications;
pub mod attention;
mod backup;
pub(crate) mod body;
pub mod clock;
pub(crate) mod credentials;
mod if_match;
pub(crate) mod import;
mod keys;
pub mod operator;
pub mod policy;
pub mod problem;
pub mod reload;
pub(crate) mod secrets;
pub mod status;
mod which;

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::http::{HeaderValue, Response, header};
use axum::middleware::map_response;
use axum::routing::{delete, get, post};
use northgate_core::auth::Auth;
use northgate_core::search::Index;
use northgate_core::store::StoreError;

use crate::clock::Clock;
use crate::config::Config;
use crate::config::reload::Change;
use crate::http::console;
use crate::http::console::session::Sessions;
use crate::keys::admin_token::AdminToken;
use crate::keys::keyring_database::{DatabaseKeyring, UseKeyring};
use crate::keys::keyring_file::KeyringFile;
use crate::metrics::Metrics;
use reload::{Mode, ReloadError};
use status::NodeStatus;

/// The longest body. An application with all its members takes a few KiB.
const LONGEST_BODY: usize = 1024 * 1024;

/// The longest import: 500 rows of three texts with 256 characters each, written as escapes, fit in.
const LONGEST_IMPORT: usize = 4 * 1024 * 1024;

/// Writes a consistent copy of the database to a new path.
pub type BackUp =
    Box<dyn Fn(PathBuf) -> Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>> + Send + Sync>;

/// Shared state of the admin API.
pub struct Admin {
    pub auth: Arc<Auth>,
    pub clock: Clock,
    pub token: AdminToken,
    pub keyring: KeyringHome,
    /// `None` where the database has its own backups.
    pub back_up: Option<BackUp>,
    /// The status of the node.
    pub node: Box<dyn Fn() -> NodeStatus + Send + Sync>,
    /// Reason why no file must be written into the data directory.
    pub lost: Box<dyn Fn() -> Option<String> + Send + Sync>,
    pub use_keyring: UseKeyring,
    /// The configuration in force.
    pub config: Arc<ArcSwap<Config>>,
    /// Takes over a changed configuration.
    pub reload: Box<dyn Fn(Mode) -> Result<Vec<Change>, ReloadError> + Send + Sync>,
    pub exclusive: Exclusive,
    pub metrics: Arc<Metrics>,
    /// The sessions of the console.
    pub sessions: Sessions,
    /// The applications as lists search them.
    pub index: Index,
}

/// The place of the keyring.
pub enum KeyringHome {
    File(Arc<KeyringFile>),
    /// Shared by all nodes.
    Database(Arc<DatabaseKeyring>),
}

/// Locks of operations that run one at a time.
#[derive(Default)]
pub struct Exclusive {
    /// Two rotations at once would lose one of the two new keys.
    rotate: std::sync::Mutex<()>,
    /// One import keeps the hashing pool busy; two would leave no place in it for logins.
    import: tokio::sync::Mutex<()>,
    /// A copy takes the disk space of the database.
    back_up: tokio::sync::Mutex<()>,
}

/// The prefix of the admin API; another version would stand beside it.
pub const PREFIX: &str = "/admin/v1";

/// The routes, all of them under [`PREFIX`], and those of the console, without a fallback.
pub fn router(admin: Arc<Admin>) -> Router {
    let one = "/applications/{app_id}";
    let routes = Router::new()
        .route("/applications", get(applications::list).post(applications::create))
        .route(one, get(applications::show).patch(applications::set).delete(applications::delete))
        .route(&format!("{one}/freeze"), post(applications::freeze))
        .route(&format!("{one}/unfreeze"), post(applications::unfreeze))
        .route(&format!("{one}/revoke"), post(applications::revoke))
        .route(&format!("{one}/secrets"), get(secrets::list).post(secrets::add))
        .route(&format!("{one}/secrets/{{secret_id}}/retire"), post(secrets::retire))
        .route(&format!("{one}/credentials"), get(credentials::list).post(credentials::add))
        .route(&format!("{one}/credentials/{{credential_id}}"), delete(credentials::remove))
        .route("/keys", get(keys::list))
        .route("/keys/rotate", post(keys::rotate))
        .route("/clock", get(clock::check))
        .route("/clock/repair", post(clock::repair))
        .route("/backup", get(backup::download))
        .route("/import", post(import::import))
        .route("/attention", get(attention::list))
        .route("/status", get(status::status))
        .route("/reload", post(reload::reload));
    Router::new()
        .nest(PREFIX, routes)
        // Answers hold secrets.
        .layer(map_response(not_stored))
        .with_state(Arc::clone(&admin))
        .merge(console::router(admin))
}

async fn not_stored<B>(mut response: Response<B>) -> Response<B> {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
