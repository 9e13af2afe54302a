//! POST auth/tokens: the login of version 3 of the application API, with other names and two other errors.

use std::sync::Arc;

use axum::extract::{Request, State};

use crate::config::api::V3Login;
use crate::http::Api;
use crate::http::login::attempt;
use crate::http::observe::{Observed, ObservedResponse};
use crate::http::problem::Problem;
use crate::listener::connection::Peer;
use crate::outcome::Operation;

/// Key and secret, each of 1 to 256 characters, for a token pair. The pair is refreshed as that of any login.
pub async fn login(State(api): State<Arc<Api>>, peer: Peer, mut request: Request) -> ObservedResponse {
    let mut observed = Observed::new(Operation::Login);
    let answer = match attempt(&api, peer, &mut request, &["key", "secret"], &mut observed).await {
        Ok(answer) => answer,
        Err(failure) => {
            let problem = failure.observe(&mut observed);
            of_version_3(problem, &api, &observed).answer(api.dialect)
        }
    };
    observed.beside(answer)
}

/// The error that version 3 has in place of that of version 1.1.
fn of_version_3(problem: Problem, api: &Api, observed: &Observed) -> Problem {
    let is_known =
        || observed.application.as_ref().is_some_and(|app| api.auth.registry().find(app).is_some());
    if problem == Problem::Rejected && api.v3_login == V3Login::On && !is_known() {
        Problem::UnknownKey
    } else if problem == Problem::Frozen {
        Problem::UserFrozen
    } else {
        problem
    }
}
