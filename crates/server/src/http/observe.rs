//! Observation of requests: every request gets an id, a log line and a place in the metrics, and rejections are paced.

mod redaction;
mod refused_head;
mod request_id;
mod span;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::error::Error;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::CACHE_CONTROL;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use axum::response::IntoResponse;
use northgate_core::app_id::AppId;
use tracing::info;

use crate::config::log::LoggedRequests;
use crate::http::audit::Audit;
use crate::http::load_shedding::RejectionPacer;
use crate::http::status::is_complete;
use crate::listener::connection::Peer;
use crate::metrics::Metrics;
use crate::outcome::{Operation, Outcome};
use crate::traces::{Parent, Traced, Tracer};

pub use redaction::Redaction;
pub use request_id::RequestId;
use request_id::RequestIds;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The two listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    Public,
    Private,
}

/// The handler's record of a request.
#[derive(Clone, Debug)]
pub struct Observed {
    pub operation: Operation,
    /// The application that the request names.
    pub application: Option<AppId>,
    pub outcome: Outcome,
    /// The reason, where the client learns less.
    pub detail: Option<String>,
    pub audit: Option<Audit>,
}

impl Observed {
    /// A record without details.
    pub fn new(operation: Operation) -> Observed {
        Observed { operation, application: None, outcome: Outcome::Ok, detail: None, audit: None }
    }

    /// Attaches the record to an answer.
    pub fn beside(self, answer: Response<Body>) -> ObservedResponse {
        ObservedResponse { answer, observed: Some(self), detail: None }
    }
}

/// An answer with its record.
pub struct ObservedResponse {
    pub answer: Response<Body>,
    pub observed: Option<Observed>,
    /// Reason of a refusal before any handler.
    detail: Option<String>,
}

impl ObservedResponse {
    /// A refusal before the operation is known.
    pub fn refused(answer: Response<Body>, error: &dyn Error) -> ObservedResponse {
        ObservedResponse { answer, observed: None, detail: Some(error.to_string()) }
    }

    /// Whether the request was rejected by load shedding.
    pub fn is_turned_away(&self) -> bool {
        self.observed.as_ref().is_some_and(|observed| observed.outcome == Outcome::Busy)
    }
}

/// On its way through a router, the record is an extension of the answer.
impl IntoResponse for ObservedResponse {
    fn into_response(mut self) -> Response<Body> {
        if let Some(observed) = self.observed {
            self.answer.extensions_mut().insert(observed);
        }
        self.answer
    }
}

impl From<Response<Body>> for ObservedResponse {
    fn from(mut answer: Response<Body>) -> ObservedResponse {
        let observed = answer.extensions_mut().remove();
        ObservedResponse { answer, observed, detail: None }
    }
}

/// The client of a request: the peer of its connection, or the one that a trusted proxy states.
pub fn peer(extensions: &Extensions) -> Peer {
    // Every connection has a peer; a request without one did not come over any.
    extensions.get().copied().unwrap_or(Peer::direct(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0)))
}

impl<S: Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Peer, Infallible> {
        Ok(peer(&parts.extensions))
    }
}

/// The observer of a listener's requests.
pub struct RequestLog {
    listener: Listener,
    logged: LoggedRequests,
    metrics: Arc<Metrics>,
    ids: RequestIds,
    pacer: RejectionPacer,
    redaction: Redaction,
    /// `None` while traces are off.
    tracer: Option<Arc<Tracer>>,
}

/// A request under way. Dropping it before its answer logs that the client has hung up.
pub struct InFlight {
    watch: Arc<RequestLog>,
    id: RequestId,
    began_at: Instant,
    method: Method,
    uri: Uri,
    peer: Peer,
    /// Boxed: without traces it is a null pointer.
    traced: Option<Box<Traced>>,
    is_answered: bool,
}

impl InFlight {
    /// Begins to observe `request`.
    pub fn begin<B>(watch: &Arc<RequestLog>, request: &Request<B>, peer: Peer) -> InFlight {
        InFlight {
            watch: Arc::clone(watch),
            id: watch.ids.next(),
            began_at: Instant::now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            peer,
            traced: span::begin(watch, request),
            is_answered: false,
        }
    }

    /// The id of the request.
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// The span of a sampled request, for the parts of its answer.
    pub fn span(&self) -> Option<Parent> {
        self.traced.as_ref()?.parent()
    }

    /// Completes a rejection, once it is due.
    pub async fn turned_away(self, answered: ObservedResponse) -> Response<Body> {
        self.watch.pacer.wait().await;
        self.answered(answered)
    }

    /// Completes the request with its answer.
    pub fn answered(
        mut self,
        ObservedResponse { mut answer, observed, detail }: ObservedResponse,
    ) -> Response<Body> {
        self.is_answered = true;
        debug_assert!(is_complete(&answer), "{} lacks the field that it demands", answer.status());
        let headers = answer.headers_mut();
        headers.insert(X_REQUEST_ID, self.id.header());
        headers.entry(CACHE_CONTROL).or_insert(NO_STORE);
        if let (Some(traced), Listener::Private) = (&self.traced, self.watch.listener) {
            // For the gateway, which hands it on to the platform.
            traced.handed_on().write(headers);
        }
        if let Some(observed) = &observed {
            self.watch.metrics.count(observed.operation, observed.outcome, self.began_at.elapsed());
            if let Some(audit) = &observed.audit {
                audit.write(self.id, self.peer, observed.application.as_ref());
            }
        }
        self.finish(Some(answer.status()), observed.as_ref(), detail.as_deref());
        answer
    }

    fn finish(&self, status: Option<StatusCode>, observed: Option<&Observed>, detail: Option<&str>) {
        self.watch.log(self, status, observed, detail);
        if let Some(traced) = &self.traced {
            traced.finish(self.began_at, || span::describe(self, status, observed));
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if !self.is_answered {
            self.finish(None, None, None);
        }
    }
}

impl RequestLog {
    /// The observer of a listener.
    pub fn new(
        listener: Listener,
        logged: LoggedRequests,
        metrics: Arc<Metrics>,
        redaction: Redaction,
        tracer: Option<Arc<Tracer>>,
    ) -> RequestLog {
        RequestLog {
            listener,
            logged,
            metrics,
            ids: RequestIds::new(),
            pacer: RejectionPacer::new(),
            redaction,
            tracer,
        }
    }

    /// Its listener.
    pub fn listener(&self) -> Listener {
        self.listener
    }

    /// Writes the log line, without the query string: some clients put into it what belongs in the body.
    fn log(
        &self,
        asked: &InFlight,
        status: Option<StatusCode>,
        observed: Option<&Observed>,
        detail: Option<&str>,
    ) {
        let is_logged = match self.logged {
            LoggedRequests::All => true,
            LoggedRequests::Failed => !status.is_some_and(|status| status.is_success()),
            LoggedRequests::None => false,
        };
        if !is_logged {
            return;
        }
        let outcome = outcome_of(observed, status);
        let operation = observed.map_or("request", |observed| observed.operation.as_str());
        info!(
            target: "northgate::request",
            request = %asked.id,
            trace = asked.traced.as_ref().map(|traced| tracing::field::display(traced.trace)),
            listener = self.listener.as_str(),
            method = self.redaction.method(&asked.method),
            path = %self.redaction.path(&asked.uri),
            operation,
            application = observed.and_then(|observed| self.redaction.application(observed)).map(AppId::as_str),
            outcome = outcome.as_str(),
            status = status.map(|status| status.as_u16()),
            duration_us = asked.began_at.elapsed().as_micros() as u64,
            peer = %asked.peer,
            via = asked.peer.via.map(tracing::field::display),
            detail = observed.and_then(|observed| observed.detail.as_deref()).or(detail),
            "{operation} {outcome}",
        );
    }
}

/// The outcome of a request: the handler's, or what the status says. Without a status, the client hung up.
fn outcome_of(observed: Option<&Observed>, status: Option<StatusCode>) -> Outcome {
    match (observed, status) {
        (Some(observed), _) => observed.outcome,
        (None, Some(status)) => Outcome::of(status),
        (None, None) => Outcome::HungUp,
    }
}

impl Listener {
    /// The word in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Listener::Public => "public",
            Listener::Private => "private",
        }
    }
}
