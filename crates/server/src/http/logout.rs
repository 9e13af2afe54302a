//! POST logout: closes the grant of an access token.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use northgate_core::grant::GrantKey;
use northgate_core::logout::{EndError, Logout, LogoutError};

use crate::http::audit::Audit;
use crate::http::decode::decode;
use crate::http::failure::{self, Failure};
use crate::http::observe::{Observed, ObservedResponse};
use crate::http::problem::Problem;
use crate::http::{Api, answer, body};
use crate::outcome::{Operation, Outcome};

/// 204 without a body, also for an expired or revoked token: an official client fails on an empty 200.
pub async fn logout(State(api): State<Arc<Api>>, mut request: Request) -> ObservedResponse {
    let mut observed = Observed::new(Operation::Logout);
    let answer = match attempt(&api, &mut request, &mut observed).await {
        Ok(()) => answer::empty(StatusCode::NO_CONTENT),
        Err(failure) => failure.observe(&mut observed).answer(api.dialect),
    };
    observed.beside(answer)
}

async fn attempt(api: &Api, request: &mut Request, observed: &mut Observed) -> Result<(), Failure<Problem>> {
    let body = body::read(request, api.body).await?;
    let [access_token] = decode(["accessToken"], body.content_type(), &body.bytes)?;
    let logout = api.auth.logout(&access_token, api.clock.now()).await?;
    observe(logout, api, observed);
    Ok(())
}

fn observe(logout: Logout, api: &Api, observed: &mut Observed) {
    let grant: GrantKey = match logout {
        Logout::Closed(grant) => {
            observed.audit = Some(Audit::LoggedOut { grant });
            grant
        }
        Logout::EndedAll(grant) => {
            observed.audit = Some(Audit::EndedAll);
            grant
        }
        Logout::AlreadyOver(grant) => {
            observed.outcome = Outcome::AlreadyOver;
            grant
        }
    };
    // Only the token names the application.
    let application = api.auth.registry().application(grant.application);
    observed.application = application.map(|application| application.id.clone());
}

impl From<LogoutError> for Failure<Problem> {
    fn from(error: LogoutError) -> Failure<Problem> {
        let (problem, outcome) = match &error {
            LogoutError::Token(_) | LogoutError::WrongKind => (Problem::Invalid, Outcome::Refused),
            LogoutError::TooManyCalls(wait) => (Problem::Throttled(Some(*wait)), Outcome::Throttled),
            LogoutError::End(EndError::Store(error)) => failure::store(error),
        };
        Failure::new(problem, outcome, &error)
    }
}
