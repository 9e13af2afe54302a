//! Reload: takes over a changed configuration, or shows what that would change.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::Admin;
use super::body::Body;
use super::operator::Operator;
use super::problem::AdminProblem;
use crate::config::reload::Change;

/// Whether changes are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Apply,
    DryRun,
}

/// Reason why nothing was changed: each fault of the new configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration was not reloaded and nothing changed: {}", .0.join("; "))]
pub struct ReloadError(pub Vec<String>);

/// The body of a reload.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReloadRequest {
    /// Whether the differences are only shown.
    #[serde(default)]
    pub dry_run: bool,
}

/// The settings that differ from those that the server ran with.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reloaded {
    /// In force from now on, or after a reload where this was a dry run.
    pub changed: Vec<Difference>,
    /// In force after a restart.
    pub needs_restart: Vec<Difference>,
}

/// A setting with two values in the form of the configuration file. Those of `database.url` are not shown.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub setting: String,
    pub from: String,
    pub to: String,
}

impl From<Vec<Change>> for Reloaded {
    fn from(changes: Vec<Change>) -> Reloaded {
        let (needs_restart, changed) = changes.into_iter().partition(|change| change.needs_restart);
        let lines = |changes: Vec<Change>| changes.into_iter().map(Difference::from).collect();
        Reloaded { changed: lines(changed), needs_restart: lines(needs_restart) }
    }
}

impl From<Change> for Difference {
    fn from(change: Change) -> Difference {
        Difference { setting: change.key, from: change.from, to: change.to }
    }
}

pub async fn reload(
    _: Operator,
    State(admin): State<Arc<Admin>>,
    Body(request): Body<ReloadRequest>,
) -> Result<Json<Reloaded>, AdminProblem> {
    let mode = if request.dry_run { Mode::DryRun } else { Mode::Apply };
    // It reads files, which may hang.
    let reloading = tokio::task::spawn_blocking(move || (admin.reload)(mode));
    match reloading.await {
        Ok(Ok(changes)) => Ok(Json(changes.into())),
        Ok(Err(error)) => Err(AdminProblem::configuration(&error)),
        Err(broken) => Err(AdminProblem::failure(&broken)),
    }
}
