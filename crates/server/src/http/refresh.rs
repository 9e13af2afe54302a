//! POST refreshToken: trades a refresh token for the next pair.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Request;
use northgate_core::admit::Caller;
use northgate_core::app_id::AppId;
use northgate_core::refresh::{How, Refresh, RefreshError, Refusal};
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

/// Some clients send their access token along; it is ignored, since it may have expired.
pub async fn refresh<B: Arriving>(
    State(api): State<Arc<Api>>,
    peer: Peer,
    mut request: Request<B>,
) -> ObservedResponse {
    let mut observed = Observed::new(Operation::Refresh);
    let answer = match attempt(&api, peer, &mut request, &mut observed).await {
        Ok(refresh) => {
            (observed.outcome, observed.audit) = outcome_of(&refresh);
            answer::pair(&refresh.pair, api.dialect)
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
) -> Result<Refresh, Failure<Problem>> {
    let body = body::read(request, api.body).await?;
    let names = ["appId", "secret", "refreshToken"];
    let [app, secret, refresh_token] = decode(names, body.content_type(), &body.bytes)?;
    let (app, secret) = (AppId::parse(&app)?, SecretText::parse(&secret)?);
    let app = observed.application.insert(app);
    let caller = Caller::with_secret(app, &secret, peer.address);
    Ok(api.auth.refresh(&caller, &refresh_token, api.clock.now()).await?)
}

/// The outcome of a success for the log; the client gets the same answer for all.
pub(super) fn outcome_of(refresh: &Refresh) -> (Outcome, Option<Audit>) {
    match refresh.how {
        How::Advanced | How::Kept => (Outcome::Ok, None),
        How::Replayed => (Outcome::Replayed, None),
        How::CaughtUp { from, to } => {
            (Outcome::CaughtUp, Some(Audit::CaughtUp { grant: refresh.grant, from, to }))
        }
    }
}

impl From<RefreshError> for Failure<Problem> {
    fn from(error: RefreshError) -> Failure<Problem> {
        let (problem, outcome) = match &error {
            RefreshError::Admission(error) => failure::admission(error),
            // Only OAuth requires a key.
            RefreshError::Possession(_) => (Problem::Internal, Outcome::Failed),
            RefreshError::Refused(refusal) => return refused(*refusal, &error),
            RefreshError::Store(error) => failure::store(error),
        };
        Failure::new(problem, outcome, &error)
    }
}

fn refused(refusal: Refusal, error: &RefreshError) -> Failure<Problem> {
    match refusal {
        Refusal::Reused { grant, presented, current, closed } => {
            Failure::new(Problem::Refused, Outcome::Reused, error).audited(Audit::Reused {
                grant,
                presented,
                current,
                closed,
            })
        }
        Refusal::Token(_) | Refusal::WrongKind | Refusal::NotYours | Refusal::Expired | Refusal::Closed => {
            Failure::new(Problem::Refused, Outcome::Refused, error)
        }
    }
}
