//! The platform behind a gateway: it answers each call with all that it heard of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONNECTION, UPGRADE};
use axum::http::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

pub struct Platform {
    pub address: SocketAddr,
    calls: Arc<AtomicUsize>,
}

impl Platform {
    pub async fn start() -> Platform {
        let calls = Arc::new(AtomicUsize::new(0));
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let routes = Platform::routes(Arc::clone(&calls));
        tokio::spawn(async move { axum::serve(socket, routes).await });
        Platform { address, calls }
    }

    /// How many calls have reached it.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub fn routes(calls: Arc<AtomicUsize>) -> Router {
        Router::new().fallback(async move |request: Request| {
            calls.fetch_add(1, Ordering::SeqCst);
            match request.uri().path() {
                // The platform has errors of its own, which are not Northgate's.
                path if path.ends_with("/broken") => heard(request, StatusCode::BAD_GATEWAY).await,
                path if path.ends_with("/hanging") => std::future::pending().await,
                _ if request.headers().contains_key(UPGRADE) => echo(request),
                _ => heard(request, StatusCode::OK).await,
            }
        })
    }
}

async fn heard(request: Request, status: StatusCode) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = head.headers.iter().map(|(name, value)| json!([name.as_str(), text(value.as_bytes())]));
    let headers: Vec<Value> = headers.collect();
    let heard = json!({
        "method": head.method.as_str(), "target": head.uri.to_string(), "headers": headers, "body": text(&body),
    });
    let mut answer = Response::new(Body::from(heard.to_string()));
    *answer.status_mut() = status;
    answer
}

/// Agrees to any protocol, and sends back what comes.
fn echo(mut request: Request) -> Response<Body> {
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let (mut reading, mut writing) = tokio::io::split(TokioIo::new(upgraded.await.unwrap()));
        let _ = tokio::io::copy(&mut reading, &mut writing).await;
    });
    let answer = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS).header(CONNECTION, "upgrade");
    let answer = answer.header(UPGRADE, &request.headers()[UPGRADE]);
    // RFC 6455 §1.3, for the key that the test has: HAProxy and others look at it.
    answer.header("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=").body(Body::empty()).unwrap()
}
