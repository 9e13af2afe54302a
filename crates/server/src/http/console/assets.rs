//! Style sheets and scripts, embedded into the program. Those of others lie in `assets/` as their packages have them.

use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Response};
use axum::response::IntoResponse;

use super::page::Refusal;
use crate::http::admin::problem::AdminProblem;

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Name, media type and text.
const ASSETS: [(&str, &str, &str); 5] = [
    ("console.css", STYLE, include_str!("../../../assets/console.css")),
    ("console.js", SCRIPT, include_str!("../../../assets/console.js")),
    ("htmx.js", SCRIPT, include_str!("../../../assets/htmx-2.0.11.min.js")),
    ("uplot.js", SCRIPT, include_str!("../../../assets/uplot-1.6.32.min.js")),
    ("uplot.css", STYLE, include_str!("../../../assets/uplot-1.6.32.min.css")),
];

pub async fn asset(Path(name): Path<String>) -> Response<Body> {
    let Some((_, media_type, text)) = ASSETS.iter().find(|(known, _, _)| *known == name) else {
        return Refusal::from(AdminProblem::unknown_page()).into_response();
    };
    let mut response = Response::new(Body::from(*text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Another version of the program has other files under the same names.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=300"));
    response
}
