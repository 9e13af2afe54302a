//! Dispatch: finds the operation of each request by one look at method and path, before the router.

use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Request, Response};
use hyper::body::Incoming;

use super::framing::{self, FramingError};
use super::observe::{InFlight, Listener, ObservedResponse, Redaction, RequestId, RequestLog};
use super::private_problem::PrivateProblem;
use super::problem::Problem;
use super::{APPLICATION_API, Api, login, refresh, verify};
use crate::listener::connection::{HeadRefusal, Peer, Remote, Routes};
use crate::traces::PARENT;

/// The frequent operations. The router has them as well, for requests in another form; by way of it, a request costs a tenth
/// more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Often {
    Login,
    Refresh,
    Verify,
}

/// The dispatcher of a listener.
#[derive(Clone)]
pub struct Dispatch {
    shared: Arc<Shared>,
    others: Router,
}

struct Shared {
    api: Arc<Api>,
    watch: Arc<RequestLog>,
    often: Vec<(Method, String, Often)>,
}

type Answering = Pin<Box<dyn Future<Output = ObservedResponse> + Send>>;

impl Dispatch {
    /// The public listener, with the application API under `prefix` too.
    pub fn public(api: Arc<Api>, prefix: &str, others: Router) -> Dispatch {
        let operations = [("login", Often::Login), ("refreshToken", Often::Refresh)];
        let often = ["", prefix].into_iter().flat_map(|prefix| {
            operations.map(|(name, often)| (Method::POST, format!("{prefix}{APPLICATION_API}/{name}"), often))
        });
        let often = often.collect();
        Dispatch::new(api, Listener::Public, prefix, often, others)
    }

    /// The private listener.
    pub fn private(api: Arc<Api>, others: Router) -> Dispatch {
        let often = vec![(Method::GET, "/verify".to_owned(), Often::Verify)];
        Dispatch::new(api, Listener::Private, "", often, others)
    }

    fn new(
        api: Arc<Api>,
        listener: Listener,
        prefix: &str,
        often: Vec<(Method, String, Often)>,
        others: Router,
    ) -> Dispatch {
        let auth = Arc::clone(&api.auth);
        let redaction = Redaction::new(&[prefix, api.oauth.issuer.path()], move |app| {
            auth.registry().find(app).is_some()
        });
        let tracer = api.tracer.clone();
        let watch =
            Arc::new(RequestLog::new(listener, api.logged, Arc::clone(&api.metrics), redaction, tracer));
        Dispatch { shared: Arc::new(Shared { api, watch, often }), others }
    }

    fn operation(&self, id: RequestId, mut request: Request<Incoming>, remote: &Remote) -> Answering {
        if let Some(refused) = self.shared.refusal(&request) {
            return Box::pin(ready(refused));
        }
        let (api, peer) = (State(Arc::clone(&self.shared.api)), remote.peer);
        match self.shared.often(&request) {
            Some(Often::Login) => Box::pin(login::login(api, peer, request)),
            Some(Often::Refresh) => Box::pin(refresh::refresh(api, peer, request)),
            Some(Often::Verify) => Box::pin(verify::verify(api, request)),
            None => {
                if self.shared.watch.listener() == Listener::Private {
                    // The audit trail names the request.
                    request.extensions_mut().insert(id);
                }
                let answer = self.others.answer(request, remote);
                Box::pin(async { ObservedResponse::from(answer.await) })
            }
        }
    }
}

impl Shared {
    /// The refusal of a request that is malformed or not for this listener.
    fn refusal<B>(&self, request: &Request<B>) -> Option<ObservedResponse> {
        if let Err(error) = framing::check(request) {
            let problem = match error {
                FramingError::NoHost | FramingError::TwoHosts | FramingError::BadHost => Problem::Invalid,
                FramingError::TransferCoding => Problem::TransferCoding,
            };
            return Some(ObservedResponse::refused(problem.last_answer(self.api.dialect), &error));
        }
        match self.watch.listener() {
            Listener::Public => None,
            Listener::Private => {
                let error = self.api.private_hosts.check(request).err()?;
                Some(ObservedResponse::refused(PrivateProblem::host(error).answer(), &error))
            }
        }
    }

    fn often<B>(&self, request: &Request<B>) -> Option<Often> {
        let (asked_method, asked_path) = (request.method(), request.uri().path());
        let mut known = self.often.iter();
        known
            .find(|(method, path, _)| method == asked_method && path == asked_path)
            .map(|(_, _, often)| *often)
    }
}

/// The routes of a listener, replaced while it serves: a request is answered by those that it began with.
#[derive(Clone)]
pub struct Replaceable(Arc<ArcSwap<Dispatch>>);

impl Replaceable {
    pub fn new(routes: Dispatch) -> Replaceable {
        Replaceable(Arc::new(ArcSwap::from_pointee(routes)))
    }

    pub fn replace(&self, routes: Dispatch) {
        self.0.store(Arc::new(routes));
    }
}

impl Routes for Replaceable {
    fn title_case_headers(&self) -> bool {
        self.0.load().title_case_headers()
    }

    fn head_refused(&self, refusal: HeadRefusal, peer: Peer) {
        self.0.load().head_refused(refusal, peer);
    }

    fn has_waiting_requests(&self) -> bool {
        self.0.load().has_waiting_requests()
    }

    fn answer(
        &self,
        request: Request<Incoming>,
        remote: &Remote,
    ) -> impl Future<Output = Response<Body>> + Send + use<> {
        self.0.load().answer(request, remote)
    }
}

impl Routes for Dispatch {
    fn title_case_headers(&self) -> bool {
        self.shared.watch.listener() == Listener::Public
    }

    fn head_refused(&self, refusal: HeadRefusal, peer: Peer) {
        self.shared.watch.head_refused(refusal, peer);
    }

    /// Gateways long-poll `/revocations`.
    fn has_waiting_requests(&self) -> bool {
        self.shared.watch.listener() == Listener::Private
    }

    fn answer(
        &self,
        request: Request<Incoming>,
        remote: &Remote,
    ) -> impl Future<Output = Response<Body>> + Send + use<> {
        let asked = InFlight::begin(&self.shared.watch, &request, remote.peer);
        let answering = self.operation(asked.id(), request, remote);
        async {
            let answered = match asked.span() {
                None => answering.await,
                // Boxed as well.
                Some(span) => Box::pin(PARENT.scope(span, answering)).await,
            };
            if answered.is_turned_away() {
                // Boxed: few requests come here, and it would enlarge the future of all.
                return Box::pin(asked.turned_away(answered)).await;
            }
            asked.answered(answered)
        }
    }
}
