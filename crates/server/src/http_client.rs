//! HTTP client: one connection for one request, with a timeout for every wait. The command line and the export of spans use it.

use std::error::Error;
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// A scheme, a host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// A name or an address, without brackets.
    pub host: String,
    pub port: u16,
    pub is_tls: bool,
}

/// Timeouts of a request.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Of the connection, and again of the TLS handshake.
    pub connect: Duration,
    /// From the request to the head of the answer.
    pub answer: Duration,
}

/// Reason why a request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// No connection: the server has not seen the request.
    #[error("no connection")]
    Unreachable(#[source] Box<dyn Error + Send + Sync>),
    /// The server may have executed the request.
    #[error("the connection broke")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
}

impl Origin {
    /// Scheme, host and port of a URL without user and password; `None` for another.
    pub fn of(uri: &Uri, default_port: u16) -> Option<Origin> {
        let is_tls = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let origin = Origin { host, port: authority.port_u16().unwrap_or(default_port), is_tls };
        origin.name().is_some().then_some(origin)
    }

    /// The host as a certificate names it; `None` for no host at all.
    pub fn name(&self) -> Option<ServerName<'static>> {
        ServerName::try_from(self.host.clone()).ok()
    }

    /// Host and port as in a URL.
    pub fn authority(&self) -> String {
        match self.host.parse::<Ipv6Addr>() {
            Ok(address) => format!("[{address}]:{}", self.port),
            Err(_) => format!("{}:{}", self.host, self.port),
        }
    }

    /// The URL.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.is_tls { "https" } else { "http" }, self.authority())
    }

    /// Sends a request, with `tls` where the scheme is https; returns the answer, whose body is still to be read.
    ///
    /// # Errors
    /// [`ExchangeError`], for each timeout too.
    pub async fn exchange(
        &self,
        tls: Option<&Arc<ClientConfig>>,
        request: Request<Full<Bytes>>,
        timeouts: Timeouts,
    ) -> Result<Response<Incoming>, ExchangeError> {
        let connected = timeout(timeouts.connect, TcpStream::connect((self.host.as_str(), self.port))).await;
        let stream = connected.map_err(unreachable)?.map_err(unreachable)?;
        match (tls, self.name()) {
            (None, _) | (_, None) => send(stream, request, timeouts.answer).await,
            (Some(tls), Some(name)) => {
                let handshake = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
                let connected = timeout(timeouts.connect, handshake).await.map_err(broken)?;
                send(connected.map_err(broken)?, request, timeouts.answer).await
            }
        }
    }
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<Full<Bytes>>,
    limit: Duration,
) -> Result<Response<Incoming>, ExchangeError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Ends with the answer; the sender reports failures on the way.
    tokio::spawn(connection);
    timeout(limit, sender.send_request(request)).await.map_err(broken)?.map_err(broken)
}

fn unreachable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> ExchangeError {
    ExchangeError::Unreachable(cause.into())
}

fn broken(cause: impl Into<Box<dyn Error + Send + Sync>>) -> ExchangeError {
    ExchangeError::Broken(cause.into())
}
