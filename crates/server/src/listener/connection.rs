//! A connection, from the PROXY header and the handshake to its end.

use std::convert::Infallible;
use std::fmt;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::server::danger::ClientCertVerifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_rustls::server::TlsStream;
use tower::Service;
use tracing::debug;

use crate::config::limits::Limits;
use crate::listener::connection_log::ConnectionLog;
use crate::listener::forwarded::Proxy;
use crate::listener::handshake::handshake;
use crate::listener::introduction::{Speaker, introduce};
use crate::listener::socket::Socket;
use crate::listener::table::Place;
use crate::listener::timeouts::{Activity, TimeoutStream};
use crate::listener::{InForce, Rules, SharedRules, closing, stopped};
use crate::tls::Tls;
use crate::tls::client_certificate::ClientCertificate;

/// The client of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    pub address: IpAddr,
    /// If it is known.
    pub port: Option<u16>,
    /// The trusted proxy that stated the address; `None` for the address of the connection.
    pub via: Option<IpAddr>,
}

impl Peer {
    /// The other end of a connection.
    pub fn direct(address: SocketAddr) -> Peer {
        Peer { address: address.ip(), port: Some(address.port()), via: None }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.address, port).fmt(f),
            None => self.address.fmt(f),
        }
    }
}

/// The client of a request, and its certificate.
pub struct Remote {
    /// Notifies when the client has gone.
    pub activity: Arc<Activity>,
    pub peer: Peer,
    pub certificate: Option<ClientCertificate>,
}

/// Reason why the HTTP parser refused the head of a request; it has answered already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadRefusal {
    /// Longer than `limits.headers`: 431.
    TooLarge,
    /// Not HTTP/1: 400.
    Malformed,
}

impl HeadRefusal {
    fn of(ended: &hyper::Error) -> Option<HeadRefusal> {
        match ended {
            ended if ended.is_parse_too_large() => Some(HeadRefusal::TooLarge),
            ended if ended.is_parse() => Some(HeadRefusal::Malformed),
            _ => None,
        }
    }
}

/// The request handler of a listener.
pub trait Routes: Clone + Send + Sync + 'static {
    /// Whether header names are written like `Content-Type`, for clients with simple parsers, and not in lower case.
    fn title_case_headers(&self) -> bool;

    /// Records a request head that the HTTP parser refused; no route sees such a request.
    fn head_refused(&self, refusal: HeadRefusal, peer: Peer);

    /// Whether requests may wait for an event (long polling), so that their handlers must learn when the client has gone.
    fn has_waiting_requests(&self) -> bool;

    /// The answer to a request of `remote`.
    fn answer(
        &self,
        request: Request<Incoming>,
        remote: &Remote,
    ) -> impl Future<Output = Response<Body>> + Send + use<Self>;
}

/// A router's handlers find the sender of a request in its extensions: [`Peer`], [`ClientCertificate`] and the connection's
/// [`Activity`].
impl Routes for Router {
    fn title_case_headers(&self) -> bool {
        true
    }

    fn head_refused(&self, _: HeadRefusal, _: Peer) {}

    fn has_waiting_requests(&self) -> bool {
        false
    }

    fn answer(
        &self,
        mut request: Request<Incoming>,
        remote: &Remote,
    ) -> impl Future<Output = Response<Body>> + Send + use<> {
        request.extensions_mut().insert(remote.peer);
        request.extensions_mut().insert(Arc::clone(&remote.activity));
        if let Some(certificate) = &remote.certificate {
            request.extensions_mut().insert(certificate.clone());
        }
        // A router is always ready.
        let answer = self.clone().call(request);
        async {
            let Ok(answer) = answer.await;
            answer
        }
    }
}

/// The shared state of a listener's connections.
pub(super) struct Serving<R> {
    pub tls: Option<Arc<Tls>>,
    pub routes: R,
    pub rules: SharedRules,
    pub log: ConnectionLog,
    pub stop: watch::Receiver<bool>,
}

impl<R: Routes> Serving<R> {
    /// Serves the connection; returns when it is closed, by either side.
    pub async fn connection(
        self: Arc<Self>,
        mut stream: TcpStream,
        address: SocketAddr,
        place: Place,
        in_force: Arc<InForce>,
    ) {
        // Answers are one small write each: Nagle's algorithm would only delay them. It fails only on a connection that is gone,
        // which shows at once below.
        let _ = stream.set_nodelay(true);
        let rules = &in_force.rules;
        let deadline = Instant::now() + rules.limits.handshake_time;
        let introduced = async {
            let introduced = introduce(rules, &mut stream, address, &place, deadline).await;
            introduced.map_err(|why| self.log.closed(why, address, &rules.metrics)).ok()
        };
        let Some(speaker) = self.unless_ended(&place, introduced).await else { return };
        match &self.tls {
            None => self.http(stream, speaker, None, None, &place, &in_force).await,
            Some(tls) => {
                let secured = self.secured(tls, stream, speaker.peer, deadline, rules);
                if let Some(stream) = self.unless_ended(&place, secured).await {
                    let chain = stream.get_ref().1.peer_certificates();
                    let certificate = ClientCertificate::of(chain, chain.and_then(|_| tls.authorities()));
                    self.http(stream, speaker, certificate, tls.authorities(), &place, &in_force).await;
                }
            }
        }
    }

    /// The result of `step`; `None` if the stop comes first, or the connection has to make room.
    async fn unless_ended<T>(&self, place: &Place, step: impl Future<Output = Option<T>>) -> Option<T> {
        tokio::select! {
            done = step => done,
            () = stopped(self.stop.clone()) => None,
            () = place.activity.closed() => None,
        }
    }

    /// Does the TLS handshake; `None` if it fails.
    async fn secured(
        &self,
        tls: &Tls,
        stream: TcpStream,
        peer: Peer,
        deadline: Instant,
        rules: &Rules,
    ) -> Option<TlsStream<Socket>> {
        match handshake(tls, stream, deadline).await {
            Ok(stream) => Some(stream),
            Err(refused) => {
                self.log.handshake_failed(refused.why, peer, &rules.metrics);
                refused.close(deadline).await;
                None
            }
        }
    }

    async fn http(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send,
        speaker: Speaker,
        certificate: Option<ClientCertificate>,
        authorities: Option<Arc<dyn ClientCertVerifier>>,
        place: &Place,
        InForce { rules, keep_alive }: &InForce,
    ) {
        let proxy = speaker.is_proxy.then(|| Proxy { trusted: rules.proxies.trusted.clone(), authorities });
        let (limits, activity, peer) = (&rules.limits, &place.activity, speaker.peer);
        let hides_end = self.routes.has_waiting_requests();
        let io = TokioIo::new(TimeoutStream::new(stream, Arc::clone(activity), limits, hides_end));
        let http = http(limits, &self.routes);
        let (routes, remote) = (&self.routes, Remote { activity: Arc::clone(activity), peer, certificate });
        let (stop, served) = (&self.stop, Arc::clone(activity));
        let service = service_fn(move |request: Request<Incoming>| {
            served.request_begins();
            let is_kept = keep_alive.is_wanted(&request);
            let stated = proxy.as_ref().map(|proxy| proxy.client(&remote, request.headers()));
            let answer = routes.answer(request, stated.as_ref().unwrap_or(&remote));
            let served = Arc::clone(&served);
            async move {
                let mut answer = answer.await;
                if is_kept && !served.is_closed() && !*stop.borrow() {
                    keep_alive.announce(answer.headers_mut());
                }
                served.request_ends(!answer.status().is_success());
                Ok::<_, Infallible>(answer)
            }
        });
        let mut connection = http.serve_connection(io, service);
        let ended = match until_closing(Pin::new(&mut connection), self.stop.clone(), activity).await {
            Some(ended) => ended,
            None => {
                // A reload may have changed it since the connection began.
                let stop_time = self.rules.0.load().rules.limits.stop_time;
                let time = activity.closing_time(stop_time);
                Pin::new(&mut connection).graceful_shutdown();
                timeout(time, &mut connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(cause) = ended {
            debug!(%peer, "a connection ended early: {cause}");
            if let Some(refusal) = HeadRefusal::of(&cause) {
                self.routes.head_refused(refusal, peer);
            }
        }
        if activity.is_unread() {
            let stream = connection.into_parts().io.into_inner().into_inner();
            tokio::select! {
                () = closing::discard(stream) => {}
                () = activity.closed() => {}
            }
        }
    }
}

/// The result of `connection`; `None` if the stop comes first, or the connection has to make room. Each request polls a
/// connection several times, so that only the first poll registers for both events: one task polls them all, and they wake it.
async fn until_closing<C: Future>(
    mut connection: Pin<&mut C>,
    stop: watch::Receiver<bool>,
    activity: &Activity,
) -> Option<C::Output> {
    let mut closing = pin!(async {
        tokio::select! {
            () = stopped(stop.clone()) => {}
            () = activity.closed() => {}
        }
    });
    let mut is_waited_for = false;
    poll_fn(|cx| {
        if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(ended));
        }
        // An error means that the sender is gone, which is a stop as well.
        if is_waited_for && matches!(stop.has_changed(), Ok(false)) && !activity.is_closed() {
            return Poll::Pending;
        }
        is_waited_for = true;
        closing.as_mut().poll(cx).map(|()| None)
    })
    .await
}

fn http(limits: &Limits, routes: &impl Routes) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.title_case_headers(routes.title_case_headers())
        // Head and body in one write, and so in one TLS record: some clients parse the result of one read.
        .writev(false)
        // A client may close its sending side after the request, as HTTP/1.0 clients do, and still wants the answer. Where
        // handlers must learn of it, hyper goes on reading, and the stream below hides the end from it.
        .half_close(!routes.has_waiting_requests())
        // A head must fit into the buffer; bodies go through it in pieces.
        .max_buf_size(limits.headers)
        // Our own activity tracking tells a slow head from an idle connection; this timeout cannot.
        .header_read_timeout(None);
    http
}
