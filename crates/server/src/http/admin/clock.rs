//! Clock check and repair: lists stored times far ahead of the clock, and corrects them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use northgate_core::administer::AdministerError;
use northgate_core::application::Application;
use northgate_core::auth::Auth;
use northgate_core::clock::{CLOCK_TOLERANCE, Timestamp};
use northgate_core::clock_repair::{Ahead, What};
use serde::{Deserialize, Serialize};
use tokio::task::{JoinError, JoinSet};
use tracing::info;

use super::Admin;
use super::operator::Operator;
use super::problem::AdminProblem;
use crate::rfc3339;

/// The most lines of an answer; the rest is counted.
const SHOWN: usize = 1_000;

/// Applications whose grants are read at once: as many as a database answers in one batch.
const AT_ONCE: usize = 64;

/// The stored times far ahead of the server's clock.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClockReport {
    /// The server's clock.
    pub now: String,
    /// The farthest that a stored time may lie ahead.
    pub tolerance_s: u64,
    /// At most 1,000 of them.
    pub ahead: Vec<AheadLine>,
    pub total: usize,
    /// The number of times that this request corrected.
    pub set_right: usize,
}

/// One stored time.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AheadLine {
    pub what: String,
    /// The id of the grant or the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    pub at: String,
}

impl AheadLine {
    fn new(ahead: &Ahead) -> AheadLine {
        let id = match ahead.what {
            What::Grant(id) => Some(id.to_string()),
            What::Key(id) => Some(id.0.to_string()),
            What::NotBefore | What::ForgottenTokens | What::ForgottenSingleUse => None,
        };
        AheadLine {
            what: ahead.what.as_str().to_owned(),
            id,
            app_id: ahead.application.as_ref().map(|id| id.as_str().to_owned()),
            at: rfc3339::format(ahead.at),
        }
    }
}

/// Reason why the times of an application were not read or corrected.
#[derive(Debug, thiserror::Error)]
enum ClockError {
    #[error("could not read or correct the times of an application")]
    Application(#[from] AdministerError),
    #[error("the work on an application was interrupted")]
    Broken(#[from] JoinError),
}

pub async fn check(_: Operator, State(admin): State<Arc<Admin>>) -> Result<Json<ClockReport>, AdminProblem> {
    report(&admin, 0).await
}

pub async fn repair(
    Operator(actor): Operator,
    State(admin): State<Arc<Admin>>,
) -> Result<Json<ClockReport>, AdminProblem> {
    let now = admin.clock.now();
    let marks_before = admin.auth.registry().high_water().get();
    admin.auth.set_marks_right(&actor, now).await.map_err(|error| AdminProblem::store(&error))?;
    let has_lowered = marks_before != admin.auth.registry().high_water().get();
    let set_right = each(&admin.auth, now, |auth, application, now| {
        let actor = actor.clone();
        async move { auth.set_application_right(&application, &actor, now).await }
    });
    let set_right = set_right.await.map_err(problem)?.len() + usize::from(has_lowered);
    info!(
        target: "northgate::audit", set_right,
        "{set_right} stored times that lay far ahead of the clock were set right"
    );
    report(&admin, set_right).await
}

async fn report(admin: &Admin, set_right: usize) -> Result<Json<ClockReport>, AdminProblem> {
    let now = admin.clock.now();
    let mut ahead = admin.auth.installation_ahead(now);
    let of_applications = each(&admin.auth, now, |auth, application, now| async move {
        auth.application_ahead(&application, now).await.map_err(AdministerError::Store)
    });
    ahead.extend(of_applications.await.map_err(problem)?);
    Ok(Json(ClockReport {
        now: rfc3339::format(now),
        tolerance_s: CLOCK_TOLERANCE.as_secs(),
        total: ahead.len(),
        ahead: ahead.iter().take(SHOWN).map(AheadLine::new).collect(),
        set_right,
    }))
}

/// Runs `work` for every application, some at a time.
async fn each<W, F>(auth: &Arc<Auth>, now: Timestamp, work: W) -> Result<Vec<Ahead>, ClockError>
where
    W: Fn(Arc<Auth>, Arc<Application>, Timestamp) -> F,
    F: Future<Output = Result<Vec<Ahead>, AdministerError>> + Send + 'static,
{
    let (mut under_way, mut found) = (JoinSet::new(), Vec::new());
    for application in auth.registry().all() {
        if under_way.len() == AT_ONCE
            && let Some(done) = under_way.join_next().await
        {
            found.extend(done??);
        }
        under_way.spawn(work(Arc::clone(auth), application, now));
    }
    while let Some(done) = under_way.join_next().await {
        found.extend(done??);
    }
    Ok(found)
}

fn problem(error: ClockError) -> AdminProblem {
    match &error {
        ClockError::Application(AdministerError::Store(store)) => AdminProblem::store(store),
        ClockError::Application(_) | ClockError::Broken(_) => AdminProblem::failure(&error),
    }
}
