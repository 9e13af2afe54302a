//! One connection, from the handshake to its end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::Service;
use tracing::debug;

use crate::config::limits::Limits;
use crate::listener::pace::{Pace, Paced};
use crate::listener::socket::Socket;
use crate::listener::{plain, stopped};
use crate::tls::Tls;
use crate::tls::shown::Shown;

/// The address at the other end of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Who is at the other end of the connection.
pub struct Remote {
    pub peer: Peer,
    pub shown: Option<Shown>,
}

/// Why the HTTP parser refused the head of a request, having answered it itself.
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

/// What answers the requests of a listener.
pub trait Routes: Clone + Send + Sync + 'static {
    /// Whether the names of headers are written like `Content-Type`, for clients with simple parsers, and not in lower case.
    fn title_case_headers(&self) -> bool;

    /// Records a request head that the HTTP parser refused, so that no route ever sees the request.
    fn head_refused(&self, refusal: HeadRefusal, peer: Peer);

    /// The answer to a request that `remote` has sent.
    fn answer(
        &self,
        request: Request<Incoming>,
        remote: &Remote,
    ) -> impl Future<Output = Response<Body>> + Send + use<Self>;
}

/// The handlers of a router know who has sent a request by its extensions, [`Peer`] and [`Shown`].
impl Routes for Router {
    fn title_case_headers(&self) -> bool {
        true
    }

    fn head_refused(&self, _: HeadRefusal, _: Peer) {}

    fn answer(
        &self,
        mut request: Request<Incoming>,
        remote: &Remote,
    ) -> impl Future<Output = Response<Body>> + Send + use<> {
        request.extensions_mut().insert(remote.peer);
        if let Some(shown) = &remote.shown {
            request.extensions_mut().insert(shown.clone());
        }
        // A router is always ready, so nothing is lost by not asking.
        let answer = self.clone().call(request);
        async {
            let Ok(answer) = answer.await;
            answer
        }
    }
}

/// What every connection of a listener needs.
#[derive(Clone)]
pub(super) struct Serving<R> {
    pub tls: Option<Arc<Tls>>,
    pub routes: R,
    pub limits: Limits,
    pub stop: watch::Receiver<bool>,
}

impl<R: Routes> Serving<R> {
    /// Returns when the connection is closed, whoever closed it.
    pub async fn connection(self, stream: TcpStream, peer: SocketAddr) {
        // Answers are one small write each: waiting for more to send would only delay them. It fails only on a
        // connection that is gone, which shows at once below.
        let _ = stream.set_nodelay(true);
        match &self.tls {
            None => self.http(stream, peer, None).await,
            Some(tls) => {
                let handshake = timeout(self.limits.handshake_time, handshake(tls, stream, peer));
                let secured = tokio::select! {
                    secured = handshake => secured.ok().flatten(),
                    () = stopped(self.stop.clone()) => None,
                };
                if let Some(stream) = secured {
                    let chain = stream.get_ref().1.peer_certificates();
                    let shown = Shown::of(chain, chain.and_then(|_| tls.authorities()));
                    self.http(stream, peer, shown).await;
                }
            }
        }
    }

    async fn http(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send,
        peer: SocketAddr,
        shown: Option<Shown>,
    ) {
        let pace = Arc::new(Pace::default());
        let io = TokioIo::new(Paced::new(stream, pace.clone(), &self.limits));
        let http = http(&self.limits, self.routes.title_case_headers());
        let (routes, remote) = (&self.routes, Remote { peer: Peer(peer), shown });
        let service = service_fn(move |request: Request<Incoming>| {
            pace.request_begins();
            let (answer, pace) = (routes.answer(request, &remote), pace.clone());
            async move {
                let answer = answer.await;
                pace.request_ends();
                Ok::<_, Infallible>(answer)
            }
        });
        let mut connection = pin!(http.serve_connection(io, service));
        let ended = match until_stopped(connection.as_mut(), self.stop).await {
            Some(ended) => ended,
            None => {
                connection.as_mut().graceful_shutdown();
                timeout(self.limits.stop_time, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(cause) = ended {
            debug!(%peer, "a connection ended early: {cause}");
            if let Some(refusal) = HeadRefusal::of(&cause) {
                self.routes.head_refused(refusal, Peer(peer));
            }
        }
    }
}

/// What `connection` ends with; nothing if the stop comes first. Each request polls a connection several times, so that the
/// stop is waited for by the first poll only: one task polls them all, which it wakes.
async fn until_stopped<C: Future>(
    mut connection: Pin<&mut C>,
    stop: watch::Receiver<bool>,
) -> Option<C::Output> {
    let mut stopped = pin!(stopped(stop.clone()));
    let mut is_waited_for = false;
    poll_fn(|cx| {
        if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(ended));
        }
        // An error says that the sender is gone, which is a stop as well.
        if is_waited_for && matches!(stop.has_changed(), Ok(false)) {
            return Poll::Pending;
        }
        is_waited_for = true;
        stopped.as_mut().poll(cx).map(|()| None)
    })
    .await
}

fn http(limits: &Limits, title_case_headers: bool) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.title_case_headers(title_case_headers)
        // Head and body in one write, and so in one TLS record: some clients parse what one read gives them.
        .writev(false)
        // A client may close its sending side after the request, as HTTP/1.0 ones do, and still wants the answer.
        .half_close(true)
        // A head must fit into the buffer; bodies go through it in pieces.
        .max_buf_size(limits.headers)
        // Our own pace tells a slow head from a connection that is idle between requests; this one cannot.
        .header_read_timeout(None);
    http
}

/// Nothing if the client does not manage, or does not speak TLS at all.
async fn handshake(tls: &Tls, stream: TcpStream, peer: SocketAddr) -> Option<TlsStream<Socket>> {
    if !plain::speaks_tls(&stream).await {
        plain::turn_away(stream).await;
        return None;
    }
    match TlsAcceptor::from(tls.server()).accept(Socket(stream)).await {
        Ok(stream) => Some(stream),
        Err(cause) => {
            debug!(%peer, "a TLS handshake failed: {cause}");
            None
        }
    }
}
