//! Applications: create, list, show, set, freeze, unfreeze, revoke, delete.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use northgate_core::actor::Actor;
use northgate_core::administer::{Change, Creation, Wanted};
use northgate_core::app_id::AppId;
use northgate_core::application::{Application, State as AppState};
use northgate_core::owner::Owner;
use serde::Deserialize;
use tracing::info;

use super::answer::{CreatedApplication, Details, Line, Page};
use super::body::{Body, GivenAllow, GivenId, GivenOwner, GivenSecret, Text, nullable};
use super::if_match::IfMatch;
use super::operator::Operator;
use super::policy::PolicyMembers;
use super::problem::AdminProblem;
use super::which::{self, Which};
use super::{Admin, PREFIX};
use crate::http::status::etag;

/// An answer with the `ETag` of the application.
type Tagged<T> = ([(HeaderName, HeaderValue); 1], Json<T>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Create {
    name: Text,
    owner: Option<GivenOwner>,
    app_id: Option<GivenId>,
    secret: Option<GivenSecret>,
    #[serde(default)]
    policy: PolicyMembers,
    allow: Option<GivenAllow>,
}

pub async fn create(
    Operator(actor): Operator,
    State(admin): State<Arc<Admin>>,
    Body(create): Body<Create>,
) -> Result<(StatusCode, Json<CreatedApplication>), AdminProblem> {
    let id = create.app_id.map_or_else(AppId::random, |given| given.0);
    let wanted = Wanted {
        id: Some(id.clone()),
        name: create.name.0,
        owner: create.owner.map(|given| given.0),
        secret: create.secret.map(|given| given.0),
        overrides: create.policy.change()?.set,
        allow: create.allow.map(|given| given.0).unwrap_or_default(),
    };
    let creation = admin.auth.create(wanted, &actor, admin.clock.now()).await;
    match creation.map_err(|error| AdminProblem::administer(&id, &error))? {
        Creation::Created(application, allocated) => {
            info!(target: "northgate::audit", application = %id, "an application was created");
            let created = CreatedApplication::new(&application, allocated.as_ref());
            Ok((StatusCode::CREATED, Json(created)))
        }
        Creation::Same(_) | Creation::Taken(_) => Err(AdminProblem::taken(&id)),
    }
}

pub async fn list(
    _: Operator,
    State(admin): State<Arc<Admin>>,
    RawQuery(query): RawQuery,
) -> Result<(HeaderMap, Json<Page>), AdminProblem> {
    let (query, now) = (query.unwrap_or_default(), admin.clock.now());
    let which = Which::parse(&query, now)?;
    let registry = admin.auth.registry();
    let found = admin.index.page(registry, &which.search, now, which.after.as_ref(), which.limit);
    let applications = found.rows.iter().map(|application| Line::new(application)).collect();
    let next = found.next.map(|next| next.to_string());
    let mut headers = HeaderMap::new();
    if let Some(next) = &next {
        // RFC 8288. Without it where the query has characters that a field cannot have; a client may follow `next`.
        let link = format!("<{PREFIX}/applications?{}>; rel=\"next\"", which::next_query(&query, next));
        headers.extend(HeaderValue::from_str(&link).map(|link| (header::LINK, link)));
    }
    Ok((headers, Json(Page { applications, next })))
}

/// The appId in a path, decoded. A text that cannot be an appId is answered like an unknown one.
pub fn app_id(path: Result<Path<String>, PathRejection>) -> Result<AppId, AdminProblem> {
    let Path(text) = path.map_err(|rejection| AdminProblem::invalid(rejection.body_text()))?;
    AppId::parse(&text).map_err(|_| AdminProblem::unknown_application(&text))
}

pub async fn show(
    _: Operator,
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Tagged<Details>, AdminProblem> {
    let id = app_id(path)?;
    let application = admin.auth.registry().find(&id);
    let application = application.ok_or_else(|| AdminProblem::unknown_application(id.as_str()))?;
    details(&admin, &application).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    name: Option<Text>,
    #[serde(default, deserialize_with = "nullable")]
    owner: Option<Option<GivenOwner>>,
    #[serde(default)]
    policy: PolicyMembers,
    allow: Option<GivenAllow>,
}

pub async fn set(
    Operator(actor): Operator,
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
    if_match: IfMatch,
    Body(set): Body<Set>,
) -> Result<Tagged<Details>, AdminProblem> {
    let id = app_id(path)?;
    let wanted = Change::Set {
        name: set.name.map(|name| name.0),
        owner: set.owner.map(|owner| owner.map(|given| given.0)),
        policy: set.policy.change()?,
        allow: set.allow.map(|given| given.0),
    };
    let application = change(&admin, &actor, &id, &if_match, &wanted).await?;
    // Names and words only; writing them as JSON cannot fail.
    let policy = serde_json::to_string(&PolicyMembers::set(&application.overrides)).unwrap_or_default();
    let allow = serde_json::to_string(&application.allow.texts()).unwrap_or_default();
    let (name, owner) = (&application.name, application.owner.as_ref().map(Owner::as_str));
    info!(
        target: "northgate::audit", application = %id, name, owner, policy, allow,
        "an application was changed"
    );
    details(&admin, &application).await
}

pub async fn freeze(
    Operator(actor): Operator,
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
    if_match: IfMatch,
) -> Result<Tagged<Details>, AdminProblem> {
    let id = app_id(path)?;
    let application = change(&admin, &actor, &id, &if_match, &Change::State(AppState::Frozen)).await?;
    info!(target: "northgate::audit", application = %id, "an application was frozen");
    details(&admin, &application).await
}

pub async fn unfreeze(
    Operator(actor): Operator,
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
    if_match: IfMatch,
) -> Result<Tagged<Details>, AdminProblem> {
    let id = app_id(path)?;
    let application = change(&admin, &actor, &id, &if_match, &Change::State(AppState::Active)).await?;
    info!(target: "northgate::audit", application = %id, "an application was unfrozen");
    details(&admin, &application).await
}

/// Revokes all issued tokens; the application may log in again.
pub async fn revoke(
    Operator(actor): Operator,
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
    if_match: IfMatch,
) -> Result<Tagged<Details>, AdminProblem> {
    let id = app_id(path)?;
    let application = change(&admin, &actor, &id, &if_match, &Change::Revoke).await?;
    info!(target: "northgate::audit", application = %id, "all tokens of an application were revoked");
    details(&admin, &application).await
}

pub async fn delete(
    Operator(actor): Operator,
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
    if_match: IfMatch,
) -> Result<StatusCode, AdminProblem> {
    let id = app_id(path)?;
    let tag = if_match.guard(&admin, &id)?;
    let deleted = admin.auth.delete_where(&id, tag, &actor, admin.clock.now()).await;
    deleted.map_err(|error| AdminProblem::administer(&id, &error))?;
    info!(target: "northgate::audit", application = %id, "an application was deleted");
    Ok(StatusCode::NO_CONTENT)
}

/// Changes an application in the state that the client has seen.
pub async fn change(
    admin: &Admin,
    actor: &Actor,
    id: &AppId,
    if_match: &IfMatch,
    change: &Change,
) -> Result<Arc<Application>, AdminProblem> {
    let tag = if_match.guard(admin, id)?;
    let changed = admin.auth.change_where(id, tag, change, actor, admin.clock.now()).await;
    changed.map_err(|error| AdminProblem::administer(id, &error))
}

async fn details(admin: &Admin, application: &Application) -> Result<Tagged<Details>, AdminProblem> {
    let grants = admin.auth.grants(application.number, admin.clock.now()).await;
    let grants = grants.map_err(|error| AdminProblem::store(&error))?;
    let details = Details::new(application, &admin.auth.policy(application), &grants);
    Ok(([(header::ETAG, etag(application.tag()))], Json(details)))
}
