//! Client of the admin API: one connection for one request, with a timeout for every wait.

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use northgate_core::secret::SecretText;
use rustls::ClientConfig;
use serde::Serialize;
use tokio::time::timeout;

use crate::http::problem_details::ProblemDetails;
use crate::http_client::{ExchangeError, Origin, Timeouts};

/// Timeout of the connection; the private listener is near.
const CONNECT: Duration = Duration::from_secs(5);

/// Timeout of the answer: an import hashes for seconds, and a backup copies the database first.
const ANSWER: Duration = Duration::from_secs(300);

/// Timeout between two pieces of a body.
const PIECE: Duration = Duration::from_secs(60);

/// A running server, and the right to administer it.
pub struct Client {
    server: Origin,
    tls: Option<Arc<ClientConfig>>,
    token: SecretText,
}

/// Reason why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(
        "no Northgate answers at {0}: start it with `northgate serve`, or name it with --admin-listen or --server"
    )]
    Unreachable(String),
    #[error(
        "the Northgate at {0} does not accept this admin token: name its data directory with --data-dir, or the file of its \
         token with --token-file"
    )]
    Unauthorized(String),
    /// The server's own sentence.
    #[error("{}", .0.detail)]
    Refused(ProblemDetails),
    #[error("the server at {url} is not the admin API of Northgate (status {status})")]
    NotNorthgate { url: String, status: u16 },
    #[error("the connection to {url} broke; check the state before you repeat the command")]
    Broken {
        url: String,
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
}

impl Client {
    /// A client of the private listener, with `tls` for an https URL.
    pub fn new(server: Origin, tls: Option<Arc<ClientConfig>>, token: SecretText) -> Client {
        Client { server, tls, token }
    }

    /// Sends a request; returns the text of a successful answer.
    pub async fn request(&self, method: Method, path: &str) -> Result<String, ClientError> {
        self.text(self.send(method, path, Bytes::new()).await?).await
    }

    /// Sends a request with a JSON body; returns the text of a successful answer.
    pub async fn request_json(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<String, ClientError> {
        let json = serde_json::to_vec(body).map_err(|cause| self.broken(cause))?;
        self.text(self.send(method, path, json.into()).await?).await
    }

    /// Passes the length of a successful answer to `begin`, and then the answer to `take`, piece by piece.
    pub async fn download(
        &self,
        path: &str,
        begin: impl FnOnce(u64) -> Result<(), Box<dyn Error>>,
        mut take: impl FnMut(&[u8]) -> Result<(), Box<dyn Error>>,
    ) -> Result<u64, Box<dyn Error>> {
        let mut body = self.send(Method::GET, path, Bytes::new()).await?.into_body();
        begin(body.size_hint().exact().unwrap_or(0))?;
        let mut length = 0;
        while let Some(frame) = timeout(PIECE, body.frame()).await.map_err(|cause| self.broken(cause))? {
            if let Ok(piece) = frame.map_err(|cause| self.broken(cause))?.into_data() {
                take(&piece)?;
                length += piece.len() as u64;
            }
        }
        Ok(length)
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>, ClientError> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.server.authority())
            .header(AUTHORIZATION, format!("Bearer {}", self.token.reveal()))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|cause| self.broken(cause))?;
        let timeouts = Timeouts { connect: CONNECT, answer: ANSWER };
        let answer = self.server.exchange(self.tls.as_ref(), request, timeouts).await;
        let answer = answer.map_err(|error| match error {
            ExchangeError::Unreachable(_) => ClientError::Unreachable(self.url()),
            ExchangeError::Broken(cause) => self.broken(cause),
        })?;
        if answer.status().is_success() { Ok(answer) } else { Err(self.refusal(answer).await) }
    }

    async fn text(&self, answer: Response<Incoming>) -> Result<String, ClientError> {
        let body = timeout(PIECE, answer.into_body().collect()).await.map_err(|cause| self.broken(cause))?;
        let bytes = body.map_err(|cause| self.broken(cause))?.to_bytes();
        String::from_utf8(bytes.into()).map_err(|cause| self.broken(cause))
    }

    async fn refusal(&self, answer: Response<Incoming>) -> ClientError {
        let status = answer.status().as_u16();
        let refused = match self.text(answer).await {
            Ok(text) => serde_json::from_str::<ProblemDetails>(&text).ok(),
            Err(error) => return error,
        };
        match (refused, status) {
            (Some(_), 401) => ClientError::Unauthorized(self.url()),
            (Some(refused), _) => ClientError::Refused(refused),
            (None, _) => ClientError::NotNorthgate { url: self.url(), status },
        }
    }

    fn url(&self) -> String {
        self.server.url()
    }

    fn broken(&self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> ClientError {
        ClientError::Broken { url: self.url(), cause: cause.into() }
    }
}

/// The URL of a listener at `address`. One that listens on all addresses is reached on the loopback one.
pub fn url_of(address: SocketAddr, is_tls: bool) -> Origin {
    Origin { host: reachable(address.ip()).to_string(), port: address.port(), is_tls }
}

fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => ip,
    }
}
