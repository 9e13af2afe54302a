//! GET metadata: what this server can do, for clients that configure themselves (RFC 8414).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use northgate_core::signing::Algorithm;
use serde_json::{Value, json};

use super::{INTROSPECT, JWKS, REVOKE, TOKEN};
use crate::http::{Api, answer};

/// How a client can show who it is.
const METHODS: [&str; 2] = ["client_secret_basic", "client_secret_post"];

pub async fn metadata(State(api): State<Arc<Api>>) -> Response<Body> {
    answer::json(StatusCode::OK, members(api.oauth.issuer.as_str()).to_string())
}

fn members(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}{TOKEN}"),
        "introspection_endpoint": format!("{issuer}{INTROSPECT}"),
        "revocation_endpoint": format!("{issuer}{REVOKE}"),
        "jwks_uri": format!("{issuer}{JWKS}"),
        "dpop_signing_alg_values_supported": Algorithm::ALL.map(Algorithm::as_str),
        "grant_types_supported": ["client_credentials", "refresh_token"],
        // There is no authorization endpoint, and so nothing that it could answer.
        "response_types_supported": [],
        "scopes_supported": ["default"],
        "token_endpoint_auth_methods_supported": METHODS,
        "introspection_endpoint_auth_methods_supported": METHODS,
        "revocation_endpoint_auth_methods_supported": METHODS,
    })
}
