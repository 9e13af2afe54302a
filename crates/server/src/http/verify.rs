//! Verify, for gateways: whether a call on the platform's API may pass. They hand over the call's headers and say which
//! call it is, and pass it on when the answer is 200.

mod bearer;
pub(crate) mod call;
pub(crate) mod credentials;
pub(crate) mod holder;
pub(crate) mod style;

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use northgate_core::replay::ReplayError;
use northgate_core::token::Binding;
use northgate_core::verify::{Verified, VerifyError};

use crate::http::dpop::{self, ProofError};
use crate::http::gateway::GatewayHeader;
use crate::http::observe::{Observed, ObservedResponse};
use crate::http::problem::Problem;
use crate::http::{Api, answer};
use crate::outcome::{Operation, Outcome};
use crate::telemetry::with_causes;
use bearer::Bearer;
use call::CallError;
use credentials::{Credentials, Scheme, Unnamed};
use style::{Question, Style};

const X_NORTHGATE_APP_ID: HeaderName = HeaderName::from_static(GatewayHeader::XNorthgateAppId.name());
const X_NORTHGATE_SCOPE: HeaderName = HeaderName::from_static(GatewayHeader::XNorthgateScope.name());
const X_NORTHGATE_EXPIRES_AT: HeaderName = HeaderName::from_static(GatewayHeader::XNorthgateExpiresAt.name());
/// The body of a refusal once more: nginx reads headers of the answer to its question, and no body.
const X_NORTHGATE_REFUSAL: HeaderName = HeaderName::from_static(GatewayHeader::XNorthgateRefusal.name());

/// Why a call does not pass. For the log: the client hears less.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Unnamed(#[from] Unnamed),
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// Answers any method, since some gateways repeat that of the call. The body is left alone: nginx announces the call's
/// without sending it, unless it is told not to, and would wait for us while we wait for it.
pub async fn verify<B>(State(api): State<Arc<Api>>, request: Request<B>) -> ObservedResponse {
    let mut observed = Observed::new(Operation::Verify);
    let question = match Question::parse(request.uri()) {
        Ok(question) => question,
        Err(error) => {
            observed.outcome = Outcome::InvalidInput;
            observed.detail = Some(error.to_string());
            return observed.beside(Bearer::UnknownStyle.answer(Scheme::Bearer));
        }
    };
    let mut scheme = Scheme::Bearer;
    let answer = match attempt(&api, &question, &request, &mut observed, &mut scheme) {
        Ok(verified) => pass(&verified),
        Err(refusal) => {
            observed.outcome = refusal.outcome();
            observed.detail = Some(with_causes(&refusal));
            refusal.answer(question.style, scheme, &api)
        }
    };
    observed.beside(answer)
}

/// Leaves in `scheme` the one by which the token has to be shown, as far as it is known.
fn attempt<B>(
    api: &Api,
    question: &Question<'_>,
    request: &Request<B>,
    observed: &mut Observed,
    scheme: &mut Scheme,
) -> Result<Verified, Refusal> {
    let headers = request.headers();
    let call = call::call(request.method(), question.target, headers)?;
    let credentials = Credentials::read(headers, question.style)?;
    *scheme = credentials.scheme;
    observed.application.clone_from(&credentials.app_key);
    let app_key = credentials.app_key.as_ref();
    let now = api.clock.now();
    let claims = api.open(credentials.access_token).map_err(VerifyError::Token)?;
    if matches!(claims.binding, Some(Binding::Key(_))) {
        *scheme = Scheme::Dpop;
    }
    let possession = holder::check(&credentials, &claims, call, headers, api.trusted_headers, now)?;
    let verified = api.auth.verify_claims(app_key, &claims, call, &possession, now)?;
    observed.application.get_or_insert_with(|| verified.application.id.clone());
    Ok(verified)
}

fn pass(verified: &Verified) -> Response<Body> {
    let mut answer = answer::empty(StatusCode::OK);
    let headers = answer.headers_mut();
    let app_id = HeaderValue::from_bytes(verified.application.id.as_str().as_bytes());
    headers.insert(X_NORTHGATE_APP_ID, app_id.expect("an appId has no control characters"));
    headers.insert(X_NORTHGATE_SCOPE, HeaderValue::from_static("default"));
    let expires_at_s = verified.expires_at.as_millis() / 1000;
    headers.insert(X_NORTHGATE_EXPIRES_AT, HeaderValue::from(expires_at_s));
    answer
}

impl Refusal {
    fn answer(&self, style: Style, scheme: Scheme, api: &Api) -> Response<Body> {
        let (mut answer, body) = match style {
            Style::Platform => {
                (self.problem().answer(api.dialect), Cow::Borrowed(self.problem().body(api.dialect)))
            }
            Style::OAuth => (self.bearer().answer(scheme), self.bearer().body()),
        };
        let body = HeaderValue::try_from(&*body).expect("a refusal is one line of plain text");
        answer.headers_mut().insert(X_NORTHGATE_REFUSAL, body);
        answer
    }

    /// As the platform says it.
    fn problem(&self) -> Problem {
        match self {
            Refusal::Call(CallError::Ambiguous(_) | CallError::Contradictory) => Problem::BadCall,
            Refusal::Unnamed(Unnamed::NoAppKey) => Problem::NoAppKey,
            Refusal::Verify(
                VerifyError::TooManyCalls(wait) | VerifyError::Proof(ReplayError::Full(wait)),
            ) => Problem::CallThrottled(*wait),
            Refusal::Unnamed(Unnamed::BadAppKey | Unnamed::NoToken | Unnamed::TwoTokens)
            | Refusal::Verify(
                VerifyError::Token(_)
                | VerifyError::WrongKind
                | VerifyError::Expired
                | VerifyError::Ahead
                | VerifyError::NotYours
                | VerifyError::Frozen
                | VerifyError::Revoked
                | VerifyError::NotShown
                | VerifyError::Forbidden
                | VerifyError::Proof(ReplayError::Replayed),
            )
            | Refusal::Proof(_) => Problem::NotVerified,
        }
    }

    /// As RFC 6750 and RFC 9449 say it.
    fn bearer(&self) -> Bearer {
        match self {
            Refusal::Call(CallError::Ambiguous(_)) => Bearer::AmbiguousPath,
            Refusal::Call(CallError::Contradictory) => Bearer::ContradictoryCall,
            Refusal::Unnamed(Unnamed::NoToken) => Bearer::NoCredentials,
            Refusal::Unnamed(Unnamed::NoAppKey | Unnamed::BadAppKey | Unnamed::TwoTokens) => {
                Bearer::InvalidRequest
            }
            Refusal::Verify(
                VerifyError::TooManyCalls(wait) | VerifyError::Proof(ReplayError::Full(wait)),
            ) => Bearer::TooManyCalls(*wait),
            Refusal::Verify(VerifyError::Proof(ReplayError::Replayed)) => {
                Bearer::InvalidProof(dpop::REPLAYED)
            }
            Refusal::Verify(VerifyError::Forbidden) => Bearer::InsufficientScope,
            Refusal::Verify(
                VerifyError::Token(_)
                | VerifyError::WrongKind
                | VerifyError::Expired
                | VerifyError::Ahead
                | VerifyError::NotYours
                | VerifyError::Frozen
                | VerifyError::Revoked
                | VerifyError::NotShown,
            ) => Bearer::InvalidToken,
            Refusal::Proof(error) => Bearer::InvalidProof(error.description()),
        }
    }

    fn outcome(&self) -> Outcome {
        match self {
            Refusal::Unnamed(Unnamed::NoAppKey | Unnamed::NoToken) => Outcome::MissingField,
            Refusal::Call(CallError::Ambiguous(_) | CallError::Contradictory)
            | Refusal::Unnamed(Unnamed::BadAppKey | Unnamed::TwoTokens) => Outcome::InvalidInput,
            Refusal::Verify(VerifyError::TooManyCalls(_) | VerifyError::Proof(ReplayError::Full(_))) => {
                Outcome::Throttled
            }
            Refusal::Verify(VerifyError::Frozen) => Outcome::Frozen,
            Refusal::Verify(VerifyError::Forbidden) => Outcome::Forbidden,
            Refusal::Verify(
                VerifyError::Token(_)
                | VerifyError::WrongKind
                | VerifyError::Expired
                | VerifyError::Ahead
                | VerifyError::NotYours
                | VerifyError::Revoked
                | VerifyError::NotShown
                | VerifyError::Proof(ReplayError::Replayed),
            )
            | Refusal::Proof(_) => Outcome::Refused,
        }
    }
}
