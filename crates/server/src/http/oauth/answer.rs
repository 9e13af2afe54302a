//! Successful answers of the OAuth endpoints.

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

/// JSON that no cache stores: RFC 6749 §5.1 requires `Pragma` besides `Cache-Control`, which all our answers have.
pub fn json(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    let mut answer = answer::json(status, body);
    answer.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
    answer
}

/// The answer with an access token alone.
pub fn issued(issued: &Issued, app: &AppId, api: &Api) -> Response<Body> {
    let jwt = jwt(issued.access_tokens, &issued.claims, app, api);
    // Tokens are base64url and dots, so that nothing needs escaping, here and below.
    let body = format!(
        r#"{{"access_token":"{}","token_type":"{}","expires_in":{},"scope":"default"}}"#,
        jwt.as_ref().unwrap_or(&issued.access_token),
        token_type(issued.claims.binding),
        issued.expires_in.as_secs(),
    );
    json(StatusCode::OK, body)
}

/// The answer with a token pair.
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

/// The access token as a JWT, where the application's policy says so.
fn jwt(form: AccessTokens, claims: &Claims, app: &AppId, api: &Api) -> Option<String> {
    match form {
        AccessTokens::Opaque => None,
        AccessTokens::Jwt(algorithm) => {
            // `iat` may lie ahead, where the current key is one that no gateway knows yet.
            let now = claims.issued_at.min(api.clock.now());
            Some(jwt::mint(claims, app, algorithm, &api.oauth, &api.auth.keyring(), now))
        }
    }
}

/// The token type (RFC 9449 §5); a token bound to a certificate is a bearer token on the wire.
pub fn token_type(binding: Option<Binding>) -> &'static str {
    match binding {
        Some(Binding::Key(_)) => "DPoP",
        Some(Binding::Certificate(_)) | None => "Bearer",
    }
}
