//! GET /revocations: the revocation feed for gateways that verify signed tokens offline. Without `since` a snapshot; with it a
//! delta, by long polling.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Extension, Query, State};
use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};
use northgate_core::auth::Auth;
use northgate_core::feed::{Cursor, News};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::http::private_problem::PrivateProblem;
use crate::http::{Api, answer};
use crate::listener::timeouts::Activity;
use crate::parse_bounds::check_parameters;

/// The longest poll: shorter than the response timeouts of common proxies and clients.
const WAIT_MAX_S: u64 = 30;

/// Gateways may store the answer, and revalidate it before each use.
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");

#[derive(Deserialize)]
pub struct Parameters {
    /// The cursor of the previous answer.
    since: Option<String>,
    /// Seconds to wait for a change.
    #[serde(default)]
    wait: u64,
}

impl Parameters {
    /// Parses the query of `uri`. Other parameters are ignored.
    pub fn parse(uri: &Uri) -> Result<Parameters, PrivateProblem> {
        check_parameters(uri.query().unwrap_or_default())
            .map_err(|error| PrivateProblem::invalid(format!("the query is refused: {error}")))?;
        let parsed = Query::try_from_uri(uri);
        parsed.map(|Query(parameters)| parameters).map_err(|error| PrivateProblem::invalid(error.body_text()))
    }
}

pub async fn revocations(
    State(api): State<Arc<Api>>,
    Extension(activity): Extension<Arc<Activity>>,
    headers: HeaderMap,
    uri: Uri,
) -> Response<Body> {
    let parameters = match Parameters::parse(&uri) {
        Ok(parameters) => parameters,
        Err(problem) => return problem.answer(),
    };
    let feed = api.auth.registry().feed();
    // A cursor that does not parse is of another version: the answer is a snapshot.
    let since = parameters.since.as_deref().and_then(Cursor::parse);
    if let Some(since) = since {
        let wait = Duration::from_secs(parameters.wait.min(WAIT_MAX_S));
        let changed = timeout(wait, feed.changed(since));
        // A client that has gone frees its place; one that has only closed its side gets the present answer.
        let crowded = tokio::select! {
            changed = changed => changed.ok().and_then(Result::err),
            () = activity.peer_gone() => None,
        };
        if let Some(crowded) = crowded {
            return PrivateProblem::crowded(crowded.to_string()).answer();
        }
    } else if headers.get(IF_NONE_MATCH) == Some(&etag(feed.cursor())) {
        return with_cursor(answer::empty(StatusCode::NOT_MODIFIED), feed.cursor());
    }
    let news = api.auth.registry().news(since);
    let cursor = news.cursor;
    match serde_json::to_vec(&Document::new(&api.auth, news)) {
        Ok(text) => with_cursor(answer::json(StatusCode::OK, text), cursor),
        Err(error) => PrivateProblem::failure(&error).answer(),
    }
}

fn with_cursor(mut answer: Response<Body>, cursor: Cursor) -> Response<Body> {
    answer.headers_mut().insert(ETAG, etag(cursor));
    answer.headers_mut().insert(CACHE_CONTROL, NO_CACHE);
    answer
}

fn etag(cursor: Cursor) -> HeaderValue {
    HeaderValue::try_from(format!("\"{cursor}\"")).expect("a cursor is plain text")
}

#[derive(Serialize)]
struct Document {
    kind: &'static str,
    cursor: String,
    leeway_s: u64,
    /// Applications with valid tokens, in runs: the first number, the last one, and the lifetime of their tokens in seconds from
    /// `iat`.
    active: Vec<(u32, u32, u64)>,
    /// Applications without valid tokens.
    inactive: Vec<u32>,
    revoked: Vec<Revoked>,
    /// Applications with the not-before of their tokens, in the seconds of `iat`; others have none.
    tokens_from: Vec<(u32, u64)>,
}

#[derive(Serialize)]
struct Revoked {
    application: u32,
    grant: String,
    ends_at_ms: u64,
    forget_at_ms: u64,
}

impl Document {
    fn new(auth: &Auth, news: News) -> Document {
        let kind = if news.is_whole { "snapshot" } else { "delta" };
        let leeway_s = auth.leeway().as_secs();
        let mut document = Document {
            kind,
            cursor: news.cursor.to_string(),
            leeway_s,
            active: Vec::new(),
            inactive: Vec::new(),
            revoked: Vec::new(),
            tokens_from: Vec::new(),
        };
        for (number, application) in news.applications {
            match application.filter(|application| !application.is_frozen()) {
                Some(application) => {
                    document.add(number.0, auth.policy(&application).access_lifetime);
                    let tokens_from = application.tokens_from.map(|at| at.as_millis().div_ceil(1_000));
                    document.tokens_from.extend(tokens_from.map(|at_s| (number.0, at_s)));
                }
                // An application that is missing in a snapshot has no valid tokens.
                None if news.is_whole => {}
                None => document.inactive.push(number.0),
            }
        }
        let revoked = news.revocations.into_iter().map(|(grant, revocation)| Revoked {
            application: grant.application.0,
            grant: grant.id.to_string(),
            ends_at_ms: revocation.ends_at.as_millis(),
            forget_at_ms: revocation.forget_at.as_millis(),
        });
        document.revoked = revoked.collect();
        document
    }

    /// Adds the next number to the last run, or begins one with it.
    fn add(&mut self, number: u32, lifetime: Duration) {
        let lifetime_s = lifetime.as_secs();
        match self.active.last_mut() {
            Some((_, last, of_run)) if *last + 1 == number && *of_run == lifetime_s => *last = number,
            Some(_) | None => self.active.push((number, number, lifetime_s)),
        }
    }
}
