//! GET metadata: authorization server metadata for clients that configure themselves (RFC 8414).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use northgate_core::signing::Algorithm;
use serde_json::{Value, json};

use super::assertion::ALGORITHMS;
use super::{INTROSPECT, JWKS, REVOKE};
use crate::config::oauth::TOKEN;
use crate::http::{Api, answer, dpop};

/// Client authentication methods, and those that certificates add.
const METHODS: [&str; 3] = ["client_secret_basic", "client_secret_post", "private_key_jwt"];
const CERTIFICATE_METHODS: [&str; 2] = ["tls_client_auth", "self_signed_tls_client_auth"];

pub async fn metadata(State(api): State<Arc<Api>>) -> Response<Body> {
    let signing = api.auth.published_algorithms(api.clock.now());
    let members = members(api.oauth.issuer.as_str(), api.asks_certificates, &signing);
    answer::json(StatusCode::OK, members.to_string())
}

/// The same at both well-known paths: the members of RFC 8414, and those that OpenID Connect libraries require.
fn members(issuer: &str, asks_certificates: bool, signing: &[Algorithm]) -> Value {
    let besides = if asks_certificates { &CERTIFICATE_METHODS[..] } else { &[] };
    let methods = [&METHODS[..], besides].concat();
    let mut members = json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}{JWKS}"),
        "dpop_signing_alg_values_supported": dpop::ALGORITHMS.map(|(name, _)| name),
        "grant_types_supported": ["client_credentials", "refresh_token"],
        // REQUIRED, and a list without elements must not be in it (RFC 8414 §2, §3.2): there is no authorization endpoint, and so
        // no response type.
        "response_types_supported": ["none"],
        "scopes_supported": ["default"],
        // REQUIRED by OpenID Connect Discovery §3. There are no ID tokens: these are the algorithms of signed access tokens.
        "id_token_signing_alg_values_supported": signing.iter().map(|algorithm| algorithm.as_str()).collect::<Vec<_>>(),
        "subject_types_supported": ["public"],
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "introspection_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "tls_client_certificate_bound_access_tokens": asks_certificates,
    });
    let endpoints = json!({
        "token_endpoint": format!("{issuer}{TOKEN}"),
        "introspection_endpoint": format!("{issuer}{INTROSPECT}"),
        "revocation_endpoint": format!("{issuer}{REVOKE}"),
    });
    if asks_certificates {
        // RFC 8705 §5: the same endpoints, for clients that rely on this member.
        members["mtls_endpoint_aliases"] = endpoints.clone();
    }
    for (name, url) in endpoints.as_object().into_iter().flatten() {
        members[name] = url.clone();
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_a_method_where_they_are_asked_for() {
        let of = |asks| members("https://a", asks, &Algorithm::ALL);
        let methods = |asks| of(asks)["token_endpoint_auth_methods_supported"].clone();
        assert_eq!(methods(false), json!(METHODS));
        assert_eq!(methods(true).as_array().map(Vec::len), Some(5));
        assert_eq!(of(false).get("mtls_endpoint_aliases"), None);
        assert_eq!(of(true)["mtls_endpoint_aliases"]["token_endpoint"], "https://a/oauth2/token");
    }
}
