//! A listener that runs on a free port of this machine, and raw clients of it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use axum::routing::{get, post};
use northgate_core::clock::Timestamp;
use northgate_core::keyring::TicketSeed;
use northgate_server::config::Config;
use northgate_server::config::layers::Sources;
use northgate_server::config::tls::{CertificateFiles, ClientCertificates, TlsSettings};
use northgate_server::listener::connection::Peer;
use northgate_server::listener::{self, Rules, SharedRules};
use northgate_server::metrics::Metrics;
use northgate_server::metrics::connections::ConnectionMetrics;
use northgate_server::tls::Tls;
use northgate_server::tls::tickets::TicketSeeds;
use northgate_testkit::eventually;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The configuration with these flags.
pub fn config(flags: &[(&str, &str)]) -> Config {
    let flags = flags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    Config::load(Sources { flags, ..Sources::default() }).unwrap()
}

pub fn tls_settings(certificates: Vec<CertificateFiles>) -> TlsSettings {
    TlsSettings { certificates, ..config(&[]).tls }
}

pub fn asking(files: CertificateFiles, client_certificates: ClientCertificates) -> Arc<Tls> {
    let settings = TlsSettings { client_certificates, ..tls_settings(vec![files]) };
    Arc::new(Tls::load(settings, seeds(1)).unwrap())
}

pub fn tls(certificates: Vec<CertificateFiles>) -> Arc<Tls> {
    Arc::new(Tls::load(tls_settings(certificates), seeds(1)).unwrap())
}

pub fn seeds(current: u8) -> TicketSeeds {
    TicketSeeds(vec![seed(current)])
}

/// One that is in use already.
pub fn seed(byte: u8) -> TicketSeed {
    TicketSeed { use_from: Timestamp::from_millis(0), bytes: [byte; 32] }
}

pub struct Running {
    pub address: SocketAddr,
    /// A request for /slow has arrived.
    pub slow_began: Arc<Notify>,
    /// Lets one request for /slow answer.
    pub slow_may_end: Arc<Notify>,
    metrics: Metrics,
    stop: watch::Sender<bool>,
    served: JoinHandle<()>,
}

impl Running {
    pub async fn start(tls: Option<Arc<Tls>>, flags: &[(&str, &str)]) -> Running {
        let socket = listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let (slow_began, slow_may_end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let router = router(slow_began.clone(), slow_may_end.clone());
        let (stop, stopped) = watch::channel(false);
        let Config { limits, proxies, .. } = config(flags);
        let metrics = Metrics::default();
        let [public, _] = ConnectionMetrics::register(&metrics);
        let rules = SharedRules::new(Rules { limits, proxies, metrics: public });
        let served = tokio::spawn(async move { listener::serve(socket, tls, router, rules, stopped).await });
        Running { address, slow_began, slow_may_end, metrics, stop, served }
    }

    pub fn ask_to_stop(&self) {
        self.stop.send(true).unwrap();
    }

    /// Returns when the listener has returned; one that never does fails the test.
    pub async fn stopped(self) {
        timeout(Duration::from_secs(20), self.served).await.unwrap().unwrap();
    }

    /// A counter of this listener.
    pub fn metric(&self, name: &'static str, reason: &'static str) -> Metric<'_> {
        let line = format!("\n{name}{{listener=\"public\",reason=\"{reason}\"}} ");
        Metric { metrics: &self.metrics, line }
    }

    /// Returns when so many connections are open.
    pub async fn open_connections(&self, count: u64) {
        let line = "\nnorthgate_connections{listener=\"public\"} ".to_owned();
        Metric { metrics: &self.metrics, line }.is(count).await;
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub async fn connect_tls(&self, client: Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(client).connect(name, self.connect().await).await
    }

    /// A connection on which a request has been answered, so that both sides have accepted each other and, in TLS 1.3, the
    /// client has its ticket.
    pub async fn answered(&self, client: Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
        let mut stream = self.connect_tls(client).await?;
        request(&mut stream, "/").await?;
        Ok(stream)
    }
}

/// A value among the metrics.
pub struct Metric<'r> {
    metrics: &'r Metrics,
    line: String,
}

impl Metric<'_> {
    pub fn value(&self) -> u64 {
        let text = self.metrics.text();
        let value = text.split(&self.line).nth(1).and_then(|rest| rest.lines().next());
        value.unwrap_or_else(|| panic!("{} is not in {text}", self.line)).parse().unwrap()
    }

    /// Returns when it has this value; one that never has fails the test.
    pub async fn is(&self, expected: u64) {
        eventually(&format!("{} is {expected}", self.line), async || self.value() == expected).await;
    }
}

fn router(began: Arc<Notify>, may_end: Arc<Notify>) -> Router {
    let slow = move || async move {
        began.notify_one();
        may_end.notified().await;
        "at last"
    };
    Router::new()
        .route("/", get(|| async { "here" }))
        .route("/peer", get(|Extension(peer): Extension<Peer>| async move { peer.to_string() }))
        .route("/slow", get(slow))
        .route("/echo", post(|body: String| async { body }))
}

/// Sends a request on a kept-alive connection and reads its answer: all of it, by its length.
pub async fn request(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), path: &str) -> io::Result<String> {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await?;
    answer(stream).await
}

/// Reads one answer.
pub async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut text = String::new();
    while !is_whole(&text) {
        text.push(char::from(stream.read_u8().await?));
    }
    Ok(text)
}

/// Reads until the other side closes; a reset counts as closing.
pub async fn until_closed(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8(bytes).unwrap()
}

fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("Content-Length: ").nth(1).and_then(|rest| rest.lines().next());
    body.len() == length.map_or(0, |length| length.parse().unwrap())
}
