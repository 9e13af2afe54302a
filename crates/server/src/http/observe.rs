//! The layer around both listeners: every request has an id, a line in the log and a place in the metrics.

mod request_id;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::body::Body;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use northgate_core::application::AppId;
use tower::Service;
use tracing::info;

use crate::config::log::LoggedRequests;
use crate::http::audit::Audit;
use crate::http::outcome::{Operation, Outcome};
use crate::listener::connection::Peer;
use crate::metrics::Metrics;

pub use request_id::RequestId;
use request_id::RequestIds;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest path that is logged whole; ours are shorter.
const PATH_MAX: usize = 128;

/// Which of the two listeners a request came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    Public,
    Private,
}

/// What a handler knows about a request, as an extension of its answer.
#[derive(Clone, Debug)]
pub struct Observed {
    pub operation: Operation,
    /// The application that the request says it comes from.
    pub application: Option<AppId>,
    pub outcome: Outcome,
    /// The reason, where the client hears less than that.
    pub detail: Option<String>,
    pub audit: Option<Audit>,
}

impl Observed {
    /// An operation of which nothing else is known yet.
    pub fn new(operation: Operation) -> Observed {
        Observed { operation, application: None, outcome: Outcome::Ok, detail: None, audit: None }
    }

    /// The answer with this beside it.
    pub fn beside(self, mut answer: Response<Body>) -> Response<Body> {
        answer.extensions_mut().insert(self);
        answer
    }
}

/// Whom a request comes from: the other end of its connection. `X-Forwarded-For` says nothing, since anybody can write it.
pub fn peer<B>(request: &Request<B>) -> IpAddr {
    // Every connection has a peer; a request without one was not sent over any.
    request.extensions().get().map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |Peer(address)| address.ip())
}

/// A service that is observed.
#[derive(Clone)]
pub struct Observe<S> {
    inner: S,
    watch: Arc<Watch>,
}

struct Watch {
    listener: Listener,
    logged: LoggedRequests,
    metrics: Arc<Metrics>,
    ids: RequestIds,
}

impl<S> Observe<S> {
    /// Observes the requests to `inner`.
    pub fn new(inner: S, listener: Listener, logged: LoggedRequests, metrics: Arc<Metrics>) -> Observe<S> {
        Observe { inner, watch: Arc::new(Watch { listener, logged, metrics, ids: RequestIds::new() }) }
    }
}

impl<S, B> Service<Request<B>> for Observe<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible, Future: Unpin>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Observing<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Observing<S::Future> {
        let asked = Asked {
            id: self.watch.ids.next(),
            began_at: Instant::now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            peer: request.extensions().get().copied(),
        };
        Observing {
            answer: self.inner.call(request),
            asked,
            watch: Arc::clone(&self.watch),
            is_answered: false,
        }
    }
}

/// A request under way.
pub struct Observing<F> {
    answer: F,
    asked: Asked,
    watch: Arc<Watch>,
    is_answered: bool,
}

/// What is kept of a request until its answer.
struct Asked {
    id: RequestId,
    began_at: Instant,
    method: Method,
    uri: Uri,
    peer: Option<Peer>,
}

impl<F> Future for Observing<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>> + Unpin,
{
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Ok(mut answer) = ready!(Pin::new(&mut self.answer).poll(context));
        self.is_answered = true;
        self.watch.answered(&self.asked, &mut answer);
        Poll::Ready(Ok(answer))
    }
}

impl<F> Drop for Observing<F> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.watch.log(&self.asked, None, None);
        }
    }
}

impl Watch {
    fn answered(&self, asked: &Asked, answer: &mut Response<Body>) {
        let observed = answer.extensions_mut().remove::<Observed>();
        let headers = answer.headers_mut();
        headers.insert(X_REQUEST_ID, asked.id.header());
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        if let Some(observed) = &observed {
            self.metrics.count(observed.operation, observed.outcome, asked.began_at.elapsed());
            if let Some(audit) = &observed.audit {
                audit.write(asked.id, observed.application.as_ref());
            }
        }
        self.log(asked, Some(answer.status()), observed.as_ref());
    }

    /// One line. The query string is left out: some clients put into it what belongs into the body.
    fn log(&self, asked: &Asked, status: Option<StatusCode>, observed: Option<&Observed>) {
        let is_logged = match self.logged {
            LoggedRequests::All => true,
            LoggedRequests::Failed => !status.is_some_and(|status| status.is_success()),
            LoggedRequests::None => false,
        };
        if !is_logged {
            return;
        }
        let outcome = match (observed, status) {
            (Some(observed), _) => observed.outcome,
            (None, Some(status)) => Outcome::of(status),
            (None, None) => Outcome::HungUp,
        };
        let operation = observed.map_or("request", |observed| observed.operation.as_str());
        info!(
            target: "northgate::request",
            request = %asked.id,
            listener = self.listener.as_str(),
            method = asked.method.as_str(),
            path = path(&asked.uri),
            operation,
            application = observed.and_then(|observed| observed.application.as_ref()).map(AppId::as_str),
            outcome = outcome.as_str(),
            status = status.map(|status| status.as_u16()),
            duration_us = asked.began_at.elapsed().as_micros() as u64,
            peer = asked.peer.map(|Peer(address)| display(address)),
            detail = observed.and_then(|observed| observed.detail.as_deref()),
            "{operation} {outcome}",
        );
    }
}

fn path(uri: &Uri) -> &str {
    let path = uri.path();
    &path[..path.floor_char_boundary(PATH_MAX)]
}

impl Listener {
    /// The word for it in the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Listener::Public => "public",
            Listener::Private => "private",
        }
    }
}
