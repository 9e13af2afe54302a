//! Refusals of a call as RFC 6750 and, for bound tokens, RFC 9449 have them, for gateways that ask for that style.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};

use super::credentials::Scheme;
use crate::http::answer;
use crate::http::dpop::ALGORITHMS;
use crate::http::problem::seconds;

/// Everything that a client can hear instead of the platform's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bearer {
    /// No token at all, or credentials of another scheme: an invitation, without an error (§3.1).
    NoCredentials,
    /// More than one token, or an `app_key` that cannot be one.
    InvalidRequest,
    /// Servers read the path of the call in different ways.
    AmbiguousPath,
    /// The gateway's question names two calls, or half of one.
    ContradictoryCall,
    InvalidToken,
    /// The proof beside the token is none, or about something else, as this sentence says (RFC 9449 §7.1).
    InvalidProof(&'static str),
    /// The allow rules do not cover the call.
    InsufficientScope,
    TooManyCalls(Duration),
    /// Not the client's doing: the gateway is configured with a style that there is not.
    UnknownStyle,
}

impl Bearer {
    /// The answer that says it.
    pub fn answer(self, scheme: Scheme) -> Response<Body> {
        let status = self.status();
        let body = self.body();
        let mut answer = if body.is_empty() { answer::empty(status) } else { answer::json(status, body) };
        if let Some(challenge) = self.challenge(scheme) {
            let challenge = HeaderValue::try_from(challenge).expect("a challenge is plain text");
            answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        if let Bearer::TooManyCalls(wait) = self {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds(wait)));
        }
        answer
    }

    /// The body, of one line.
    pub fn body(self) -> Cow<'static, str> {
        let body = match self {
            Bearer::NoCredentials => "",
            Bearer::InvalidRequest => {
                r#"{"error":"invalid_request","error_description":"The call names more than one token or application."}"#
            }
            Bearer::AmbiguousPath => {
                r#"{"error":"invalid_request","error_description":"The path of the call is ambiguous: it has a dot segment, an empty segment, ; or \\, or escapes one of these."}"#
            }
            Bearer::ContradictoryCall => {
                r#"{"error":"invalid_request","error_description":"The gateway's question names two calls, or half of one."}"#
            }
            Bearer::InvalidToken => {
                r#"{"error":"invalid_token","error_description":"The access token is not good, or another application's."}"#
            }
            Bearer::InvalidProof(description) => {
                return format!(r#"{{"error":"invalid_dpop_proof","error_description":"{description}"}}"#)
                    .into();
            }
            Bearer::InsufficientScope => {
                r#"{"error":"insufficient_scope","error_description":"The application may not make this call."}"#
            }
            Bearer::TooManyCalls(_) => {
                r#"{"error":"too_many_requests","error_description":"The application makes too many calls."}"#
            }
            Bearer::UnknownStyle => {
                r#"{"error":"invalid_request","error_description":"The gateway asks with style= for something other than platform or oauth, or twice."}"#
            }
        };
        Cow::Borrowed(body)
    }

    fn status(self) -> StatusCode {
        match self {
            Bearer::NoCredentials | Bearer::InvalidToken | Bearer::InvalidProof(_) => {
                StatusCode::UNAUTHORIZED
            }
            Bearer::InvalidRequest
            | Bearer::AmbiguousPath
            | Bearer::ContradictoryCall
            | Bearer::UnknownStyle => StatusCode::BAD_REQUEST,
            Bearer::InsufficientScope => StatusCode::FORBIDDEN,
            Bearer::TooManyCalls(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// By which scheme to come again. Who is to bring a proof hears which algorithms it may have (RFC 9449 §7.1).
    fn challenge(self, scheme: Scheme) -> Option<String> {
        let error = match self {
            // A scheme alone is no challenge: "This scheme MUST be followed by one or more auth-param values" (RFC 6750 §3).
            Bearer::NoCredentials => return Some("Bearer realm=\"northgate\"".to_owned()),
            Bearer::InvalidRequest | Bearer::AmbiguousPath => "invalid_request",
            Bearer::InvalidToken => "invalid_token",
            Bearer::InvalidProof(_) => "invalid_dpop_proof",
            Bearer::InsufficientScope => "insufficient_scope",
            Bearer::TooManyCalls(_) | Bearer::ContradictoryCall | Bearer::UnknownStyle => return None,
        };
        Some(match scheme {
            Scheme::Bearer => format!("Bearer error=\"{error}\""),
            Scheme::Dpop => {
                let algs = ALGORITHMS.map(|(name, _)| name).join(" ");
                format!("DPoP error=\"{error}\", algs=\"{algs}\"")
            }
        })
    }
}
