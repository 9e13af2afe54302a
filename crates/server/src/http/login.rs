//! POST login: appId and secret for a token pair.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response};
use northgate_core::app_id::AppId;
use northgate_core::login::LoginError;
use northgate_core::secret::SecretText;

use crate::http::audit::Audit;
use crate::http::body::Arriving;
use crate::http::decode::decode;
use crate::http::failure::{self, Failure};
use crate::http::observe::{Observed, ObservedResponse};
use crate::http::problem::Problem;
use crate::http::{Api, answer, body};
use crate::listener::connection::Peer;
use crate::outcome::{Operation, Outcome};

/// Headers do not matter: several clients send a stale `app_key` and `Authorization`.
pub async fn login<B: Arriving>(
    State(api): State<Arc<Api>>,
    peer: Peer,
    mut request: Request<B>,
) -> ObservedResponse {
    let mut observed = Observed::new(Operation::Login);
    let answer = match attempt(&api, peer, &mut request, &["appId", "secret"], &mut observed).await {
        Ok(answer) => answer,
        Err(failure) => failure.observe(&mut observed).answer(api.dialect),
    };
    observed.beside(answer)
}

/// The pair for the appId and the secret in the members with these names.
pub async fn attempt<B: Arriving>(
    api: &Api,
    peer: Peer,
    request: &mut Request<B>,
    names: &'static [&'static str; 2],
    observed: &mut Observed,
) -> Result<Response<Body>, Failure<Problem>> {
    let body = body::read(request, api.body).await?;
    let [app, secret] = decode(*names, body.content_type(), &body.bytes)?;
    let (app, secret) = (AppId::parse(&app)?, SecretText::parse(&secret)?);
    let app = observed.application.insert(app);
    let login = api.auth.login(app, &secret, peer.address, api.clock.now()).await?;
    observed.audit = login.has_ended_all.then_some(Audit::EndedAll);
    Ok(answer::pair(&login.pair, api.dialect))
}

impl From<LoginError> for Failure<Problem> {
    fn from(error: LoginError) -> Failure<Problem> {
        let (problem, outcome) = match &error {
            LoginError::Admission(error) => failure::admission(error),
            LoginError::TooManyClosed => (Problem::Throttled(None), Outcome::Throttled),
            LoginError::Store(error) => failure::store(error),
        };
        Failure::new(problem, outcome, &error)
    }
}
