//! Error responses of the OAuth endpoints (RFC 6749 §5.2).

use std::error::Error;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::PRAGMA;
use axum::http::{HeaderValue, Response};
use northgate_core::admit::AdmissionError;
use northgate_core::assertion::{self, AuthFailure};
use northgate_core::store::StoreError;

use crate::http::body::Unread;
use crate::http::failure::Failure;
use crate::http::status::{Challenge, ErrorStatus};
use crate::outcome::Outcome;

/// The error code of a response, with its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    InvalidScope,
    /// RFC 9449 §5.
    InvalidDpopProof,
    /// A rate limit, with the wait.
    Throttled(Duration),
    /// The store, or the hashing pool, is overloaded or down.
    Unavailable,
    TooLarge,
    TooSlow,
    /// The body is compressed.
    ContentCoding,
}

/// An error response (RFC 6749 §5.2): its code and its description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OAuthError {
    code: Code,
    description: &'static str,
}

/// A failed request to an endpoint of OAuth.
pub type Denial = Failure<OAuthError>;

/// `code` and `description` for the client; `outcome` and the error with its causes for the log.
pub fn denial(code: Code, description: &'static str, outcome: Outcome, error: &dyn Error) -> Denial {
    Failure::new(OAuthError { code, description }, outcome, error)
}

/// `Retry-After` for an unavailable store.
const AGAIN: Duration = Duration::from_secs(1);

/// The media type of request bodies.
const ACCEPTED: &str = "application/x-www-form-urlencoded";

/// `Retry-After` of the bound on closed grants: they are forgotten as their access tokens expire, some every minute.
const CLOSED_AGAIN: Duration = Duration::from_secs(60);

impl Code {
    fn status_and_word(self) -> (ErrorStatus, &'static str) {
        match self {
            Code::InvalidRequest => (ErrorStatus::BadRequest, "invalid_request"),
            // RFC 9110 §15.5.2 requires a challenge with every 401, RFC 6749 §5.2 at least where Basic was used.
            Code::InvalidClient => (ErrorStatus::Unauthorized(Challenge::Basic), "invalid_client"),
            Code::InvalidGrant => (ErrorStatus::BadRequest, "invalid_grant"),
            Code::UnauthorizedClient => (ErrorStatus::BadRequest, "unauthorized_client"),
            Code::UnsupportedGrantType => (ErrorStatus::BadRequest, "unsupported_grant_type"),
            Code::InvalidScope => (ErrorStatus::BadRequest, "invalid_scope"),
            Code::InvalidDpopProof => (ErrorStatus::BadRequest, "invalid_dpop_proof"),
            // RFC 6749 has no error code of the token endpoint for these; clients know this one from §4.1.2.1.
            Code::Throttled(wait) => (ErrorStatus::TooManyRequests(wait), "temporarily_unavailable"),
            Code::Unavailable => (ErrorStatus::ServiceUnavailable(AGAIN), "temporarily_unavailable"),
            Code::TooLarge => (ErrorStatus::ContentTooLarge, "invalid_request"),
            Code::TooSlow => (ErrorStatus::RequestTimeout, "invalid_request"),
            Code::ContentCoding => (ErrorStatus::UnsupportedMediaType(ACCEPTED), "invalid_request"),
        }
    }
}

impl OAuthError {
    /// The error response.
    pub fn answer(self) -> Response<Body> {
        let (status, error) = self.code.status_and_word();
        // Neither needs escaping: both are our own words.
        let body = format!(r#"{{"error":"{error}","error_description":"{}"}}"#, self.description);
        uncached(status, body)
    }
}

/// RFC 6749 §5.1 requires `Pragma` besides `Cache-Control`, which all our answers have.
fn uncached(status: ErrorStatus, body: impl Into<Body>) -> Response<Body> {
    let mut answer = status.answer(body);
    answer.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    answer
}

/// The error for an unknown endpoint.
pub fn not_found() -> Response<Body> {
    let body = r#"{"error":"invalid_request","error_description":"There is no such endpoint. The metadata names those that there are."}"#;
    uncached(ErrorStatus::NotFound, body)
}

/// The error for an unsupported method; the router adds `Allow`.
pub fn wrong_method() -> Response<Body> {
    let body = r#"{"error":"invalid_request","error_description":"The endpoint does not take this method. Allow names those that it takes."}"#;
    uncached(ErrorStatus::MethodNotAllowed, body)
}

/// The error of a store failure; `error` is the attempted operation.
pub fn store(cause: &StoreError, error: &dyn Error) -> Denial {
    let outcome = match cause {
        StoreError::Busy => Outcome::Busy,
        StoreError::Unavailable(_) => Outcome::Unavailable,
    };
    denial(Code::Unavailable, "The service is busy.", outcome, error)
}

/// The error of the bound on closed grants.
pub fn too_many_closed(error: &dyn Error) -> Denial {
    let description =
        "The application has closed too many grants; wait until their access tokens have ended.";
    denial(Code::Throttled(CLOSED_AGAIN), description, Outcome::Throttled, error)
}

/// The description of a failed authentication. Nothing here depends on whether the client exists.
fn unproven(failure: AuthFailure) -> &'static str {
    match failure {
        AuthFailure::Signature => "The assertion is not signed by a key that is registered for the client.",
        AuthFailure::Subject => "The iss and sub of the assertion must both be the client_id.",
        AuthFailure::Audience => {
            "The aud of the assertion is another one than the issuer, the token endpoint or this endpoint."
        }
        AuthFailure::Expired => "The assertion has expired.",
        AuthFailure::TooOld => {
            "The assertion was issued (iat) more than 5 minutes ago: make a new one for each request."
        }
        AuthFailure::FromFuture => "The assertion was issued (iat) in the future: compare the clocks.",
        AuthFailure::TooLong => "The assertion expires (exp) more than 5 minutes ahead and has no iat.",
        AuthFailure::NotYet => "The assertion is not good yet (nbf): compare the clocks.",
        AuthFailure::Replayed => {
            "The assertion was used before: make a new one, with a new jti, for each request."
        }
        AuthFailure::NoCertificate => "The connection has no client certificate.",
        AuthFailure::Certificate => {
            "The client certificate, or a name in it that a trusted authority has signed, is not registered for the client."
        }
    }
}

impl From<AdmissionError> for Denial {
    fn from(error: AdmissionError) -> Denial {
        let (code, description, outcome) = match &error {
            AdmissionError::Rejected => {
                (Code::InvalidClient, "The client is unknown, or its secret is wrong.", Outcome::Rejected)
            }
            AdmissionError::Unproven(failure) => (Code::InvalidClient, unproven(*failure), Outcome::Rejected),
            AdmissionError::Throttled(wait) => (
                Code::Throttled(*wait),
                "Too many wrong credentials came from this address or for this client: wait for as long as Retry-After says.",
                Outcome::Throttled,
            ),
            AdmissionError::TooManyCalls(wait) => (
                Code::Throttled(*wait),
                "The application calls more often than its policy allows: wait for as long as Retry-After says.",
                Outcome::Throttled,
            ),
            AdmissionError::Frozen => {
                (Code::UnauthorizedClient, "The application is frozen.", Outcome::Frozen)
            }
            AdmissionError::TooManyAssertions => (
                Code::Throttled(assertion::SKEW),
                "The application has used too many assertions that have not expired yet.",
                Outcome::Throttled,
            ),
            AdmissionError::Busy => (Code::Unavailable, "The service is busy.", Outcome::Busy),
            AdmissionError::Store(cause) => return store(cause, &error),
        };
        denial(code, description, outcome, &error)
    }
}

impl From<Unread> for Denial {
    fn from(error: Unread) -> Denial {
        let (code, description, outcome) = match error {
            Unread::TooLarge => (Code::TooLarge, "The request body is too large.", Outcome::TooLarge),
            Unread::TooSlow => (Code::TooSlow, "The request took too long.", Outcome::TooSlow),
            Unread::ContentCoding => {
                (Code::ContentCoding, "The request body must not be compressed.", Outcome::InvalidInput)
            }
            Unread::Broken => (Code::InvalidRequest, "The body is broken off.", Outcome::InvalidInput),
        };
        denial(code, description, outcome, &error)
    }
}
