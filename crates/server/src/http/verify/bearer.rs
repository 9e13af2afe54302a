//! Refusals of a call by RFC 6750 and, for bound tokens, RFC 9449, for gateways that ask for that style.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};

use super::credentials::Scheme;
use super::style::QuestionError;
use crate::http::status::{Challenge, ErrorStatus};

/// Every error that a client can get instead of the platform's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bearer {
    /// No token, or credentials of another scheme: a challenge without an error (§3.1).
    NoCredentials,
    /// More than one token, or an `app_key` that cannot be one.
    InvalidRequest,
    /// Servers read the path of the call in different ways.
    AmbiguousPath,
    /// The gateway names two calls, or half of one.
    ContradictoryCall,
    InvalidToken,
    /// The proof beside the token is invalid or for another request, as this sentence says (RFC 9449 §7.1).
    InvalidProof(&'static str),
    /// The allow rules do not cover the call.
    InsufficientScope,
    TooManyCalls(Duration),
    /// A misconfigured gateway: an unknown style, or too many parameters.
    BadQuestion(QuestionError),
}

impl Bearer {
    /// The error answer.
    pub fn answer(self, scheme: Scheme) -> Response<Body> {
        let body = self.body();
        let is_empty = body.is_empty();
        let mut answer = self.status(scheme).answer(body.into_owned());
        if is_empty {
            answer.headers_mut().remove(CONTENT_TYPE);
        }
        // RFC 6750 §3 has challenges with other statuses, too.
        if let Some(challenge) = self.challenge(scheme) {
            answer.headers_mut().insert(WWW_AUTHENTICATE, challenge.value());
        }
        answer
    }

    /// The body, one line.
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
            Bearer::BadQuestion(QuestionError::Style) => {
                r#"{"error":"invalid_request","error_description":"The gateway asks with style= for something other than platform or oauth, or twice."}"#
            }
            Bearer::BadQuestion(QuestionError::TooMany) => {
                r#"{"error":"invalid_request","error_description":"The gateway's query has more than 32 parameters."}"#
            }
        };
        Cow::Borrowed(body)
    }

    fn status(self, scheme: Scheme) -> ErrorStatus {
        match self {
            Bearer::NoCredentials | Bearer::InvalidToken | Bearer::InvalidProof(_) => {
                ErrorStatus::Unauthorized(self.challenge(scheme).unwrap_or(Challenge::Bearer))
            }
            Bearer::InvalidRequest
            | Bearer::AmbiguousPath
            | Bearer::ContradictoryCall
            | Bearer::BadQuestion(_) => ErrorStatus::BadRequest,
            Bearer::InsufficientScope => ErrorStatus::Forbidden,
            Bearer::TooManyCalls(wait) => ErrorStatus::TooManyRequests(wait),
        }
    }

    /// The challenge under a scheme. A client that needs a proof learns its algorithms (RFC 9449 §7.1).
    fn challenge(self, scheme: Scheme) -> Option<Challenge> {
        let error = match self {
            Bearer::NoCredentials => return Some(Challenge::Bearer),
            Bearer::InvalidRequest | Bearer::AmbiguousPath => "invalid_request",
            Bearer::InvalidToken => "invalid_token",
            Bearer::InvalidProof(_) => "invalid_dpop_proof",
            Bearer::InsufficientScope => "insufficient_scope",
            Bearer::TooManyCalls(_) | Bearer::ContradictoryCall | Bearer::BadQuestion(_) => return None,
        };
        Some(match scheme {
            Scheme::Bearer => Challenge::BearerError(error),
            Scheme::Dpop => Challenge::DpopError(error),
        })
    }
}
