//! For whoever starts, stops and routes to Northgate: whether it runs, and whether it takes requests.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use crate::http::status::ErrorStatus;
use crate::http::{Api, answer};

/// Readiness is asked for every few seconds; a probe that heeds `Retry-After` comes no later than others.
const AGAIN: Duration = Duration::from_secs(1);

/// 200 for as long as the process can answer at all.
pub async fn live() -> Response<Body> {
    answer::json(StatusCode::OK, r#"{"status":"ok"}"#)
}

/// 200 while the store can write and shows what other nodes change, and no stop has begun; else the reason. What an operator
/// has to look at soon is told beside it.
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
