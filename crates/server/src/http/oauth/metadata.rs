//! GET metadata: what this server can do, for clients that configure themselves (RFC 8414).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use northgate_core::signing::Algorithm;
use serde_json::{Value, json};

use super::assertion::ALGORITHMS;
use super::{INTROSPECT, JWKS, REVOKE};
use crate::config::oauth::TOKEN;
use crate::http::{Api, answer};

/// How a client can show who it is.
const METHODS: [&str; 5] = [
    "client_secret_basic",
    "client_secret_post",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
];

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
        "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "introspection_endpoint_auth_methods_supported": METHODS,
        "introspection_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "revocation_endpoint_auth_methods_supported": METHODS,
        "revocation_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "tls_client_certificate_bound_access_tokens": true,
    })
}
