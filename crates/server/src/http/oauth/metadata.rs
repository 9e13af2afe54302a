//! GET metadata: what this server can do, for clients that configure themselves (RFC 8414).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};

use super::assertion::ALGORITHMS;
use super::{INTROSPECT, JWKS, REVOKE};
use crate::config::oauth::TOKEN;
use crate::http::{Api, answer, dpop};

/// How a client can show who it is, and how besides where certificates are asked for.
const METHODS: [&str; 3] = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
const CERTIFICATE_METHODS: [&str; 2] = ["tls_client_auth", "self_signed_tls_client_auth"];

pub async fn metadata(State(api): State<Arc<Api>>) -> Response<Body> {
    let members = members(api.oauth.issuer.as_str(), api.asks_certificates);
    answer::json(StatusCode::OK, members.to_string())
}

fn members(issuer: &str, asks_certificates: bool) -> Value {
    let besides = if asks_certificates { &CERTIFICATE_METHODS[..] } else { &[] };
    let methods = [&METHODS[..], besides].concat();
    json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}{TOKEN}"),
        "introspection_endpoint": format!("{issuer}{INTROSPECT}"),
        "revocation_endpoint": format!("{issuer}{REVOKE}"),
        "jwks_uri": format!("{issuer}{JWKS}"),
        "dpop_signing_alg_values_supported": dpop::ALGORITHMS.map(|(name, _)| name),
        "grant_types_supported": ["client_credentials", "refresh_token"],
        // REQUIRED, and a list without elements must not be in it (RFC 8414 §2, §3.2): there is no authorization endpoint, and
        // so nothing that one would give.
        "response_types_supported": ["none"],
        "scopes_supported": ["default"],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "tls_client_certificate_bound_access_tokens": asks_certificates,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_a_method_where_they_are_asked_for() {
        let methods = |asks| members("https://a", asks)["token_endpoint_auth_methods_supported"].clone();
        assert_eq!(methods(false), json!(METHODS));
        assert_eq!(methods(true).as_array().map(Vec::len), Some(5));
    }
}
