//! What an OAuth client hears when it gets what it asked for.

use axum::body::Body;
use axum::http::header::PRAGMA;
use axum::http::{HeaderValue, Response, StatusCode};
use northgate_core::app_id::AppId;
use northgate_core::client_credentials::Issued;
use northgate_core::issue::Pair;
use northgate_core::policy::AccessTokens;
use northgate_core::token::{Binding, Claims};

use crate::http::{Api, answer};
use crate::jwt;

/// JSON that no cache keeps: RFC 6749 §5.1 wants `Pragma` as well as `Cache-Control`, which every answer of ours has.
pub fn json(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    let mut answer = answer::json(status, body);
    answer.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    answer
}

/// An access token alone, of `app`.
pub fn issued(issued: &Issued, app: &AppId, api: &Api) -> Response<Body> {
    let jwt = jwt(issued.access_tokens, &issued.claims, app, api);
    // Tokens are base64url and dots, so that nothing in them needs escaping; so below.
    let body = format!(
        r#"{{"access_token":"{}","token_type":"{}","expires_in":{},"scope":"default"}}"#,
        jwt.as_ref().unwrap_or(&issued.access_token),
        token_type(issued.claims.binding),
        issued.expires_in.as_secs(),
    );
    json(StatusCode::OK, body)
}

/// An access token with the refresh token for the next pair.
pub fn pair(pair: &Pair, app: &AppId, api: &Api) -> Response<Body> {
    let jwt = jwt(pair.access_tokens, &pair.claims, app, api);
    let body = format!(
        r#"{{"access_token":"{}","token_type":"{}","expires_in":{},"refresh_token":"{}","scope":"default"}}"#,
        jwt.as_ref().unwrap_or(&pair.access_token),
        token_type(pair.claims.binding),
        pair.expires_in.as_secs(),
        pair.refresh_token,
    );
    json(StatusCode::OK, body)
}

/// The access token in its signed form, where the application has that.
fn jwt(form: AccessTokens, claims: &Claims, app: &AppId, api: &Api) -> Option<String> {
    match form {
        AccessTokens::Opaque => None,
        AccessTokens::Jwt(algorithm) => {
            // `iat` may lie ahead, where the next key is that no gateway knows yet.
            let now = claims.issued_at.min(api.clock.now());
            Some(jwt::mint(claims, app, algorithm, &api.oauth, &api.auth.keyring(), now))
        }
    }
}

/// How the token is to be used (RFC 9449 §5); one that is bound to a certificate is shown like any other.
pub fn token_type(binding: Option<Binding>) -> &'static str {
    match binding {
        Some(Binding::Key(_)) => "DPoP",
        Some(Binding::Certificate(_)) | None => "Bearer",
    }
}
