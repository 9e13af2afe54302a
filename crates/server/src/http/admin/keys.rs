//! The keyring: which keys there are, and a new one.

use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::State;
use northgate_core::administer::UseFrom;
use northgate_core::keyring::{Keyring, KeyringError};
use serde::Deserialize;
use tracing::info;

use super::Admin;
use super::answer::Keys;
use super::body::Body;
use super::operator::Operator;
use super::problem::Problem;
use crate::keyring_file::KeyringFileError;

pub async fn list(_: Operator, State(admin): State<Arc<Admin>>) -> Json<Keys> {
    Json(Keys::new(&admin.auth.keyring(), admin.clock.now()))
}

/// Why there is no new key.
#[derive(Debug, thiserror::Error)]
enum RotateError {
    #[error("the keyring cannot be rotated now: {0}")]
    Keyring(#[from] KeyringError),
    #[error("the new keyring could not be saved, the one before stays in use")]
    Save(#[from] KeyringFileError),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rotation {
    /// Whether the new key makes tokens before everybody can be expected to know it.
    #[serde(default)]
    at_once: bool,
}

pub async fn rotate(
    _: Operator,
    State(admin): State<Arc<Admin>>,
    Body(rotation): Body<Rotation>,
) -> Result<Json<Keys>, Problem> {
    let use_from = if rotation.at_once { UseFrom::Now } else { UseFrom::Lead };
    let on_thread = Arc::clone(&admin);
    // On a thread of its own it comes to its end even when the client hangs up between the file and the memory.
    let rotated = tokio::task::spawn_blocking(move || rotate_and_save(&on_thread, use_from)).await;
    match rotated.map_err(|error| Problem::failure(&error))? {
        Ok(()) => {
            info!(target: "northgate::audit", "the keyring was rotated");
            Ok(Json(Keys::new(&admin.auth.keyring(), admin.clock.now())))
        }
        Err(RotateError::Keyring(error)) => Err(Problem::conflict(RotateError::Keyring(error).to_string())),
        Err(error @ RotateError::Save(_)) => Err(Problem::failure(&error)),
    }
}

fn rotate_and_save(admin: &Admin, use_from: UseFrom) -> Result<(), RotateError> {
    // A rotation that panicked has saved a keyring or not; either way the next one may start from what is in use.
    let _turn = admin.turns.rotate.lock().unwrap_or_else(PoisonError::into_inner);
    let record = admin.auth.rotated_keyring(use_from, admin.clock.now())?;
    let keyring = Keyring::new(record.clone())?;
    // Durable before it is used: a token made with a key that a crash takes away would be lost.
    admin.keyring_file.save(&record)?;
    admin.auth.replace_keyring(keyring);
    (admin.on_rotate)();
    Ok(())
}
