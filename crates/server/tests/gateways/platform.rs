//! The platform behind a gateway: it answers each call with all that it heard of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};

pub struct Platform {
    pub address: SocketAddr,
    calls: Arc<AtomicUsize>,
}

impl Platform {
    pub async fn start() -> Platform {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let heard = async move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            counted.fetch_add(1, Ordering::SeqCst);
            let headers = headers.iter().map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                json!([name.as_str(), value])
            });
            let headers: Vec<Value> = headers.collect();
            let body = String::from_utf8_lossy(&body).into_owned();
            let heard = json!({
                "method": method.as_str(), "target": uri.to_string(), "headers": headers, "body": body,
            });
            // The platform has errors of its own, which are not Northgate's.
            let status =
                if uri.path().ends_with("/broken") { StatusCode::BAD_GATEWAY } else { StatusCode::OK };
            (status, heard.to_string())
        };
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(socket, Router::new().fallback(heard)).await });
        Platform { address, calls }
    }

    /// How many calls have reached it.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}
