//! POST login: appId and secret for a pair of tokens.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use northgate_core::application::AppId;
use northgate_core::login::{Login, LoginError};
use northgate_core::secret::SecretText;

use crate::http::decode::decode;
use crate::http::failure::{self, Failure};
use crate::http::observe::{self, Observed};
use crate::http::outcome::{Operation, Outcome};
use crate::http::problem::Problem;
use crate::http::{Api, answer, body};

/// Headers do not matter here: several clients send a stale `app_key` and `Authorization`.
pub async fn login(State(api): State<Arc<Api>>, request: Request) -> Response<Body> {
    let mut observed = Observed::new(Operation::Login);
    let answer = match attempt(&api, request, &mut observed).await {
        Ok(login) => answer::pair(&login.pair, api.dialect),
        Err(failure) => failure.answer(api.dialect, &mut observed),
    };
    observed.beside(answer)
}

async fn attempt(api: &Api, request: Request, observed: &mut Observed) -> Result<Login, Failure> {
    let from = observe::peer(&request);
    let body = body::read(request, api.body).await?;
    let [app, secret] = decode(["appId", "secret"], body.content_type(), &body.bytes)?;
    let (app, secret) = (AppId::parse(&app)?, SecretText::parse(&secret)?);
    let app = observed.application.insert(app);
    Ok(api.auth.login(app, &secret, from, api.clock.now()).await?)
}

impl From<LoginError> for Failure {
    fn from(error: LoginError) -> Failure {
        let (problem, outcome) = match &error {
            LoginError::Admission(error) => failure::admission(error),
            LoginError::TooManyClosed => (Problem::Throttled(None), Outcome::Throttled),
            LoginError::Store(error) => failure::store(error),
        };
        Failure::new(problem, outcome, &error)
    }
}
