//! Error responses of the private listener outside the admin API: the feed of revocations, and requests for foreign hosts.

use std::error::Error;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;

use crate::http::hosts::HostError;
use crate::http::problem_details::ProblemDetails;
use crate::http::status::ErrorStatus;
use crate::telemetry::with_causes;

/// How long a gateway waits before it asks a busy server again.
const AGAIN: Duration = Duration::from_secs(1);

/// An error response: a code for programs and a sentence for people.
#[derive(Debug)]
pub struct PrivateProblem {
    status: ErrorStatus,
    error: &'static str,
    message: String,
}

impl PrivateProblem {
    pub fn invalid(message: String) -> PrivateProblem {
        PrivateProblem::new(ErrorStatus::BadRequest, "invalid-request", message)
    }

    /// More gateways wait for changes than the bound.
    pub fn crowded(message: String) -> PrivateProblem {
        PrivateProblem::new(ErrorStatus::ServiceUnavailable(AGAIN), "busy", message)
    }

    pub fn host(error: HostError) -> PrivateProblem {
        let (status, word) = match error {
            HostError::UnknownHost => (ErrorStatus::MisdirectedRequest, "unknown-host"),
            HostError::ForeignOrigin => (ErrorStatus::Forbidden, "foreign-origin"),
        };
        PrivateProblem::new(status, word, error.to_string())
    }

    /// A failure of the server, whose causes go to the log.
    pub fn failure(error: &dyn Error) -> PrivateProblem {
        let text = with_causes(error);
        tracing::error!(error = %text, "a request of a gateway failed: {text}");
        let message = format!("{error}; the log of the server says more");
        PrivateProblem::new(ErrorStatus::InternalServerError, "failed", message)
    }

    fn new(status: ErrorStatus, error: &'static str, message: String) -> PrivateProblem {
        PrivateProblem { status, error, message }
    }

    /// The error response.
    pub fn answer(self) -> Response<Body> {
        ProblemDetails::answer(self.status, self.error, self.message)
    }
}
