//! The console: pages for operators on the private listener. Each control is a link or a form, so that it works without JavaScript.

mod applications;
mod assets;
mod attention;
mod change;
mod create;
mod csrf;
mod form;
mod keys;
mod one;
mod overview;
mod page;
pub mod session;
mod settings;
mod sign_in;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, header};
use axum::middleware::map_response;
use axum::routing::{get, post};

use super::admin::Admin;

/// The prefix of all pages.
pub const PREFIX: &str = "/console";

/// No inline script or style, no other host, no frame: markup that got into a page by mistake does nothing.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);

/// The routes, all of them under [`PREFIX`], without a fallback.
pub fn router(admin: Arc<Admin>) -> Router {
    // Full paths: a nested router hides the prefix from the handlers, which redirect to where they were asked.
    let at = |path: &str| format!("{PREFIX}{path}");
    let one = at("/applications/{app_id}");
    let routes = Router::new()
        .route(&at("/"), get(overview::show))
        .route(&at("/live"), get(overview::live))
        .route(&at("/sign-in"), get(sign_in::show).post(sign_in::sign_in))
        .route(&at("/sign-out"), post(sign_in::sign_out))
        .route(&at("/applications"), get(applications::list).post(create::create))
        .route(&at("/new-application"), get(create::show))
        .route(&one, get(one::show).post(change::save))
        .route(&format!("{one}/freeze"), post(change::freeze))
        .route(&format!("{one}/unfreeze"), post(change::unfreeze))
        .route(&format!("{one}/revoke"), post(change::revoke))
        .route(&at("/keys"), get(keys::show))
        .route(&at("/settings"), get(settings::show))
        .route(&at("/attention"), get(attention::show))
        .route(PREFIX, get(page::to_overview))
        .layer(map_response(guarded));
    routes.route(&at("/assets/{name}"), get(assets::asset)).with_state(admin)
}

async fn guarded(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // With no-referrer, browsers would send forms with `Origin: null`.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
