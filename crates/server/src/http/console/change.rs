//! Forms that change one application: name and policy, freeze, unfreeze, revoke.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use northgate_core::actor::Actor;
use northgate_core::administer::{AdministerError, Change};
use northgate_core::application::{AppNumber, Application, State as AppState, Tag};
use northgate_core::policy::{Field, PolicyChange};
use northgate_core::visible::check_visible;
use serde_json::Value as Json;
use tracing::info;

use super::csrf::Posted;
use super::form::Form;
use super::one::{self, Edit};
use super::page::{Refusal, path_of, see_other};
use crate::http::admin::Admin;
use crate::http::admin::problem::AdminProblem;
use crate::policy_text;

/// Saves name and policy, unless the application has changed since the form was loaded.
pub async fn save(
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
    Posted { actor, csrf, form }: Posted,
) -> Result<Response<Body>, Refusal> {
    let application = one::find(&admin, path)?;
    let (mut edit, wanted) = read(&form);
    let wanted = match wanted {
        Some(wanted) => wanted,
        None => {
            return one::shown(
                &admin,
                csrf,
                &application,
                StatusCode::BAD_REQUEST,
                edit,
                None,
                String::new(),
            )
            .await;
        }
    };
    match admin
        .auth
        .change_where(&application.id, Some(edit.revision), &wanted, &actor, admin.clock.now())
        .await
    {
        Ok(changed) => {
            info!(target: "northgate::audit", application = %changed.id, "an application was changed at the console");
            Ok(see_other(&path_of(changed.id.as_str())))
        }
        Err(AdministerError::Stale(current)) => {
            // The next form is about the present state: who sends it has seen both.
            (edit.is_stale, edit.revision) = (true, current.tag());
            one::shown(&admin, csrf, &current, StatusCode::CONFLICT, edit, None, String::new()).await
        }
        Err(error) => Err(AdminProblem::administer(&application.id, &error).into()),
    }
}

/// The form as it was typed, and the change that it asks for where all of it is good.
fn read(form: &Form) -> (Edit, Option<Change>) {
    let name = form.get("name").to_owned();
    let name_error = check_visible(&name).err().map(|error| format!("The name {error}."));
    let (mut policy, mut fields) = (PolicyChange::default(), Vec::new());
    for field in Field::ALL {
        let typed = form.get(field.name()).to_owned();
        let error = match typed.is_empty() {
            true => {
                policy.unset.push(field);
                None
            }
            false => set(&mut policy, field, &typed).err(),
        };
        fields.push((typed, error));
    }
    // A text that is no tag is of no application, so that the form counts as stale.
    let nowhere = Tag { number: AppNumber(u32::MAX), revision: u32::MAX };
    let revision = Tag::parse(form.get("revision")).unwrap_or(nowhere);
    let is_good = name_error.is_none() && fields.iter().all(|(_, error)| error.is_none());
    let change = is_good.then(|| Change::Set { name: Some(name.clone()), owner: None, policy, allow: None });
    (Edit { revision, name, name_error, fields, is_stale: false }, change)
}

/// Sets a field from its text, or returns a sentence.
fn set(policy: &mut PolicyChange, field: Field, typed: &str) -> Result<(), String> {
    let bad = || format!("Write {}, or nothing for the default.", policy_text::values(field));
    let json = match typed.parse::<u64>() {
        Ok(number) => Json::from(number),
        Err(_) => Json::from(typed),
    };
    let value = policy_text::read(field, &json).ok_or_else(bad)?;
    policy.set.set(field, Some(value)).map_err(|_| bad())
}

pub async fn freeze(
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
    Posted { actor, csrf, form }: Posted,
) -> Result<Response<Body>, Refusal> {
    let application = one::find(&admin, path)?;
    let reason = form.get("reason");
    if let Err(error) = check_visible(reason) {
        let (edit, error) = (Edit::of(&application), Some(format!("The reason {error}.")));
        return one::shown(
            &admin,
            csrf,
            &application,
            StatusCode::BAD_REQUEST,
            edit,
            error,
            reason.to_owned(),
        )
        .await;
    }
    let answer = change(&admin, &actor, &application, &Change::State(AppState::Frozen)).await?;
    info!(target: "northgate::audit", application = %application.id, reason, "an application was frozen");
    Ok(answer)
}

pub async fn unfreeze(
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
    Posted { actor, .. }: Posted,
) -> Result<Response<Body>, Refusal> {
    let application = one::find(&admin, path)?;
    let answer = change(&admin, &actor, &application, &Change::State(AppState::Active)).await?;
    info!(target: "northgate::audit", application = %application.id, "an application was unfrozen");
    Ok(answer)
}

/// Ends all grants: revokes all issued tokens.
pub async fn revoke(
    State(admin): State<Arc<Admin>>,
    path: Result<Path<String>, PathRejection>,
    Posted { actor, .. }: Posted,
) -> Result<Response<Body>, Refusal> {
    let application = one::find(&admin, path)?;
    let answer = change(&admin, &actor, &application, &Change::Revoke).await?;
    info!(target: "northgate::audit", application = %application.id, "all tokens of an application were revoked");
    Ok(answer)
}

async fn change(
    admin: &Admin,
    actor: &Actor,
    application: &Application,
    change: &Change,
) -> Result<Response<Body>, Refusal> {
    let changed = admin.auth.change(&application.id, change, actor, admin.clock.now()).await;
    changed.map_err(|error| AdminProblem::administer(&application.id, &error))?;
    Ok(see_other(&path_of(application.id.as_str())))
}
