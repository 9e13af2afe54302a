//! Problem details (RFC 9457): error responses of the private listener.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response};
use serde::{Deserialize, Serialize};

use crate::http::status::ErrorStatus;

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The members. There is no `type`: `title` is the status in words, and `error` says what is the matter.
#[derive(Debug, Serialize, Deserialize)]
pub struct ProblemDetails {
    /// The reason phrase of the status.
    pub title: String,
    pub status: u16,
    /// A sentence for people.
    pub detail: String,
    /// A word for programs: an extension member (RFC 9457 §3.2).
    pub error: String,
}

impl ProblemDetails {
    /// The error response.
    pub fn answer(status: ErrorStatus, error: &str, detail: String) -> Response<Body> {
        let code = status.code();
        let title = code.canonical_reason().unwrap_or_default().to_owned();
        let members = ProblemDetails { title, status: code.as_u16(), detail, error: error.to_owned() };
        let body = serde_json::to_string(&members).expect("texts and a number are JSON");
        let mut answer = status.answer(body);
        answer.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        answer
    }
}
