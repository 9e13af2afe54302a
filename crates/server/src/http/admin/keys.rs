//! The keyring: lists its keys, and rotates it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use northgate_core::administer::UseFrom;
use northgate_core::keyring::{Keyring, KeyringError};
use serde::Deserialize;
use tracing::info;

use super::answer::Keys;
use super::body::Body;
use super::operator::Operator;
use super::problem::AdminProblem;
use super::{Admin, KeyringHome};
use crate::keys::keyring_database::DatabaseKeyringError;
use crate::keys::keyring_file::{KeyringFile, KeyringFileError};

pub async fn list(_: Operator, State(admin): State<Arc<Admin>>) -> Json<Keys> {
    Json(Keys::new(&admin.auth.keyring(), admin.clock.now()))
}

/// Reason why the keyring was not rotated.
#[derive(Debug, thiserror::Error)]
enum RotateError {
    #[error("the keyring cannot be rotated now: {0}")]
    Keyring(#[from] KeyringError),
    #[error("the new keyring could not be saved; the previous one stays in use")]
    Save(#[from] KeyringFileError),
    #[error("the new keyring could not be written to the database; if it was, all nodes follow it")]
    Put(#[source] DatabaseKeyringError),
    #[error("the rotation was interrupted")]
    Broken(#[from] tokio::task::JoinError),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rotation {
    /// Whether the new key issues tokens before every node and gateway can have learned it.
    #[serde(default)]
    at_once: bool,
}

/// The shortest lead among nodes: twice the longest lag of a ready node.
const AMONG_NODES: Duration = Duration::from_secs(2);

pub async fn rotate(
    _: Operator,
    State(admin): State<Arc<Admin>>,
    Body(rotation): Body<Rotation>,
) -> Result<Json<Keys>, AdminProblem> {
    // The data directory may hold another installation's keyring by now.
    if let Some(reason) = (admin.lost)() {
        return Err(AdminProblem::conflict(reason));
    }
    let use_from = match (rotation.at_once, &admin.keyring) {
        (false, _) => UseFrom::Lead,
        (true, KeyringHome::File(_)) => UseFrom::After(Duration::ZERO),
        (true, KeyringHome::Database(_)) => UseFrom::After(AMONG_NODES),
    };
    let on_its_own = Arc::clone(&admin);
    // A task of its own: it finishes even when the client hangs up between the durable write and the memory.
    let rotated = tokio::spawn(async move { make_key(on_its_own, use_from).await }).await;
    match rotated.unwrap_or_else(|broken| Err(broken.into())) {
        Ok(()) => {
            info!(target: "northgate::audit", "the keyring was rotated");
            Ok(Json(Keys::new(&admin.auth.keyring(), admin.clock.now())))
        }
        Err(RotateError::Keyring(error)) => {
            Err(AdminProblem::conflict(RotateError::Keyring(error).to_string()))
        }
        Err(error @ (RotateError::Save(_) | RotateError::Put(_) | RotateError::Broken(_))) => {
            Err(AdminProblem::failure(&error))
        }
    }
}

async fn make_key(admin: Arc<Admin>, use_from: UseFrom) -> Result<(), RotateError> {
    match &admin.keyring {
        KeyringHome::File(file) => {
            let file = Arc::clone(file);
            tokio::task::spawn_blocking(move || rotate_and_save(&admin, &file, use_from)).await?
        }
        KeyringHome::Database(keyring) => {
            let next = || admin.auth.rotated_keyring(use_from, admin.clock.now());
            keyring.rotate(next, &admin.use_keyring).await.map_err(|error| match error {
                DatabaseKeyringError::Rotate(error) => RotateError::Keyring(error),
                error @ (DatabaseKeyringError::Store(_)
                | DatabaseKeyringError::Key(_)
                | DatabaseKeyringError::Open(_)
                | DatabaseKeyringError::NoKey(_)
                | DatabaseKeyringError::Lost) => RotateError::Put(error),
            })
        }
    }
}

fn rotate_and_save(admin: &Admin, file: &KeyringFile, use_from: UseFrom) -> Result<(), RotateError> {
    // A panicked rotation has saved a keyring or not; either way the next one may start from the one in use.
    let _turn = admin.exclusive.rotate.lock().unwrap_or_else(PoisonError::into_inner);
    let record = admin.auth.rotated_keyring(use_from, admin.clock.now())?;
    let keyring = Keyring::new(record.clone())?;
    // Durable before use: a crash would lose a token whose key is gone.
    file.save(&record)?;
    (admin.use_keyring)(keyring);
    Ok(())
}
