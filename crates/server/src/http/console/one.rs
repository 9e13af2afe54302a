//! One application: state, findings, policy with what is set, secrets, credentials and grants, with the forms that change it.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use northgate_core::app_id::AppId;
use northgate_core::application::{Application, Tag};
use northgate_core::policy::{Field, Overrides};

use super::csrf::SignedIn;
use super::page::{self, Frame, Refusal, path_of};
use crate::http::admin::Admin;
use crate::http::admin::answer::Details;
use crate::http::admin::applications::app_id;
use crate::http::admin::attention::FindingLine;
use crate::http::admin::problem::AdminProblem;
use crate::policy_text;

/// The most grants of a page; the rest is counted.
const GRANTS: usize = 50;

#[derive(Template)]
#[template(path = "application.html")]
pub struct One {
    frame: Frame,
    path: String,
    details: Details,
    is_frozen: bool,
    findings: Vec<FindingLine>,
    fields: Vec<FieldRow>,
    /// Live grants beyond those shown.
    more_grants: usize,
    edit: Edit,
    /// Sentence beside the reason of a freeze.
    reason_error: Option<String>,
    reason: String,
}

/// The form of name and policy, as it was typed.
pub struct Edit {
    pub revision: Tag,
    pub name: String,
    pub name_error: Option<String>,
    /// For each field, the text and a sentence about it.
    pub fields: Vec<(String, Option<String>)>,
    /// Another operator has changed the application since the form was loaded.
    pub is_stale: bool,
}

struct FieldRow {
    name: String,
    label: String,
    values: String,
    effective: String,
    is_set: bool,
    typed: String,
    error: Option<String>,
}

impl Edit {
    /// The form as it stands in the registry.
    pub fn of(application: &Application) -> Edit {
        let fields = Field::ALL.map(|field| (text(&application.overrides, field), None));
        Edit {
            revision: application.tag(),
            name: application.name.clone(),
            name_error: None,
            fields: fields.into(),
            is_stale: false,
        }
    }
}

pub async fn show(
    SignedIn { csrf }: SignedIn,
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response<Body>, Refusal> {
    let application = find(&admin, path)?;
    let edit = Edit::of(&application);
    shown(&admin, csrf, &application, StatusCode::OK, edit, None, String::new()).await
}

/// The page with a form as it was typed.
pub async fn shown(
    admin: &Admin,
    csrf: String,
    application: &Application,
    status: StatusCode,
    edit: Edit,
    reason_error: Option<String>,
    reason: String,
) -> Result<Response<Body>, Refusal> {
    let now = admin.clock.now();
    let grants = admin.auth.grants(application.number, now).await;
    let grants = grants.map_err(|error| AdminProblem::store(&error))?;
    let policy = admin.auth.policy(application);
    let effective = Overrides::from(&policy);
    let row = |(field, (typed, error)): (Field, (String, Option<String>))| FieldRow {
        name: field.name().to_owned(),
        label: field.name().replace('_', " "),
        values: policy_text::values(field),
        effective: text(&effective, field),
        is_set: application.overrides.value(field).is_some(),
        typed,
        error,
    };
    let fields = Field::ALL.into_iter().zip(edit.fields.clone()).map(row).collect();
    let found = admin.auth.findings(application, now);
    let one = One {
        frame: Frame::new(csrf, "applications"),
        path: path_of(application.id.as_str()),
        details: Details::new(application, &policy, &grants[..grants.len().min(GRANTS)]),
        is_frozen: application.is_frozen(),
        findings: found.iter().map(|finding| FindingLine::new(application, finding)).collect(),
        fields,
        more_grants: grants.len().saturating_sub(GRANTS),
        edit,
        reason_error,
        reason,
    };
    page::page(status, &one)
}

/// The application of a path.
pub fn find(admin: &Admin, path: Result<Path<String>, PathRejection>) -> Result<Arc<Application>, Refusal> {
    let id: AppId = app_id(path)?;
    let found = admin.auth.registry().find(&id);
    found.ok_or_else(|| AdminProblem::unknown_application(id.as_str()).into())
}

/// The value of a field as people write it; empty if it is not set.
pub fn text(overrides: &Overrides, field: Field) -> String {
    match overrides.value(field).map(policy_text::json) {
        None => String::new(),
        Some(serde_json::Value::String(text)) => text,
        Some(json) => json.to_string(),
    }
}
