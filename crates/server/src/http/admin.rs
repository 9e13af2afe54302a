//! The admin API on the private listener: applications, their secrets and credentials, and the keyring.

pub mod answer;
mod applications;
mod backup;
mod body;
pub mod clock;
mod credentials;
mod import;
mod keys;
mod operator;
pub mod policy;
pub mod problem;
mod secrets;
pub mod status;
mod which;

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, Response, header};
use axum::middleware::map_response;
use axum::routing::{delete, get, post};
use northgate_core::auth::Auth;
use northgate_core::store::StoreError;

use crate::clock::Clock;
use crate::keys::admin_token::AdminToken;
use crate::keys::keyring_database::{DatabaseKeyring, UseKeyring};
use crate::keys::keyring_file::KeyringFile;
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
    pub data_dir: PathBuf,
    /// Timeout of a request body.
    pub body_time: Duration,
    pub exclusive: Exclusive,
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

/// The routes, all of them under `/admin/`, without a fallback.
pub fn router(admin: Arc<Admin>) -> Router {
    Router::new()
        .route("/admin/applications", get(applications::list).post(applications::create))
        .route(
            "/admin/applications/{app_id}",
            get(applications::show).patch(applications::set).delete(applications::delete),
        )
        .route("/admin/applications/{app_id}/freeze", post(applications::freeze))
        .route("/admin/applications/{app_id}/unfreeze", post(applications::unfreeze))
        .route("/admin/applications/{app_id}/revoke", post(applications::revoke))
        .route("/admin/applications/{app_id}/secrets", get(secrets::list).post(secrets::add))
        .route("/admin/applications/{app_id}/secrets/{secret_id}/retire", post(secrets::retire))
        .route("/admin/applications/{app_id}/credentials", get(credentials::list).post(credentials::add))
        .route("/admin/applications/{app_id}/credentials/{credential_id}", delete(credentials::remove))
        .route("/admin/keys", get(keys::list))
        .route("/admin/keys/rotate", post(keys::rotate))
        .route("/admin/clock", get(clock::check))
        .route("/admin/clock/repair", post(clock::repair))
        .route("/admin/backup", get(backup::download))
        .route("/admin/import", post(import::import))
        .route("/admin/status", get(status::status))
        // Answers hold secrets.
        .layer(map_response(not_stored))
        .with_state(admin)
}

async fn not_stored<B>(mut response: Response<B>) -> Response<B> {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
