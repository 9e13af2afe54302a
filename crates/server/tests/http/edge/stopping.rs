//! Laws of the stop.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::edge::running::{Running, answer, request, tls, until_closed};
use crate::support::identity::Identity;

#[tokio::test]
async fn a_stop_finishes_what_is_in_flight() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::ecdsa();
    let running = Running::start(Some(tls(vec![identity.write(folder.path(), "server")])), &[]).await;
    let mut stream = running.connect_tls(identity.trusting()).await.unwrap();
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    running.slow_began.notified().await;

    running.ask_to_stop();
    running.slow_may_end.notify_one();
    let last = answer(&mut stream).await.unwrap();
    assert!(last.ends_with("at last"), "{last}");
    running.stopped().await;
    assert_eq!(until_closed(&mut stream).await, "");
}

#[tokio::test]
async fn a_stop_closes_connections_that_ask_for_nothing_and_accepts_no_more() {
    let running = Running::start(None, &[("limits.stop_time", "1h")]).await;
    let (mut idle, mut new) = (running.connect().await, running.connect().await);
    request(&mut idle, "/").await.unwrap();
    running.ask_to_stop();
    let address = running.address;
    running.stopped().await;
    assert_eq!(until_closed(&mut idle).await, "");
    assert_eq!(until_closed(&mut new).await, "");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_handshake() {
    let folder = tempfile::tempdir().unwrap();
    let tls = tls(vec![Identity::ecdsa().write(folder.path(), "server")]);
    let running = Running::start(Some(tls), &[]).await;
    let mut stream = running.connect().await;
    stream.write_all(&[22, 3, 1]).await.unwrap();
    running.ask_to_stop();
    running.stopped().await;
    until_closed(&mut stream).await;
}

#[tokio::test]
async fn a_stop_waits_no_longer_than_stop_time_for_a_request() {
    let running = Running::start(None, &[("limits.stop_time", "0s")]).await;
    let mut stream = running.connect().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    running.slow_began.notified().await;
    running.ask_to_stop();
    running.stopped().await;
    assert_eq!(until_closed(&mut stream).await, "");
}
