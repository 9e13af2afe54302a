//! HTTP: from a request to an operation of the rules, and from its outcome to an answer.
//!
//! [`dispatch`] finds the operation of a request, [`observe`] logs and counts it, the file of the operation decodes and calls it,
//! and the answer comes from the one table of answers in [`problem`] or from [`answer`].

pub mod admin;
pub mod answer;
pub mod audit;
pub mod body;
pub mod console;
pub mod decode;
pub mod dispatch;
pub mod dpop;
pub mod failure;
pub mod framing;
pub mod gateway;
mod health;
pub mod hosts;
mod load_shedding;
mod login;
mod login_v3;
mod logout;
pub(crate) mod oauth;
pub mod observe;
mod private_problem;
pub mod problem;
pub mod problem_details;
mod refresh;
pub(crate) mod revocations;
mod scrape;
pub mod status;
pub(crate) mod verify;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use axum::routing::{any, get, post};
use northgate_core::auth::Auth;
use northgate_core::token::{Claims, TokenError};

use crate::clock::Clock;
use crate::config::api::{Dialect, V3Login};
use crate::config::log::LoggedRequests;
use crate::config::oauth::OAuth;
use crate::config::verify::TrustedHeaders;
use crate::jwt;
use crate::jwt::signature_cache::SignatureCache;
use crate::metrics::Metrics;
use crate::traces::Tracer;
use body::Bounds;
use dispatch::Dispatch;
use hosts::Hosts;
use problem::Problem;

/// The path of the application API, after the operator's prefix.
const APPLICATION_API: &str = "/iocm/app/sec/v1.1.0";
/// The path of the login of version 3, after the prefix.
const V3_LOGIN: &str = "/api/v3.0/auth/tokens";

/// The reason why the node cannot take requests now, if there is one.
pub type WhyNotReady = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// Conditions that an operator has to look at soon.
pub type Attention = Box<dyn Fn() -> Vec<String> + Send + Sync>;

/// Shared state of the handlers of both listeners.
pub struct Api {
    pub auth: Arc<Auth>,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
    pub dialect: Dialect,
    pub v3_login: V3Login,
    pub oauth: OAuth,
    /// The gateway's headers that `/verify` trusts.
    pub trusted_headers: TrustedHeaders,
    /// Cache of verified signatures of tokens.
    pub signatures: SignatureCache,
    /// Whether clients can present certificates.
    pub asks_certificates: bool,
    /// The names of the private listener.
    pub private_hosts: Hosts,
    /// Bounds of request bodies.
    pub body: Bounds,
    /// The reason why requests cannot be taken now; `None` while they can.
    pub why_not_ready: WhyNotReady,
    /// Conditions that an operator has to look at soon, although requests are taken.
    pub attention: Attention,
    pub logged: LoggedRequests,
    /// `None` while traces are off.
    pub tracer: Option<Arc<Tracer>>,
}

impl Api {
    /// Authenticates a token in either form; returns its claims.
    fn open(&self, token: &str) -> Result<Claims, TokenError> {
        let keyring = self.auth.keyring();
        if jwt::is_jwt(token) {
            jwt::authenticate(token, &self.oauth, &keyring, &self.signatures)
        } else {
            Claims::authenticate(token, &keyring)
        }
    }
}

/// The routes of the public listener: OAuth, and the application API, also under `prefix` unless that is empty.
pub fn public(api: Arc<Api>, prefix: &str) -> Dispatch {
    let mut routes = application_api("", api.v3_login);
    if !prefix.is_empty() {
        routes = routes.merge(application_api(prefix, api.v3_login));
    }
    let routes = routes.merge(oauth::public(&api.oauth.issuer));
    Dispatch::public(Arc::clone(&api), prefix, with_fallbacks(routes, api))
}

/// The routes of the private listener: verify, metrics, health and the routes of `admin`, which has no fallback.
pub fn private(api: Arc<Api>, admin: Router) -> Dispatch {
    let routes = Router::new()
        .route("/verify", any(verify::verify::<Body>))
        // Envoy appends the path of the call to ours.
        .route("/verify/{*path}", any(verify::verify::<Body>))
        .route("/verify/", any(verify::verify::<Body>))
        .route("/revocations", get(revocations::revocations))
        .route("/metrics", get(scrape::scrape))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .merge(oauth::private())
        .merge(admin.with_state(()));
    Dispatch::private(Arc::clone(&api), with_fallbacks(routes, api))
}

fn application_api(prefix: &str, v3_login: V3Login) -> Router<Arc<Api>> {
    let under = format!("{prefix}{APPLICATION_API}");
    let routes = Router::new()
        .route(&format!("{under}/login"), post(login::login::<Body>))
        .route(&format!("{under}/refreshToken"), post(refresh::refresh::<Body>))
        .route(&format!("{under}/logout"), post(logout::logout));
    match v3_login {
        V3Login::Off => routes,
        V3Login::On | V3Login::Concealing => {
            routes.route(&format!("{prefix}{V3_LOGIN}"), post(login_v3::login))
        }
    }
}

fn with_fallbacks(routes: Router<Arc<Api>>, api: Arc<Api>) -> Router {
    routes.fallback(not_found).method_not_allowed_fallback(wrong_method).with_state(api)
}

async fn not_found(State(api): State<Arc<Api>>, request: Request) -> Response<Body> {
    let is_oauth = oauth::is_asked(request.uri().path(), &api.oauth.issuer);
    body::pass_over(request, api.body).await;
    if is_oauth { oauth::error::not_found() } else { Problem::NotFound.answer(api.dialect) }
}

/// The router adds `Allow`.
async fn wrong_method(State(api): State<Arc<Api>>, request: Request) -> Response<Body> {
    let is_oauth = oauth::is_asked(request.uri().path(), &api.oauth.issuer);
    body::pass_over(request, api.body).await;
    if is_oauth { oauth::error::wrong_method() } else { Problem::WrongMethod.answer(api.dialect) }
}
