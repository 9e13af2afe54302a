//! OAuth 2.0 over the same rules: token, introspect, revoke and metadata, for standard clients.

mod answer;
pub(crate) mod assertion;
pub(crate) mod client;
pub mod error;
pub(crate) mod form;
mod introspect;
mod jwks;
mod metadata;
mod revoke;
pub(crate) mod token;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::config::oauth::{Issuer, TOKEN};
use crate::http::Api;

const INTROSPECT: &str = "/oauth2/introspect";
const REVOKE: &str = "/oauth2/revoke";
const JWKS: &str = "/oauth2/jwks";
const METADATA: &str = "/.well-known/oauth-authorization-server";
/// The metadata path of OpenID Connect libraries; RFC 8414 §3 lets a server of OAuth alone have it.
const OPENID_METADATA: &str = "/.well-known/openid-configuration";

/// The endpoints for applications. Below the path of the issuer too, if it has one; without it for proxies that strip it.
pub fn public(issuer: &Issuer) -> Router<Arc<Api>> {
    let path = issuer.path();
    // The issuer's path comes after the well-known one (RFC 8414 §3.1), or before it (OpenID Connect Discovery §4).
    let routes = endpoints("").merge(discovery("", path));
    if path.is_empty() { routes } else { routes.merge(endpoints(path)).merge(discovery(path, "")) }
}

fn endpoints(under: &str) -> Router<Arc<Api>> {
    Router::new()
        .route(&format!("{under}{TOKEN}"), post(token::token))
        .route(&format!("{under}{INTROSPECT}"), post(introspect::introspect_own))
        .route(&format!("{under}{REVOKE}"), post(revoke::revoke))
        .route(&format!("{under}{JWKS}"), get(jwks::jwks))
}

fn discovery(under: &str, behind: &str) -> Router<Arc<Api>> {
    Router::new()
        .route(&format!("{under}{METADATA}{behind}"), get(metadata::metadata))
        .route(&format!("{under}{OPENID_METADATA}{behind}"), get(metadata::metadata))
}

/// Whether a path belongs to OAuth, so that errors have OAuth's form although there is no such endpoint or method.
pub fn is_asked(path: &str, issuer: &Issuer) -> bool {
    let below = path.strip_prefix(issuer.path()).unwrap_or(path);
    [path, below].iter().any(|path| path.starts_with("/oauth2/") || path.starts_with("/.well-known/"))
}

/// The endpoints for gateways.
pub fn private() -> Router<Arc<Api>> {
    Router::new().route(INTROSPECT, post(introspect::introspect_any))
}
