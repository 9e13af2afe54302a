//! What an OAuth client hears when it gets what it asked for.

use axum::body::Body;
use axum::http::header::PRAGMA;
use axum::http::{HeaderValue, Response, StatusCode};
use northgate_core::auth::Pair;
use northgate_core::client_credentials::Issued;

use crate::http::answer;

/// JSON that no cache keeps: RFC 6749 §5.1 wants `Pragma` as well as `Cache-Control`, which every answer of ours has.
pub fn json(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    let mut answer = answer::json(status, body);
    answer.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    answer
}

/// An access token alone.
pub fn issued(issued: &Issued) -> Response<Body> {
    // Tokens are base64url, so that nothing in them needs escaping; so below.
    let body = format!(
        r#"{{"access_token":"{}","token_type":"Bearer","expires_in":{},"scope":"default"}}"#,
        issued.access_token,
        issued.expires_in.as_secs(),
    );
    json(StatusCode::OK, body)
}

/// An access token with the refresh token for the next pair.
pub fn pair(pair: &Pair) -> Response<Body> {
    let body = format!(
        r#"{{"access_token":"{}","token_type":"Bearer","expires_in":{},"refresh_token":"{}","scope":"default"}}"#,
        pair.access_token,
        pair.expires_in.as_secs(),
        pair.refresh_token,
    );
    json(StatusCode::OK, body)
}
