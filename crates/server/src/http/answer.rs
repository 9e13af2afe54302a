//! Successful answers of the application API.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response, StatusCode};
use northgate_core::issue::Pair;

use crate::config::api::Dialect;

/// As the platform writes it.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=UTF-8");

/// An answer with a JSON body.
pub fn json(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, JSON);
    answer
}

/// An answer without a body.
pub fn empty(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}

/// The five members, without white space: some clients extract them with regular expressions.
pub fn pair(pair: &Pair, dialect: Dialect) -> Response<Body> {
    let token_type = match dialect {
        Dialect::Intl => "Bearer",
        Dialect::Cn => "bearer",
    };
    let expires_in = pair.expires_in.as_secs().to_string();
    // Tokens are base64url, so that nothing needs escaping. Built piece by piece: `format!` takes several times as long, for
    // every request.
    let body = [
        r#"{"accessToken":""#,
        &pair.access_token,
        r#"","tokenType":""#,
        token_type,
        r#"","refreshToken":""#,
        &pair.refresh_token,
        r#"","expiresIn":"#,
        &expires_in,
        r#","scope":"default"}"#,
    ];
    json(StatusCode::OK, body.concat())
}
