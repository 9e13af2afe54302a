//! Error responses of the admin API: a code for programs and a sentence for people.

use std::time::Duration;

use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::response::{IntoResponse, Response};
use northgate_core::administer::AdministerError;
use northgate_core::app_id::AppId;
use northgate_core::application::Application;
use northgate_core::store::StoreError;
use tracing::error;

use super::reload::ReloadError;
use crate::http::body::Unread;
use crate::http::problem_details::ProblemDetails;
use crate::http::status::{Challenge, ErrorStatus};
use crate::telemetry::with_causes;

/// `Retry-After` of a failure of the server.
const AGAIN: Duration = Duration::from_secs(1);

/// An error response.
#[derive(Debug)]
pub struct AdminProblem {
    status: ErrorStatus,
    error: &'static str,
    message: String,
}

impl AdminProblem {
    pub fn unauthorized() -> AdminProblem {
        let message = "this needs the admin token as `Authorization: Bearer …`; it is in the data directory";
        AdminProblem {
            status: ErrorStatus::Unauthorized(Challenge::Bearer),
            error: "unauthorized",
            message: message.to_owned(),
        }
    }

    pub fn invalid(message: impl Into<String>) -> AdminProblem {
        AdminProblem { status: ErrorStatus::BadRequest, error: "invalid-request", message: message.into() }
    }

    pub fn body(error: Unread) -> AdminProblem {
        let status = error.status("application/json");
        AdminProblem { status, error: "unreadable-body", message: error.to_string() }
    }

    pub fn unknown_application(id: &str) -> AdminProblem {
        let message = format!("there is no application with the appId {id}");
        AdminProblem { status: ErrorStatus::NotFound, error: "unknown-application", message }
    }

    pub fn taken(id: &AppId) -> AdminProblem {
        let message = format!("there is an application with the appId {id} already; nothing was changed");
        AdminProblem { status: ErrorStatus::Conflict, error: "app-id-taken", message }
    }

    /// `If-Match` names another state.
    pub fn stale(present: &Application) -> AdminProblem {
        let message = "the application was changed meanwhile and nothing was changed now: read it again, and repeat the change \
                       with its ETag";
        AdminProblem {
            status: ErrorStatus::PreconditionFailed(present.tag()),
            error: "stale",
            message: message.to_owned(),
        }
    }

    pub fn unsupported(message: &str) -> AdminProblem {
        let message = message.to_owned();
        AdminProblem { status: ErrorStatus::NotImplemented, error: "not-supported", message }
    }

    /// A conflict that may pass; the sentence says how.
    pub fn conflict(message: impl Into<String>) -> AdminProblem {
        AdminProblem { status: ErrorStatus::Conflict, error: "not-now", message: message.into() }
    }

    /// The new configuration has faults.
    pub fn configuration(error: &ReloadError) -> AdminProblem {
        AdminProblem { error: "invalid-configuration", ..AdminProblem::conflict(error.to_string()) }
    }

    /// A failure of the server: its causes go to the log, and the operator is referred there.
    pub fn failure(error: &dyn std::error::Error) -> AdminProblem {
        AdminProblem::failed_by(error, format!("{error}; the log of the server says more"))
    }

    /// A failure with a message of its own, for a cause that the operator can remove.
    pub fn failed_by(error: &dyn std::error::Error, message: String) -> AdminProblem {
        let text = with_causes(error);
        error!(error = %text, "an admin request failed: {text}");
        AdminProblem { status: ErrorStatus::InternalServerError, error: "failed", message }
    }

    pub fn unknown_page() -> AdminProblem {
        let message = "there is no such page".to_owned();
        AdminProblem { status: ErrorStatus::NotFound, error: "unknown-page", message }
    }

    /// The status and the sentence, for a page.
    pub fn sentence(&self) -> (ErrorStatus, &str) {
        (self.status, &self.message)
    }

    fn with(self, status: ErrorStatus, error: &'static str) -> AdminProblem {
        AdminProblem { status, error, ..self }
    }

    pub fn store(error: &StoreError) -> AdminProblem {
        let word = match error {
            StoreError::Busy => "busy",
            StoreError::Unavailable(_) => "store-unavailable",
        };
        // A full disk or a missing privilege is named at once.
        let message = format!("{}; the log of the server says more", with_causes(error));
        let status = ErrorStatus::ServiceUnavailable(AGAIN);
        AdminProblem { message, ..AdminProblem::failure(error).with(status, word) }
    }

    pub fn administer(id: &AppId, error: &AdministerError) -> AdminProblem {
        let (status, word) = match error {
            AdministerError::UnknownApplication => return AdminProblem::unknown_application(id.as_str()),
            AdministerError::UnknownSecret(_) => (ErrorStatus::NotFound, "unknown-secret"),
            AdministerError::TooManySecrets => (ErrorStatus::Conflict, "too-many-secrets"),
            AdministerError::UnknownCredential(_) => (ErrorStatus::NotFound, "unknown-credential"),
            AdministerError::SameCredential(_) => (ErrorStatus::Conflict, "same-credential"),
            AdministerError::TooManyCredentials => (ErrorStatus::Conflict, "too-many-credentials"),
            AdministerError::Stale(present) => return AdminProblem::stale(present),
            AdministerError::Busy => (ErrorStatus::ServiceUnavailable(AGAIN), "busy"),
            AdministerError::Store(error) => return AdminProblem::store(error),
        };
        AdminProblem { status, error: word, message: error.to_string() }
    }
}

impl IntoResponse for AdminProblem {
    fn into_response(self) -> Response {
        let mut response = ProblemDetails::answer(self.status, self.error, self.message);
        // Without the admin token no body is read: the next request on this connection would be lost.
        if let ErrorStatus::Unauthorized(_) = self.status {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
