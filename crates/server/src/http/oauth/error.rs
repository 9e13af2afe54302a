//! What an OAuth client hears when it does not get what it asked for (RFC 6749 §5.2), beside what the log hears.

use std::error::Error;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use northgate_core::admit::AdmissionError;
use northgate_core::assertion::{self, Flaw};
use northgate_core::store::StoreError;

use super::answer;
use crate::http::audit::Audit;
use crate::http::body::Unread;
use crate::http::observe::Observed;
use crate::http::outcome::Outcome;
use crate::http::problem::seconds;
use crate::telemetry::with_causes;

/// The word and the status of an error.
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
    /// Too much of something; where that is known, how long to wait.
    Throttled(Option<Duration>),
    /// The store, or the pool of hashes, cannot do its part now.
    Unavailable,
    TooLarge,
    TooSlow,
}

/// Why a request did not succeed, on its way out.
#[derive(Debug)]
pub struct Denial {
    code: Code,
    description: &'static str,
    outcome: Outcome,
    detail: String,
    audit: Option<Audit>,
}

/// What a store that cannot do its part now is given before it is asked again.
const AGAIN_S: u64 = 1;

impl Code {
    fn status_and_word(self) -> (StatusCode, &'static str) {
        match self {
            Code::InvalidRequest => (StatusCode::BAD_REQUEST, "invalid_request"),
            Code::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Code::InvalidGrant => (StatusCode::BAD_REQUEST, "invalid_grant"),
            Code::UnauthorizedClient => (StatusCode::BAD_REQUEST, "unauthorized_client"),
            Code::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            Code::InvalidScope => (StatusCode::BAD_REQUEST, "invalid_scope"),
            Code::InvalidDpopProof => (StatusCode::BAD_REQUEST, "invalid_dpop_proof"),
            // RFC 6749 has no word of the token endpoint for these; clients know this one from §4.1.2.1.
            Code::Throttled(_) => (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable"),
            Code::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
            Code::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request"),
            Code::TooSlow => (StatusCode::REQUEST_TIMEOUT, "invalid_request"),
        }
    }
}

impl Denial {
    /// `code` and `description` for the client; `outcome` and the error with its causes for the log.
    pub fn new(code: Code, description: &'static str, outcome: Outcome, error: &dyn Error) -> Denial {
        Denial { code, description, outcome, detail: with_causes(error), audit: None }
    }

    /// The same with a line for the audit.
    pub fn audited(self, audit: Audit) -> Denial {
        Denial { audit: Some(audit), ..self }
    }

    /// The answer for the client; the rest goes to what is observed.
    pub fn answer(self, observed: &mut Observed) -> Response<Body> {
        observed.outcome = self.outcome;
        observed.detail = Some(self.detail);
        observed.audit = self.audit;
        let (status, error) = self.code.status_and_word();
        // Neither has anything to escape: our own words.
        let body = format!(r#"{{"error":"{error}","error_description":"{}"}}"#, self.description);
        let mut answer = answer::json(status, body);
        let headers = answer.headers_mut();
        match self.code {
            // RFC 9110 §15.5.2 wants it with every 401, RFC 6749 §5.2 at least where Basic was used.
            Code::InvalidClient => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(r#"Basic realm="northgate""#));
            }
            Code::Throttled(Some(wait)) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds(wait)));
            }
            Code::Unavailable => {
                headers.insert(RETRY_AFTER, HeaderValue::from(AGAIN_S));
            }
            // What is left of the request cannot be told from the next one.
            Code::TooLarge | Code::TooSlow => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Code::InvalidRequest
            | Code::InvalidGrant
            | Code::UnauthorizedClient
            | Code::UnsupportedGrantType
            | Code::InvalidScope
            | Code::InvalidDpopProof
            | Code::Throttled(None) => {}
        }
        answer
    }
}

/// What is said where the store did not do its part; `error` is what was attempted.
pub fn store(cause: &StoreError, error: &dyn Error) -> Denial {
    let outcome = match cause {
        StoreError::Busy => Outcome::Busy,
        StoreError::Unavailable(_) => Outcome::Unavailable,
    };
    Denial::new(Code::Unavailable, "The service is busy.", outcome, error)
}

/// What is said of an application that has closed too many grants.
pub fn too_many_closed(error: &dyn Error) -> Denial {
    let description =
        "The application has closed too many grants; wait until their access tokens have ended.";
    Denial::new(Code::Throttled(None), description, Outcome::Throttled, error)
}

/// What a client hears of a credential that did not authenticate it. Nothing here depends on whether the client exists.
fn unproven(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::Signature => "The assertion is not signed by a key that is registered for the client.",
        Flaw::Subject => "The iss and sub of the assertion must both be the client_id.",
        Flaw::Audience => {
            "The aud of the assertion is another one than the issuer, the token endpoint or this endpoint."
        }
        Flaw::Expired => "The assertion has expired.",
        Flaw::TooOld => {
            "The assertion was issued (iat) more than 5 minutes ago: make a new one for each request."
        }
        Flaw::FromFuture => "The assertion was issued (iat) in the future: compare the clocks.",
        Flaw::TooLong => "The assertion expires (exp) more than 5 minutes ahead and has no iat.",
        Flaw::NotYet => "The assertion is not good yet (nbf): compare the clocks.",
        Flaw::Spent => "The assertion was used before: make a new one, with a new jti, for each request.",
        Flaw::NoCertificate => "The connection has no client certificate.",
        Flaw::Certificate => {
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
            AdmissionError::Unproven(flaw) => (Code::InvalidClient, unproven(*flaw), Outcome::Rejected),
            AdmissionError::Throttled(wait) | AdmissionError::TooManyCalls(wait) => {
                (Code::Throttled(Some(*wait)), "Too many requests.", Outcome::Throttled)
            }
            AdmissionError::Frozen => {
                (Code::UnauthorizedClient, "The application is frozen.", Outcome::Frozen)
            }
            AdmissionError::TooManyAssertions => {
                (Code::Throttled(Some(assertion::SKEW)), "Too many assertions.", Outcome::Throttled)
            }
            AdmissionError::Busy => (Code::Unavailable, "The service is busy.", Outcome::Busy),
            AdmissionError::Store(cause) => return store(cause, &error),
        };
        Denial::new(code, description, outcome, &error)
    }
}

impl From<Unread> for Denial {
    fn from(error: Unread) -> Denial {
        let (code, description, outcome) = match error {
            Unread::TooLarge => (Code::TooLarge, "The request body is too large.", Outcome::TooLarge),
            Unread::TooSlow => (Code::TooSlow, "The request took too long.", Outcome::TooSlow),
            Unread::Broken => (Code::InvalidRequest, "The body is broken off.", Outcome::InvalidInput),
        };
        Denial::new(code, description, outcome, &error)
    }
}
