//! POST login: appId and secret for a token pair.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Request;
use northgate_core::app_id::AppId;
use northgate_core::login::{Login, LoginError};
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
    let answer = match attempt(&api, peer, &mut request, &mut observed).await {
        Ok(login) => {
            observed.audit = login.has_ended_all.then_some(Audit::EndedAll);
            answer::pair(&login.pair, api.dialect)
        }
        Err(failure) => failure.observe(&mut observed).answer(api.dialect),
    };
    observed.beside(answer)
}

async fn attempt<B: Arriving>(
    api: &Api,
    peer: Peer,
    request: &mut Request<B>,
    observed: &mut Observed,
) -> Result<Login, Failure<Problem>> {
    let body = body::read(request, api.body).await?;
    let [app, secret] = decode(["appId", "secret"], body.content_type(), &body.bytes)?;
    let (app, secret) = (AppId::parse(&app)?, SecretText::parse(&secret)?);
    let app = observed.application.insert(app);
    Ok(api.auth.login(app, &secret, peer.address, api.clock.now()).await?)
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
