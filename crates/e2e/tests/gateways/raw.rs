//! A client that writes the bytes of a request itself.

use std::sync::Arc;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::gateway_stack::{GatewayStack, Heard};
use crate::support::identity::Identity;

/// A TLS connection to the gateway, with the certificate of a client if there is one.
pub async fn connect(stack: &GatewayStack, who: Option<&Identity>) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&stack.certificate).unwrap()).unwrap();
    let client = ClientConfig::builder().with_root_certificates(roots);
    let client = match who {
        None => client.with_no_client_auth(),
        Some(who) => {
            let key = PrivateKeyDer::from_pem_slice(who.key.as_bytes()).unwrap();
            client.with_client_auth_cert(vec![who.certificate()], key).unwrap()
        }
    };
    let stream = TcpStream::connect(stack.gateway.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap()
}

/// What the gateway answers to these bytes. They ask for the connection to be closed.
pub async fn send(stack: &GatewayStack, request: impl AsRef<[u8]>) -> Heard {
    send_as(stack, None, request).await
}

pub async fn send_as(stack: &GatewayStack, who: Option<&Identity>, request: impl AsRef<[u8]>) -> Heard {
    let mut stream = connect(stack, who).await;
    // A gateway may answer, and close, before it has read all.
    let _ = stream.write_all(request.as_ref()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    parse(&answer)
}

fn parse(answer: &[u8]) -> Heard {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: HeaderMap = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| {
            (name.parse::<HeaderName>().unwrap(), value.trim().parse::<HeaderValue>().unwrap())
        })
        .collect();
    let is_chunked = headers.get("Transfer-Encoding").is_some_and(|value| value == "chunked");
    let body = if is_chunked { joined(body) } else { body.to_owned() };
    Heard { status, headers, body }
}

fn joined(mut chunks: &str) -> String {
    let mut body = String::new();
    while let Some((length, rest)) = chunks.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).unwrap();
        body.push_str(&rest[..length]);
        chunks = &rest[length + 2..];
    }
    body
}

/// The usual call with these lines, and as the version of HTTP that the request line ends with.
pub fn call(stack: &GatewayStack, request_line: &str, token: &str, lines: &str) -> String {
    let host = stack.host();
    format!("{request_line}\r\nHost: {host}\r\napp_key: demo\r\nAuthorization: Bearer {token}\r\n{lines}\r\n")
}
