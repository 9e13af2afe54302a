//! HTTP: what a request says, what operation that is, and how its outcome is told.
//!
//! A request comes in through `front`, is watched by [`observe`], gets to the file of its name, and is answered from the
//! one table of answers in [`problem`] or from [`answer`].

pub mod admin;
pub mod answer;
pub mod audit;
pub mod body;
pub mod decode;
mod dispatch;
pub mod dpop;
pub mod failure;
pub mod framing;
pub mod gateway;
mod health;
pub mod hosts;
mod load_shedding;
mod login;
mod logout;
pub(crate) mod oauth;
pub mod observe;
mod private_problem;
pub mod problem;
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
use crate::config::api::Dialect;
use crate::config::log::LoggedRequests;
use crate::config::oauth::OAuth;
use crate::config::verify::TrustedHeaders;
use crate::jwt;
use crate::jwt::signature_cache::SignatureCache;
use crate::metrics::Metrics;
use body::Bounds;
use dispatch::Dispatch;
use hosts::Hosts;
use problem::Problem;

/// Where the application API lives, after the prefix that an operator may put in dispatch.
const APPLICATION_API: &str = "/iocm/app/sec/v1.1.0";

/// The reason for which requests cannot be taken now, if there is one.
pub type WhyNotReady = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// What an operator has to look at soon.
pub type Attention = Box<dyn Fn() -> Vec<String> + Send + Sync>;

/// What the handlers of both listeners need.
pub struct Api {
    pub auth: Arc<Auth>,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
    pub dialect: Dialect,
    pub oauth: OAuth,
    /// What a gateway says beside the call that `/verify` believes.
    pub trusted_headers: TrustedHeaders,
    /// Signed tokens that were found good.
    pub signatures: SignatureCache,
    /// Whether clients can show certificates.
    pub asks_certificates: bool,
    /// What the private listener may be called.
    pub private_hosts: Hosts,
    /// Of request bodies.
    pub body: Bounds,
    /// Why requests cannot be taken now; `None` while they can.
    pub why_not_ready: WhyNotReady,
    /// What an operator has to look at soon, although requests are taken.
    pub attention: Attention,
    pub logged: LoggedRequests,
}

impl Api {
    /// What a token says, in either form, once it is found to be ours.
    fn open(&self, token: &str) -> Result<Claims, TokenError> {
        let keyring = self.auth.keyring();
        if jwt::is_jwt(token) {
            jwt::authenticate(token, &self.oauth, &keyring, &self.signatures)
        } else {
            Claims::authenticate(token, &keyring)
        }
    }
}

/// What the public listener serves: OAuth, and the application API, also under `prefix` unless that is empty.
pub fn public(api: Arc<Api>, prefix: &str) -> Dispatch {
    let mut routes = application_api(APPLICATION_API);
    if !prefix.is_empty() {
        routes = routes.merge(application_api(&format!("{prefix}{APPLICATION_API}")));
    }
    let routes = routes.merge(oauth::public(&api.oauth.issuer));
    Dispatch::public(Arc::clone(&api), prefix, with_fallbacks(routes, api))
}

/// What the private listener serves: verify, metrics, health and the routes of `admin`, which has no fallback.
pub fn private(api: Arc<Api>, admin: Router) -> Dispatch {
    let routes = Router::new()
        .route("/verify", any(verify::verify::<Body>))
        // Envoy puts the path of the call behind ours.
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

fn application_api(under: &str) -> Router<Arc<Api>> {
    Router::new()
        .route(&format!("{under}/login"), post(login::login::<Body>))
        .route(&format!("{under}/refreshToken"), post(refresh::refresh::<Body>))
        .route(&format!("{under}/logout"), post(logout::logout))
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
