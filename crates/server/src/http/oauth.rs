//! OAuth 2.0 over the same rules: token, introspect, revoke and the metadata, for clients that know nothing of the platform.

mod answer;
mod assertion;
mod client;
mod error;
mod form;
mod introspect;
mod jwks;
mod metadata;
mod revoke;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::config::oauth::{Issuer, TOKEN};
use crate::http::Api;

const INTROSPECT: &str = "/oauth2/introspect";
const REVOKE: &str = "/oauth2/revoke";
const JWKS: &str = "/oauth2/jwks";
const METADATA: &str = "/.well-known/oauth-authorization-server";

/// What applications ask.
pub fn public(issuer: &Issuer) -> Router<Arc<Api>> {
    Router::new()
        .route(TOKEN, post(token::token))
        .route(INTROSPECT, post(introspect::introspect_own))
        .route(REVOKE, post(revoke::revoke))
        .route(JWKS, get(jwks::jwks))
        // An issuer's path comes behind the well-known one (RFC 8414 §3.1).
        .route(&format!("{METADATA}{}", issuer.path()), get(metadata::metadata))
}

/// What gateways ask.
pub fn private() -> Router<Arc<Api>> {
    Router::new().route(INTROSPECT, post(introspect::introspect_any))
}
