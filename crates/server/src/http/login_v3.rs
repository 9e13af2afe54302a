//! POST auth/tokens: the login of version 3 of the application API, with other names and two other errors.

use std::sync::Arc;

use axum::extract::{Request, State};
use northgate_core::app_id::AppId;
use northgate_core::login::Login;
use northgate_core::secret::SecretText;

use crate::config::api::V3Login;
use crate::http::audit::Audit;
use crate::http::decode::decode;
use crate::http::failure::Failure;
use crate::http::observe::{Observed, ObservedResponse};
use crate::http::problem::Problem;
use crate::http::{Api, answer, body};
use crate::listener::connection::Peer;
use crate::outcome::Operation;

/// Key and secret, each of 1 to 256 characters, for a token pair. The pair is refreshed as that of any login.
pub async fn login(State(api): State<Arc<Api>>, peer: Peer, mut request: Request) -> ObservedResponse {
    let mut observed = Observed::new(Operation::Login);
    let answer = match attempt(&api, peer, &mut request, &mut observed).await {
        Ok(login) => {
            observed.audit = login.has_ended_all.then_some(Audit::EndedAll);
            answer::pair(&login.pair, api.dialect)
        }
        Err(failure) => {
            let problem = failure.observe(&mut observed);
            let is_known =
                observed.application.as_ref().is_some_and(|app| api.auth.registry().find(app).is_some());
            of_version_3(problem, is_known, api.v3_login).answer(api.dialect)
        }
    };
    observed.beside(answer)
}

async fn attempt(
    api: &Api,
    peer: Peer,
    request: &mut Request,
    observed: &mut Observed,
) -> Result<Login, Failure<Problem>> {
    let body = body::read(request, api.body).await?;
    let [key, secret] = decode(["key", "secret"], body.content_type(), &body.bytes)?;
    let (app, secret) = (AppId::parse(&key)?, SecretText::parse(&secret)?);
    let app = observed.application.insert(app);
    Ok(api.auth.login(app, &secret, peer.address, api.clock.now()).await?)
}

/// The error that version 3 has in place of that of version 1.1.
fn of_version_3(problem: Problem, is_known: bool, v3_login: V3Login) -> Problem {
    if problem == Problem::Rejected && !is_known && v3_login == V3Login::On {
        Problem::UnknownKey
    } else if problem == Problem::Frozen {
        Problem::UserFrozen
    } else {
        problem
    }
}
