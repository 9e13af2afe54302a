//! GET /metrics: all metrics, as OpenMetrics or in the text format of Prometheus, by `Accept`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, Response};

use crate::http::Api;
use crate::metrics::text_format;

const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// The format that everything reads which does not ask for OpenMetrics.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

pub async fn scrape(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response<Body> {
    api.metrics.applications.set(api.auth.registry().count() as i64);
    let text = api.metrics.text();
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    let (content_type, text) =
        match accepted.into_iter().any(|one| one.contains("application/openmetrics-text")) {
            true => (OPEN_METRICS, text),
            false => (TEXT, text_format::from_open_metrics(&text)),
        };
    let mut answer = Response::new(Body::from(text));
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}
