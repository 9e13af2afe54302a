//! Health checks: liveness and readiness.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use crate::http::status::ErrorStatus;
use crate::http::{Api, answer};

/// `Retry-After` of a node that is not ready; probes come every few seconds anyway.
const AGAIN: Duration = Duration::from_secs(1);

/// Liveness: 200 for as long as the process can answer at all.
pub async fn live() -> Response<Body> {
    answer::json(StatusCode::OK, r#"{"status":"ok"}"#)
}

/// Readiness: 200 while the store can write and follows the other nodes, and no stop has begun; otherwise 503 with the reason.
/// Conditions that an operator has to look at soon stand beside it.
pub async fn ready(State(api): State<Arc<Api>>) -> Response<Body> {
    match (api.why_not_ready)() {
        None => match (api.attention)().as_slice() {
            [] => answer::json(StatusCode::OK, r#"{"status":"ok"}"#),
            urgent => {
                let body = serde_json::json!({ "status": "ok", "attention": urgent });
                answer::json(StatusCode::OK, body.to_string())
            }
        },
        Some(reason) => {
            let body = serde_json::json!({ "status": "unavailable", "reason": reason });
            ErrorStatus::ServiceUnavailable(AGAIN).answer(body.to_string())
        }
    }
}
