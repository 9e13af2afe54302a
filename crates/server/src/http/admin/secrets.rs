//! Secrets of an application: list, add, retire. Several are live while one replaces the other.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use northgate_core::administer::Change;
use northgate_core::app_id::AppId;
use northgate_core::application::Application;
use northgate_core::clock::Timestamp;
use northgate_core::secret::SecretId;
use serde::Deserialize;
use tracing::info;

use super::Admin;
use super::answer::{AddedSecret, SecretLine, Secrets};
use super::applications::{app_id, change};
use super::body::{Body, GivenSecret, Text};
use super::if_match::IfMatch;
use super::operator::Operator;
use super::problem::AdminProblem;
use crate::rfc3339;

pub async fn list(
    _: Operator,
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<Secrets>, AdminProblem> {
    let id = app_id(path)?;
    let application = admin.auth.registry().find(&id);
    application.map(|found| secrets(&found)).ok_or_else(|| AdminProblem::unknown_application(id.as_str()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Add {
    label: Option<Text>,
    secret: Option<GivenSecret>,
}

pub async fn add(
    Operator(actor): Operator,
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
    if_match: IfMatch,
    Body(add): Body<Add>,
) -> Result<(StatusCode, Json<AddedSecret>), AdminProblem> {
    let id = app_id(path)?;
    let label = add.label.map_or_else(|| "added".to_owned(), |label| label.0);
    let given = add.secret.map(|given| given.0);
    let (tag, now) = (if_match.guard(&admin, &id)?, admin.clock.now());
    let added = admin.auth.add_secret_where(&id, tag, label, given.as_ref(), &actor, now).await;
    let (application, allocated) = added.map_err(|error| AdminProblem::administer(&id, &error))?;
    // Ids count up, and this is the state right after the addition.
    let secret_id = application.secrets.iter().map(|secret| secret.id.0).max().unwrap_or(0);
    info!(
        target: "northgate::audit", application = %id, secret = secret_id,
        "a secret was added to an application"
    );
    let secret = allocated.map(|secret| secret.reveal().to_owned());
    Ok((StatusCode::CREATED, Json(AddedSecret { id: secret_id, secret })))
}

/// When a secret retires: at a time, after a time, or at once, and then optionally with all tokens of the application.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retire {
    at: Option<String>,
    after: Option<String>,
    #[serde(default)]
    revoke: bool,
}

pub async fn retire(
    Operator(actor): Operator,
    State(admin): State<Arc<Admin>>,
    path: Result<Path<(String, u32)>, PathRejection>,
    if_match: IfMatch,
    Body(retire): Body<Retire>,
) -> Result<Json<Secrets>, AdminProblem> {
    let Path((text, secret_id)) = path.map_err(|rejection| AdminProblem::invalid(rejection.body_text()))?;
    let id = AppId::parse(&text).map_err(|_| AdminProblem::unknown_application(&text))?;
    let now = admin.clock.now();
    let at = retire.time(now)?;
    let wanted = match retire.revoke {
        true => Change::EndSecret(SecretId(secret_id)),
        false => Change::RetireSecret(SecretId(secret_id), at),
    };
    let application = change(&admin, &actor, &id, &if_match, &wanted).await?;
    info!(
        target: "northgate::audit", application = %id, secret = secret_id, retire_at = rfc3339::format(at),
        "the retirement of a secret was scheduled"
    );
    if retire.revoke {
        info!(target: "northgate::audit", application = %id, "all tokens of an application were revoked");
    }
    Ok(secrets(&application))
}

impl Retire {
    fn time(&self, now: Timestamp) -> Result<Timestamp, AdminProblem> {
        if self.revoke && (self.at.is_some() || self.after.is_some()) {
            return Err(AdminProblem::invalid(
                "revoke ends tokens now, and a secret that retires later can get others: give revoke alone",
            ));
        }
        match (&self.at, &self.after) {
            (None, None) => Ok(now),
            (Some(at), None) => rfc3339::parse(at).ok_or_else(|| {
                AdminProblem::invalid(format!("at is a time such as 2026-01-31T12:00:00Z, and not {at:?}"))
            }),
            (None, Some(after)) => {
                humantime::parse_duration(after).map(|after| now.plus(after)).map_err(|_| {
                    AdminProblem::invalid(format!(
                        "after is a number and s, m, h or d, such as \"7d\", and not {after:?}"
                    ))
                })
            }
            (Some(_), Some(_)) => {
                Err(AdminProblem::invalid("a secret retires at a time or after a time, not both"))
            }
        }
    }
}

fn secrets(application: &Application) -> Json<Secrets> {
    Json(Secrets { secrets: application.secrets.iter().map(|secret| SecretLine::new(secret)).collect() })
}
