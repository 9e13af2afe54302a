//! POST revoke: token revocation (RFC 7009), which closes the grant.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use northgate_core::logout::EndError;
use northgate_core::revoke::{RevokeError, Revoked};

use super::REVOKE;
use super::client::{Client, Sender};
use super::error::{self, Denial};
use super::form::Form;
use crate::http::audit::Audit;
use crate::http::observe::{Observed, ObservedResponse};
use crate::http::{Api, answer};
use crate::outcome::{Operation, Outcome};

/// 200 without a body, whatever the token was: it is not valid from now on.
pub async fn revoke(State(api): State<Arc<Api>>, request: Request) -> ObservedResponse {
    let mut observed = Observed::new(Operation::Revoke);
    let answer = match attempt(&api, request, &mut observed).await {
        Ok(revoked) => {
            observe(revoked, &mut observed);
            answer::empty(StatusCode::OK)
        }
        Err(denial) => denial.observe(&mut observed).answer(),
    };
    observed.beside(answer)
}

/// `token_type_hint` is ignored: a token contains its own type.
async fn attempt(api: &Api, request: Request, observed: &mut Observed) -> Result<Revoked, Denial> {
    let sender = Sender::of(&request);
    let form = Form::read(request, api.body).await?;
    let token = form.token()?;
    let client = Client::find(&form, &sender, api.oauth.audiences(REVOKE))?;
    observed.application = Some(client.app.clone());
    Ok(api.auth.revoke(&client.caller(), api.open(token), api.clock.now()).await?)
}

fn observe(revoked: Revoked, observed: &mut Observed) {
    match revoked {
        Revoked::Closed(grant) => observed.audit = Some(Audit::Revoked { grant }),
        Revoked::EndedAll(_) => observed.audit = Some(Audit::EndedAll),
        Revoked::AlreadyOver(_) => observed.outcome = Outcome::AlreadyOver,
        Revoked::Unknown(error) => {
            observed.outcome = Outcome::Refused;
            observed.detail = Some(error.to_string());
        }
        Revoked::NotYours => {
            observed.outcome = Outcome::Refused;
            observed.detail = Some("it belongs to another application".to_owned());
        }
    }
}

impl From<RevokeError> for Denial {
    fn from(error: RevokeError) -> Denial {
        match error {
            RevokeError::Admission(error) => error.into(),
            // RFC 7009 §2.2.1: the client has to assume that the token is still valid, and retry.
            RevokeError::End(EndError::Store(ref cause)) => error::store(cause, &error),
        }
    }
}
