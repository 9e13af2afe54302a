//! Verify, for gateways: whether a call on the platform's API may pass. They hand over the call's headers, and its
//! path too in some cases, and pass it on when the answer is 200.

mod call;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use northgate_core::application::AppId;
use northgate_core::clock::Timestamp;
use northgate_core::token::Binding;
use northgate_core::verify::{Verified, VerifyError};

use crate::http::dpop::{self, DPOP, ProofError};
use crate::http::failure::Failure;
use crate::http::observe::Observed;
use crate::http::outcome::{Operation, Outcome};
use crate::http::problem::Problem;
use crate::http::{Api, answer};

/// From a gateway: SHA-256 over the certificate of the caller, in base64url without padding (RFC 8705 §3.1).
const X_CLIENT_CERT_THUMBPRINT: HeaderName = HeaderName::from_static("x-client-cert-thumbprint");
const X_NORTHGATE_APP_ID: HeaderName = HeaderName::from_static("x-northgate-app-id");
const X_NORTHGATE_SCOPE: HeaderName = HeaderName::from_static("x-northgate-scope");
const X_NORTHGATE_EXPIRES_AT: HeaderName = HeaderName::from_static("x-northgate-expires-at");

/// Why the headers of a call do not even name an application and a token. For the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Unnamed {
    #[error("there is no app_key")]
    NoAppKey,
    #[error("the app_key is no appId, or there are two")]
    BadAppKey,
    #[error("there is no access token, or there are two")]
    NoToken,
}

/// Answers any method, since some gateways repeat that of the call. The body is left alone: nginx announces the call's
/// without sending it, unless it is told not to, and would wait for us while we wait for it.
pub async fn verify(State(api): State<Arc<Api>>, request: Request) -> Response<Body> {
    let mut observed = Observed::new(Operation::Verify);
    let answer = match attempt(&api, request.headers(), &mut observed) {
        Ok(verified) => pass(&verified),
        Err(failure) => failure.answer(api.dialect, &mut observed),
    };
    observed.beside(answer)
}

fn attempt(api: &Api, headers: &HeaderMap, observed: &mut Observed) -> Result<Verified, Failure> {
    let app_key = observed.application.insert(app_key(headers)?);
    let (scheme, token) = access_token(headers).ok_or(Unnamed::NoToken)?;
    let now = api.clock.now();
    let claims = api.open(token).map_err(VerifyError::Token)?;
    let mut shown = shown(headers);
    if scheme == Scheme::Dpop {
        // RFC 9449 §7.1: what is shown as bound to a key has to be.
        if !matches!(claims.binding, Some(Binding::Key(_))) {
            return Err(VerifyError::NotShown.into());
        }
        shown.push(Binding::Key(possession(api, headers, token, now)?));
    }
    Ok(api.auth.verify_claims(app_key, &claims, &shown, now)?)
}

/// The key of which the call shows that its sender has it.
fn possession(api: &Api, headers: &HeaderMap, token: &str, now: Timestamp) -> Result<[u8; 32], ProofError> {
    let proof = only(headers, DPOP.as_str()).ok_or(ProofError::Two)?.ok_or(ProofError::Malformed)?;
    let (method, uri) = call::of(headers).ok_or(ProofError::NoCall)?;
    let call = dpop::Call { method, uri: &uri, access_token: Some(token) };
    dpop::check(proof.as_bytes(), &call, &api.proofs, now)
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

/// nginx drops names with an underscore unless told otherwise; with a hyphen the header comes through.
fn app_key(headers: &HeaderMap) -> Result<AppId, Unnamed> {
    let named = |name| headers.get_all(name).iter().filter(|value| !value.is_empty());
    let mut values = named("app_key").chain(named("x-app-key"));
    let value = values.next().ok_or(Unnamed::NoAppKey)?;
    // Of two different ones, the gateway and the platform might believe the one that we do not.
    if values.any(|other| other != value) {
        return Err(Unnamed::BadAppKey);
    }
    let text = std::str::from_utf8(value.as_bytes()).map_err(|_| Unnamed::BadAppKey)?;
    AppId::parse(text).map_err(|_| Unnamed::BadAppKey)
}

/// How a call shows its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Bearer,
    /// With a proof of possession beside it (RFC 9449 §7.1).
    Dpop,
}

/// `Authorization`, and where there is none `access_token`.
fn access_token(headers: &HeaderMap) -> Option<(Scheme, &str)> {
    match only(headers, AUTHORIZATION.as_str())? {
        Some(authorization) => {
            let (scheme, token) = authorization.split_once(' ')?;
            let named = [("bearer", Scheme::Bearer), ("dpop", Scheme::Dpop)];
            let (_, scheme) = named.into_iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name))?;
            Some((scheme, token.trim_matches(' ')))
        }
        None => Some((Scheme::Bearer, only(headers, "access_token")??)),
    }
}

/// What a gateway says that the caller has shown. It is believed, since only gateways reach this listener; a gateway must
/// not let one through that a client has written.
fn shown(headers: &HeaderMap) -> Vec<Binding> {
    let thumbprint = only(headers, X_CLIENT_CERT_THUMBPRINT.as_str()).flatten();
    let decoded = thumbprint.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok());
    decoded.map(Binding::Certificate).into_iter().collect()
}

/// The one value of a header, if it is there; nothing at all if it is there twice.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<Option<&'h str>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Some(None),
        (Some(value), None) => value.to_str().ok().map(Some),
        (Some(_), Some(_)) => None,
    }
}

impl From<Unnamed> for Failure {
    fn from(error: Unnamed) -> Failure {
        let (problem, outcome) = match error {
            Unnamed::NoAppKey => (Problem::NoAppKey, Outcome::MissingField),
            Unnamed::BadAppKey => (Problem::NotVerified, Outcome::InvalidInput),
            Unnamed::NoToken => (Problem::NotVerified, Outcome::MissingField),
        };
        Failure::new(problem, outcome, &error)
    }
}

impl From<ProofError> for Failure {
    fn from(error: ProofError) -> Failure {
        Failure::new(Problem::NotVerified, Outcome::Refused, &error)
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Failure {
        let (problem, outcome) = match error {
            VerifyError::TooManyCalls(wait) => (Problem::CallThrottled(wait), Outcome::Throttled),
            VerifyError::Frozen => (Problem::NotVerified, Outcome::Frozen),
            VerifyError::Token(_)
            | VerifyError::WrongKind
            | VerifyError::Expired
            | VerifyError::NotYours
            | VerifyError::Revoked
            | VerifyError::NotShown => (Problem::NotVerified, Outcome::Refused),
        };
        Failure::new(problem, outcome, &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn the_token_is_found_however_clients_write_it() {
        for value in ["Bearer t", "bearer t", "BEARER  t", "Bearer   t "] {
            assert_eq!(
                access_token(&headers(&[("authorization", value)])),
                Some((Scheme::Bearer, "t")),
                "{value}"
            );
        }
        assert_eq!(access_token(&headers(&[("access_token", "t")])), Some((Scheme::Bearer, "t")));
        assert_eq!(access_token(&headers(&[("authorization", "dpop t")])), Some((Scheme::Dpop, "t")));
    }

    #[test]
    fn a_token_that_could_be_another_is_none() {
        let bad: [&[_]; 5] = [
            &[],
            &[("authorization", "Basic t")],
            &[("authorization", "t")],
            &[("authorization", "Bearer t"), ("authorization", "Bearer u")],
            &[("authorization", "Basic t"), ("access_token", "u")],
        ];
        for lines in bad {
            assert_eq!(access_token(&headers(lines)), None, "{lines:?}");
        }
    }

    #[test]
    fn the_app_key_has_two_names_and_one_value() {
        let app_id = |text| AppId::parse(text).map_err(|_| Unnamed::BadAppKey);
        assert_eq!(app_key(&headers(&[("app_key", "a")])), app_id("a"));
        assert_eq!(app_key(&headers(&[("x-app-key", "a")])), app_id("a"));
        assert_eq!(app_key(&headers(&[("app_key", "a"), ("x-app-key", "a")])), app_id("a"));
        assert_eq!(app_key(&headers(&[("app_key", "a"), ("x-app-key", "b")])), Err(Unnamed::BadAppKey));
        assert_eq!(app_key(&headers(&[("app_key", "")])), Err(Unnamed::NoAppKey));
        assert_eq!(app_key(&headers(&[])), Err(Unnamed::NoAppKey));
    }
}
