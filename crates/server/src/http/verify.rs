//! Verify: the authorization subrequest of gateways. It carries the call's headers, method and path; 200 lets the call pass.

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
/// The body of a refusal as a header, since nginx reads no body of a subrequest's answer.
const X_NORTHGATE_REFUSAL: HeaderName = HeaderName::from_static(GatewayHeader::XNorthgateRefusal.name());

/// Reason why a call may not pass, for the log; the client learns less.
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

/// Answers any method, since some gateways repeat that of the call. It does not read the body: nginx by default announces the
/// call's body without sending it, and each side would wait for the other.
pub async fn verify<B>(State(api): State<Arc<Api>>, request: Request<B>) -> ObservedResponse {
    let mut observed = Observed::new(Operation::Verify);
    let question = match Question::parse(request.uri()) {
        Ok(question) => question,
        Err(error) => {
            observed.outcome = Outcome::InvalidInput;
            observed.detail = Some(error.to_string());
            return observed.beside(Bearer::BadQuestion(error).answer(Scheme::Bearer));
        }
    };
    let answer = match attempt(&api, &question, &request, &mut observed) {
        Ok(verified) => pass(&verified),
        Err(Refused { refusal, scheme }) => {
            let refused = refusal.response();
            observed.outcome = refused.outcome;
            observed.detail = Some(with_causes(&refusal));
            refused.answer(question.style, scheme, &api)
        }
    };
    observed.beside(answer)
}

/// A refusal, and the scheme by which the client has to present its token, if it is known.
struct Refused {
    refusal: Refusal,
    scheme: Scheme,
}

/// Makes a refusal of an error under a scheme.
fn under<E: Into<Refusal>>(scheme: Scheme) -> impl Fn(E) -> Refused {
    move |error| Refused { refusal: error.into(), scheme }
}

fn attempt<B>(
    api: &Api,
    question: &Question<'_>,
    request: &Request<B>,
    observed: &mut Observed,
) -> Result<Verified, Refused> {
    let headers = request.headers();
    let call = call::call(request.method(), question.target, headers).map_err(under(Scheme::Bearer))?;
    let credentials = Credentials::read(headers, question.style).map_err(under(Scheme::Bearer))?;
    observed.application.clone_from(&credentials.app_key);
    let app_key = credentials.app_key.as_ref();
    let now = api.clock.now();
    let opened = api.open(credentials.access_token).map_err(VerifyError::Token);
    let claims = opened.map_err(under(credentials.scheme))?;
    let is_bound_to_a_key = matches!(claims.binding, Some(Binding::Key(_)));
    let scheme = if is_bound_to_a_key { Scheme::Dpop } else { credentials.scheme };
    let possession = holder::check(&credentials, &claims, call, headers, api.trusted_headers, now);
    let possession = possession.map_err(under(scheme))?;
    let verified = api.auth.verify_claims(app_key, &claims, call, &possession, now).map_err(under(scheme))?;
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

/// The response to a refusal: in the platform's words, in those of RFC 6750 and RFC 9449, and as an outcome.
struct RefusalResponse {
    problem: Problem,
    bearer: Bearer,
    outcome: Outcome,
}

impl RefusalResponse {
    fn answer(&self, style: Style, scheme: Scheme, api: &Api) -> Response<Body> {
        let (mut answer, body) = match style {
            Style::Platform => {
                (self.problem.answer(api.dialect), Cow::Borrowed(self.problem.body(api.dialect)))
            }
            Style::OAuth => (self.bearer.answer(scheme), self.bearer.body()),
        };
        let body = HeaderValue::try_from(&*body).expect("a refusal is one line of plain text");
        answer.headers_mut().insert(X_NORTHGATE_REFUSAL, body);
        answer
    }
}

impl Refusal {
    /// The table of refusals.
    fn response(&self) -> RefusalResponse {
        let (problem, bearer, outcome) = match self {
            Refusal::Call(CallError::Ambiguous(_)) => {
                (Problem::BadCall, Bearer::AmbiguousPath, Outcome::InvalidInput)
            }
            Refusal::Call(CallError::Contradictory) => {
                (Problem::BadCall, Bearer::ContradictoryCall, Outcome::InvalidInput)
            }
            Refusal::Unnamed(Unnamed::NoAppKey) => {
                (Problem::NoAppKey, Bearer::InvalidRequest, Outcome::MissingField)
            }
            Refusal::Unnamed(Unnamed::NoToken) => {
                (Problem::NotVerified, Bearer::NoCredentials, Outcome::MissingField)
            }
            Refusal::Unnamed(Unnamed::BadAppKey | Unnamed::TwoTokens) => {
                (Problem::NotVerified, Bearer::InvalidRequest, Outcome::InvalidInput)
            }
            Refusal::Verify(
                VerifyError::TooManyCalls(wait) | VerifyError::Proof(ReplayError::Full(wait)),
            ) => (Problem::CallThrottled(*wait), Bearer::TooManyCalls(*wait), Outcome::Throttled),
            Refusal::Verify(VerifyError::Proof(ReplayError::Replayed)) => {
                (Problem::NotVerified, Bearer::InvalidProof(dpop::REPLAYED), Outcome::Refused)
            }
            Refusal::Verify(VerifyError::Forbidden) => {
                (Problem::NotVerified, Bearer::InsufficientScope, Outcome::Forbidden)
            }
            Refusal::Verify(VerifyError::Frozen) => {
                (Problem::NotVerified, Bearer::InvalidToken, Outcome::Frozen)
            }
            Refusal::Verify(
                VerifyError::Token(_)
                | VerifyError::WrongKind
                | VerifyError::Expired
                | VerifyError::Ahead
                | VerifyError::NotYours
                | VerifyError::Revoked
                | VerifyError::NotShown,
            ) => (Problem::NotVerified, Bearer::InvalidToken, Outcome::Refused),
            Refusal::Proof(error) => {
                (Problem::NotVerified, Bearer::InvalidProof(error.description()), Outcome::Refused)
            }
        };
        RefusalResponse { problem, bearer, outcome }
    }
}
