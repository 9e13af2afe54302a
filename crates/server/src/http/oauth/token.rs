//! POST token: an access token by client credentials or by a refresh token.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use northgate_core::admit::Caller;
use northgate_core::client_credentials::ClientCredentialsError;
use northgate_core::clock::Timestamp;
use northgate_core::possession::{Possession, PossessionError};
use northgate_core::refresh::{RefreshError, Refusal};

use super::client::{Client, Sender};
use super::error::{self, Code, Denial, denial};
use super::form::Form;
use super::{TOKEN, answer};
use crate::http::Api;
use crate::http::audit::Audit;
use crate::http::dpop::{self, ProofError};
use crate::http::observe::{Observed, ObservedResponse};
use crate::http::refresh::outcome_of;
use crate::outcome::{Operation, Outcome};
use crate::parse_bounds::MEMBERS_MAX;

/// The supported grant types.
enum GrantType {
    ClientCredentials,
    RefreshToken,
}

/// Unsupported grant type or scope, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    #[error("the grant type is not supported")]
    GrantType,
    #[error("the scope is not supported")]
    Scope,
}

/// Until the grant type is known, the request counts as one for client credentials.
pub async fn token(State(api): State<Arc<Api>>, request: Request) -> ObservedResponse {
    let mut observed = Observed::new(Operation::ClientCredentials);
    let answer = match attempt(&api, request, &mut observed).await {
        Ok(answer) => answer,
        Err(denial) => denial.observe(&mut observed).answer(),
    };
    observed.beside(answer)
}

async fn attempt(api: &Api, request: Request, observed: &mut Observed) -> Result<Response<Body>, Denial> {
    let sender = Sender::of(&request);
    let form = Form::read(request, api.body).await?;
    let grant_type = grant_type(&form)?;
    check_scope(&form)?;
    match grant_type {
        GrantType::ClientCredentials => client_credentials(api, &form, &sender, observed).await,
        GrantType::RefreshToken => refresh(api, &form, &sender, observed).await,
    }
}

async fn client_credentials(
    api: &Api,
    form: &Form,
    sender: &Sender,
    observed: &mut Observed,
) -> Result<Response<Body>, Denial> {
    let client = Client::find(form, sender, api.oauth.audiences(TOKEN))?;
    observed.application = Some(client.app.clone());
    let now = api.clock.now();
    let caller = Caller { possession: possession(api, sender, now)?, ..client.caller() };
    let issued = api.auth.client_credentials(&caller, now).await?;
    Ok(answer::issued(&issued, &client.app, api))
}

async fn refresh(
    api: &Api,
    form: &Form,
    sender: &Sender,
    observed: &mut Observed,
) -> Result<Response<Body>, Denial> {
    observed.operation = Operation::Refresh;
    let refresh_token = form.text("refresh_token")?;
    let client = Client::find(form, sender, api.oauth.audiences(TOKEN))?;
    observed.application = Some(client.app.clone());
    let now = api.clock.now();
    let caller = Caller { possession: possession(api, sender, now)?, ..client.caller() };
    let refresh = api.auth.refresh(&caller, refresh_token, now).await?;
    (observed.outcome, observed.audit) = outcome_of(&refresh);
    Ok(answer::pair(&refresh.pair, &client.app, api))
}

/// The client's proof of possession, if there is one (RFC 9449 §5).
fn possession(api: &Api, sender: &Sender, now: Timestamp) -> Result<Possession, ProofError> {
    let uri = format!("{}{TOKEN}", api.oauth.issuer.as_str());
    let call = dpop::Call { method: "POST", uri: &uri, access_token: None };
    match sender.dpop.as_slice() {
        [] => Ok(Possession::NotShown),
        [proof] => Ok(Possession::Proof(dpop::verify(proof.as_bytes(), &call, now)?)),
        [_, _, ..] => Err(ProofError::Two),
    }
}

fn grant_type(form: &Form) -> Result<GrantType, Denial> {
    match form.text("grant_type")? {
        "client_credentials" => Ok(GrantType::ClientCredentials),
        "refresh_token" => Ok(GrantType::RefreshToken),
        _ => Err(Unknown::GrantType.into()),
    }
}

/// There is one scope, the default of a request without one.
pub fn check_scope(form: &Form) -> Result<(), Unknown> {
    let are_known = |scope: &str| {
        let mut words = scope.split(' ');
        words.by_ref().take(MEMBERS_MAX).all(|word| word == "default") && words.next().is_none()
    };
    let is_known = form.find("scope").is_none_or(are_known);
    if is_known { Ok(()) } else { Err(Unknown::Scope) }
}

impl From<Unknown> for Denial {
    fn from(error: Unknown) -> Denial {
        let (code, description) = match error {
            Unknown::GrantType => {
                (Code::UnsupportedGrantType, "There are client_credentials and refresh_token.")
            }
            Unknown::Scope => (Code::InvalidScope, "There is the scope default and no other."),
        };
        denial(code, description, Outcome::InvalidInput, &error)
    }
}

impl From<ProofError> for Denial {
    fn from(error: ProofError) -> Denial {
        denial(Code::InvalidDpopProof, error.description(), Outcome::Refused, &error)
    }
}

impl From<PossessionError> for Denial {
    fn from(error: PossessionError) -> Denial {
        let (code, description, outcome) = match error {
            PossessionError::Missing => (
                Code::InvalidDpopProof,
                "The policy of the application requires a DPoP proof with each request for a token.",
                Outcome::MissingField,
            ),
            PossessionError::NotTaken => (
                Code::InvalidDpopProof,
                "The policy of the application takes no DPoP proofs: a token would not be bound to the key.",
                Outcome::Refused,
            ),
            PossessionError::Replayed => (Code::InvalidDpopProof, dpop::REPLAYED, Outcome::Refused),
            PossessionError::Full(wait) => (
                Code::Throttled(wait),
                "The application has used too many DPoP proofs within a minute.",
                Outcome::Throttled,
            ),
        };
        denial(code, description, outcome, &error)
    }
}

impl From<ClientCredentialsError> for Denial {
    fn from(error: ClientCredentialsError) -> Denial {
        match error {
            ClientCredentialsError::Admission(error) => error.into(),
            ClientCredentialsError::Possession(error) => error.into(),
            ClientCredentialsError::TooManyClosed => error::too_many_closed(&error),
        }
    }
}

impl From<RefreshError> for Denial {
    fn from(error: RefreshError) -> Denial {
        match error {
            RefreshError::Admission(error) => error.into(),
            RefreshError::Possession(error) => error.into(),
            RefreshError::Refused(refusal) => refused(refusal, &error),
            RefreshError::Store(ref cause) => error::store(cause, &error),
        }
    }
}

/// The reason for a refused refresh token, which an authenticated client may learn about its own tokens. Another client's token
/// is answered like an unknown one.
fn refused(refusal: Refusal, error: &RefreshError) -> Denial {
    let invalid_grant = |description, outcome| denial(Code::InvalidGrant, description, outcome, error);
    match refusal {
        Refusal::Reused { grant, presented, current, closed } => {
            let description = "The refresh token was used before: use the newest one, or log in.";
            let audit = Audit::Reused { grant, presented, current, closed };
            invalid_grant(description, Outcome::Reused).audited(audit)
        }
        Refusal::Token(_) | Refusal::NotYours => {
            invalid_grant("The refresh token is not one of this application.", Outcome::Refused)
        }
        Refusal::WrongKind => {
            invalid_grant("The token is an access token, and no refresh token.", Outcome::Refused)
        }
        Refusal::Expired => invalid_grant("The refresh token has expired: log in.", Outcome::Refused),
        Refusal::Closed => {
            invalid_grant("The refresh token was revoked or gave way to a newer login.", Outcome::Refused)
        }
    }
}
