//! GET /metrics: all metrics in the text format of Prometheus.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response};

use crate::http::Api;

const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

pub async fn scrape(State(api): State<Arc<Api>>) -> Response<Body> {
    api.metrics.applications.set(api.auth.registry().count() as i64);
    let mut answer = Response::new(Body::from(api.metrics.text()));
    answer.headers_mut().insert(CONTENT_TYPE, OPEN_METRICS);
    answer
}
