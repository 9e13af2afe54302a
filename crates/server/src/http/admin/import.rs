//! Import: existing applications with the appId and secret that they already use. Idempotent.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use northgate_core::actor::Actor;
use northgate_core::administer::{AdministerError, Creation, Wanted};
use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::policy::Overrides;
use northgate_core::secret::SecretText;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::info;

use super::answer::{Imported, ImportedRow, RowResult};
use super::body::{Body, GivenId, GivenSecret, Text};
use super::operator::Operator;
use super::problem::AdminProblem;
use super::{Admin, LONGEST_IMPORT};

/// The most rows of one request. Each takes an Argon2id hash of some 20 ms, so that a request takes seconds and not minutes.
const MOST_ROWS: usize = 500;

/// Rows under way at once: half of the hashing queue, so that logins find a place.
const AT_ONCE: usize = 32;

/// Pause before a row retries: a busy queue moves on by several places. A row retries for half a minute.
const PAUSE: Duration = Duration::from_millis(100);
const TRIES: usize = 300;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// Decoded one by one: a bad row must not reject the others.
    rows: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Row {
    app_id: GivenId,
    secret: GivenSecret,
    /// The appId if it is missing.
    name: Option<Text>,
}

pub async fn import(
    Operator(actor): Operator,
    State(admin): State<Arc<Admin>>,
    Body(import): Body<Import, LONGEST_IMPORT>,
) -> Result<Json<Imported>, AdminProblem> {
    if import.rows.len() > MOST_ROWS {
        let count = import.rows.len();
        return Err(AdminProblem::invalid(format!(
            "one request imports at most {MOST_ROWS} rows, and not {count}"
        )));
    }
    let actor = Arc::new(actor);
    let _turn = admin.exclusive.import.lock().await;
    let (first, repeated) = first_of_each_id(import.rows);
    let mut done = at_once(&admin, &actor, first).await?;
    // Rows of one application are processed in their order, so that the first one counts.
    for (place, row) in repeated {
        done.push((place, put(&admin, &actor, row).await?));
    }
    done.sort_by_key(|(place, _)| *place);
    Ok(Json(Imported { rows: done.into_iter().map(|(_, row)| row).collect() }))
}

type Placed<T> = Vec<(usize, T)>;

fn first_of_each_id(rows: Vec<Value>) -> (Placed<Value>, Placed<Value>) {
    let mut seen = HashSet::new();
    rows.into_iter().enumerate().partition(|(_, row)| seen.insert(app_id(row)))
}

async fn at_once(
    admin: &Arc<Admin>,
    actor: &Arc<Actor>,
    rows: Placed<Value>,
) -> Result<Placed<ImportedRow>, AdminProblem> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    // Dropping it with the request cancels the rows that have not begun.
    let mut under_way = JoinSet::new();
    for (place, row) in rows {
        let (admin, actor, places) = (Arc::clone(admin), Arc::clone(actor), Arc::clone(&places));
        under_way.spawn(async move {
            let _place = places.acquire().await;
            put(&admin, &actor, row).await.map(|row| (place, row))
        });
    }
    let mut done = Vec::new();
    while let Some(row) = under_way.join_next().await {
        done.push(row.map_err(|error| AdminProblem::failure(&error))??);
    }
    Ok(done)
}

/// Processes one row. Only a failure that concerns all rows is a problem.
async fn put(admin: &Admin, actor: &Actor, row: Value) -> Result<ImportedRow, AdminProblem> {
    let app_id = app_id(&row);
    let outcome = |result, reason| ImportedRow { app_id: app_id.clone(), result, reason };
    let row: Row = match serde_json::from_value(row) {
        Ok(row) => row,
        Err(error) => return Ok(outcome(RowResult::Invalid, Some(error.to_string()))),
    };
    let (GivenId(id), GivenSecret(secret)) = (row.app_id, row.secret);
    let name = row.name.map_or_else(|| id.as_str().to_owned(), |name| name.0);
    match create(admin, actor, &id, name, &secret).await {
        Ok(Creation::Created(_, _)) => {
            info!(target: "northgate::audit", application = %id, "an application was imported");
            Ok(outcome(RowResult::Created, None))
        }
        Ok(Creation::Same(_)) => Ok(outcome(RowResult::Unchanged, None)),
        Ok(Creation::Taken(_)) => {
            let reason = "there is an application with this appId and another secret; it was left as it is";
            Ok(outcome(RowResult::Conflict, Some(reason.to_owned())))
        }
        Err(error) => Err(AdminProblem::administer(&id, &error)),
    }
}

async fn create(
    admin: &Admin,
    actor: &Actor,
    id: &AppId,
    name: String,
    secret: &SecretText,
) -> Result<Creation, AdministerError> {
    let mut tries = 0;
    loop {
        let wanted = Wanted {
            id: Some(id.clone()),
            name: name.clone(),
            owner: None,
            secret: SecretText::parse(secret.reveal()).ok(),
            overrides: Overrides::default(),
            allow: Allow::default(),
        };
        tries += 1;
        match admin.auth.create(wanted, actor, admin.clock.now()).await {
            Err(AdministerError::Busy) if tries < TRIES => sleep(PAUSE).await,
            outcome => return outcome,
        }
    }
}

fn app_id(row: &Value) -> String {
    row.get("appId").and_then(Value::as_str).unwrap_or_default().to_owned()
}
