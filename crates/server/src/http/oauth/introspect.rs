//! POST introspect: token introspection for the token's own application and for gateways (RFC 7662).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use northgate_core::clock::Timestamp;
use northgate_core::introspect::{Active, Inactive, IntrospectError, Introspection};
use northgate_core::token::{Binding, Kind};
use serde_json::{Value, json};

use super::client::{Client, Sender};
use super::error::{self, Denial};
use super::form::Form;
use super::{INTROSPECT, answer};
use crate::config::oauth::OAuth;
use crate::http::Api;
use crate::http::observe::{Observed, ObservedResponse};
use crate::jwt;
use crate::outcome::{Operation, Outcome};

/// On the public listener: an application introspects its own tokens.
pub async fn introspect_own(State(api): State<Arc<Api>>, request: Request) -> ObservedResponse {
    let mut observed = Observed::new(Operation::Introspect);
    let introspection = ask_own(&api, request, &mut observed).await;
    answered(introspection, observed)
}

/// On the private listener: any caller may introspect, as it may verify.
pub async fn introspect_any(State(api): State<Arc<Api>>, request: Request) -> ObservedResponse {
    let mut observed = Observed::new(Operation::Introspect);
    let introspection = ask_any(&api, request, &mut observed).await;
    answered(introspection, observed)
}

async fn ask_own(api: &Api, request: Request, observed: &mut Observed) -> Result<Told, Denial> {
    let sender = Sender::of(&request);
    let form = Form::read(request, api.body).await?;
    let token = form.token()?;
    let client = Client::find(&form, &sender, api.oauth.audiences(INTROSPECT))?;
    observed.application = Some(client.app.clone());
    let introspection = api.auth.introspect_own(&client.caller(), api.open(token), api.clock.now()).await?;
    Ok(Told::new(introspection, token, &api.oauth))
}

async fn ask_any(api: &Api, request: Request, observed: &mut Observed) -> Result<Told, Denial> {
    let form = Form::read(request, api.body).await?;
    let token = form.token()?;
    let introspection = api.auth.introspect(api.open(token), api.clock.now()).await?;
    if let Introspection::Active(active) = &introspection {
        observed.application = Some(active.application.id.clone());
    }
    Ok(Told::new(introspection, token, &api.oauth))
}

/// The answer, and the reason for the log.
struct Told {
    body: String,
    inactive: Option<Inactive>,
}

impl Told {
    fn new(introspection: Introspection, token: &str, names: &OAuth) -> Told {
        match introspection {
            Introspection::Active(active) => {
                Told { body: members(&active, token, names).to_string(), inactive: None }
            }
            Introspection::Inactive(why) => {
                Told { body: r#"{"active":false}"#.to_owned(), inactive: Some(why) }
            }
        }
    }
}

fn answered(told: Result<Told, Denial>, mut observed: Observed) -> ObservedResponse {
    let answer = match told {
        Ok(Told { body, inactive }) => {
            if let Some(why) = inactive {
                observed.outcome = Outcome::Refused;
                observed.detail = Some(why.to_string());
            }
            answer::json(StatusCode::OK, body)
        }
        Err(denial) => denial.observe(&mut observed).answer(),
    };
    observed.beside(answer)
}

fn members(active: &Active, token: &str, names: &OAuth) -> Value {
    let seconds = |at: Timestamp| at.as_millis() / 1000;
    let app_id = active.application.id.as_str();
    let mut members = json!({
        "active": true,
        "scope": "default",
        "client_id": app_id,
        "sub": app_id,
        "iss": names.issuer.as_str(),
        "jti": jwt::identifier(token),
        "iat": seconds(active.issued_at),
        "exp": seconds(active.expires_at),
    });
    if active.kind == Kind::Access {
        members["token_type"] = answer::token_type(active.binding).into();
        members["aud"] = names.audience.as_str().into();
    }
    match &active.binding {
        Some(Binding::Certificate(print)) => {
            members["cnf"] = json!({ "x5t#S256": URL_SAFE_NO_PAD.encode(print) });
        }
        Some(Binding::Key(print)) => members["cnf"] = json!({ "jkt": URL_SAFE_NO_PAD.encode(print) }),
        None => {}
    }
    members
}

impl From<IntrospectError> for Denial {
    fn from(error: IntrospectError) -> Denial {
        match error {
            IntrospectError::Admission(error) => error.into(),
            IntrospectError::Store(ref cause) => error::store(cause, &error),
        }
    }
}
