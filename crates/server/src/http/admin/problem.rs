//! What the operator hears when something did not succeed: a word for programs and a sentence for people.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use northgate_core::administer::AdministerError;
use northgate_core::application::AppId;
use northgate_core::store::StoreError;
use tracing::error;

use super::answer::Refused;
use crate::telemetry::with_causes;

/// An answer that is not a success.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    error: &'static str,
    message: String,
}

impl Problem {
    pub fn unauthorized() -> Problem {
        let message = "this needs the admin token as `Authorization: Bearer …`; it is in the data directory";
        Problem { status: StatusCode::UNAUTHORIZED, error: "unauthorized", message: message.to_owned() }
    }

    pub fn invalid(message: impl Into<String>) -> Problem {
        Problem { status: StatusCode::BAD_REQUEST, error: "invalid-request", message: message.into() }
    }

    pub fn body(status: StatusCode, message: String) -> Problem {
        Problem { status, error: "unreadable-body", message }
    }

    pub fn unknown_application(id: &str) -> Problem {
        let message = format!("there is no application with the appId {id}");
        Problem { status: StatusCode::NOT_FOUND, error: "unknown-application", message }
    }

    pub fn taken(id: &AppId) -> Problem {
        let message = format!("there is an application with the appId {id} already; nothing was changed");
        Problem { status: StatusCode::CONFLICT, error: "app-id-taken", message }
    }

    pub fn unsupported(message: &str) -> Problem {
        let message = message.to_owned();
        Problem { status: StatusCode::NOT_IMPLEMENTED, error: "not-supported", message }
    }

    /// What the operator may wait for; the sentence says for what.
    pub fn conflict(message: impl Into<String>) -> Problem {
        Problem { status: StatusCode::CONFLICT, error: "not-now", message: message.into() }
    }

    /// A failure of ours: the log hears its causes, the operator that there is something in the log.
    pub fn failure(error: &dyn std::error::Error) -> Problem {
        let text = with_causes(error);
        error!(error = %text, "an admin request failed: {text}");
        let message = format!("{error}; the log of the server says more");
        Problem { status: StatusCode::INTERNAL_SERVER_ERROR, error: "failed", message }
    }

    /// Too many are here already.
    pub fn crowded(message: String) -> Problem {
        Problem { status: StatusCode::SERVICE_UNAVAILABLE, error: "busy", message }
    }

    pub fn store(error: &StoreError) -> Problem {
        let word = match error {
            StoreError::Busy => "busy",
            StoreError::Unavailable(_) => "store-unavailable",
        };
        Problem { status: StatusCode::SERVICE_UNAVAILABLE, error: word, ..Problem::failure(error) }
    }

    pub fn administer(id: &AppId, error: &AdministerError) -> Problem {
        let (status, word) = match error {
            AdministerError::UnknownApplication => return Problem::unknown_application(id.as_str()),
            AdministerError::UnknownSecret(_) => (StatusCode::NOT_FOUND, "unknown-secret"),
            AdministerError::TooManySecrets => (StatusCode::CONFLICT, "too-many-secrets"),
            AdministerError::UnknownCredential(_) => (StatusCode::NOT_FOUND, "unknown-credential"),
            AdministerError::SameCredential(_) => (StatusCode::CONFLICT, "same-credential"),
            AdministerError::TooManyCredentials => (StatusCode::CONFLICT, "too-many-credentials"),
            AdministerError::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            AdministerError::Store(error) => return Problem::store(error),
        };
        Problem { status, error: word, message: error.to_string() }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let refused = Refused { error: self.error.to_owned(), message: self.message };
        let mut response = (self.status, Json(refused)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = axum::http::HeaderValue::from_static("Bearer realm=\"northgate\"");
            response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
