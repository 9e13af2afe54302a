//! For whoever starts, stops and routes to Northgate: whether it runs, and whether it takes requests.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use crate::http::{Api, answer};

/// 200 for as long as the process can answer at all.
pub async fn live() -> Response<Body> {
    answer::json(StatusCode::OK, r#"{"status":"ok"}"#)
}

/// 200 while the store can write and no stop has begun.
pub async fn ready(State(api): State<Arc<Api>>) -> Response<Body> {
    if (api.is_ready)() {
        answer::json(StatusCode::OK, r#"{"status":"ok"}"#)
    } else {
        answer::json(StatusCode::SERVICE_UNAVAILABLE, r#"{"status":"unavailable"}"#)
    }
}
