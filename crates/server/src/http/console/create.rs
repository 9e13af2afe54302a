//! Creates an application, and shows its secret once.

use std::path::absolute;
use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use northgate_core::administer::{Creation, Wanted};
use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::policy::Overrides;
use northgate_core::visible::check_visible;
use tracing::info;

use super::csrf::{Posted, SignedIn};
use super::page::{self, Frame, Refusal, path_of};
use crate::config::Config;
use crate::http::admin::Admin;
use crate::http::admin::problem::AdminProblem;

#[derive(Template)]
#[template(path = "create.html")]
struct Create {
    frame: Frame,
    name: String,
    name_error: Option<String>,
    app_id: String,
    app_id_error: Option<String>,
}

#[derive(Template)]
#[template(path = "created.html")]
struct Created {
    frame: Frame,
    path: String,
    app_id: String,
    secret: String,
    curl: String,
}

pub async fn show(SignedIn { csrf }: SignedIn) -> Result<Response<Body>, Refusal> {
    let (name, app_id, frame) = (String::new(), String::new(), Frame::new(csrf, "applications"));
    page::page(StatusCode::OK, &Create { frame, name, name_error: None, app_id, app_id_error: None })
}

pub async fn create(
    State(admin): State<Arc<Admin>>,
    Posted { actor, csrf, form }: Posted,
) -> Result<Response<Body>, Refusal> {
    let mut typed = Create {
        frame: Frame::new(csrf, "applications"),
        name: form.get("name").to_owned(),
        name_error: check_visible(form.get("name")).err().map(|error| format!("The name {error}.")),
        app_id: form.get("app_id").to_owned(),
        app_id_error: None,
    };
    let id = match parse_id(&typed.app_id) {
        Ok(id) if typed.name_error.is_none() => id,
        Ok(_) => return page::page(StatusCode::BAD_REQUEST, &typed),
        Err(sentence) => {
            typed.app_id_error = Some(sentence);
            return page::page(StatusCode::BAD_REQUEST, &typed);
        }
    };
    let wanted = Wanted {
        id: Some(id.clone()),
        name: typed.name.clone(),
        owner: None,
        secret: None,
        overrides: Overrides::default(),
        allow: Allow::default(),
    };
    let creation = admin.auth.create(wanted, &actor, admin.clock.now()).await;
    match creation.map_err(|error| AdminProblem::administer(&id, &error))? {
        Creation::Created(application, allocated) => {
            info!(target: "northgate::audit", application = %application.id, "an application was created");
            let secret = allocated.map(|secret| secret.reveal().to_owned()).unwrap_or_default();
            let app_id = id.as_str().to_owned();
            let curl = curl(&admin.config.load(), &app_id, &secret);
            let path = path_of(&app_id);
            page::page(StatusCode::CREATED, &Created { frame: typed.frame, path, app_id, secret, curl })
        }
        Creation::Same(_) | Creation::Taken(_) => {
            typed.app_id_error = Some("There is an application with this appId already.".to_owned());
            page::page(StatusCode::CONFLICT, &typed)
        }
    }
}

/// The appId, or a new one where none is given.
fn parse_id(text: &str) -> Result<AppId, String> {
    if text.is_empty() {
        return Ok(AppId::random());
    }
    check_visible(text).map_err(|error| format!("The appId {error}."))?;
    AppId::parse(text).map_err(|error| format!("The appId {error}."))
}

/// A login that works when it is pasted into a shell of this machine.
fn curl(config: &Config, app_id: &str, secret: &str) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let chain =
        config.tls.certificates.first().map(|files| absolute(&files.chain).unwrap_or(files.chain.clone()));
    let chain =
        chain.map(|chain| format!(" --cacert {}", quoted(&chain.display().to_string()))).unwrap_or_default();
    let (issuer, listen) = (config.oauth.at(config.listen).issuer, config.listen);
    let origin = if issuer.leads_to(listen) { issuer.origin() } else { format!("https://{listen}") };
    let prefix = &config.api.prefix;
    let (id, secret) = (quoted(&format!("appId={app_id}")), quoted(&format!("secret={secret}")));
    format!(
        "curl -sS{chain} --data-urlencode {id} \\\n  --data-urlencode {secret} \\\n  {}",
        quoted(&format!("{origin}{prefix}/iocm/app/sec/v1.1.0/login"))
    )
}
