//! Laws of the listener's limits. Each waits for the limit to act; none measures when it did.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::edge::running::{Running, answer, request, tls, until_closed};
use crate::support::identity::Identity;

#[tokio::test]
async fn a_half_open_handshake_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let tls = tls(vec![Identity::ecdsa().write(folder.path(), "server")]);
    let running = Running::start(Some(tls), &[("limits.handshake_time", "1s")]).await;
    let mut silent = running.connect().await;
    let mut begun = running.connect().await;
    // The head of a handshake record of 512 bytes, which never come.
    begun.write_all(&[22, 3, 1, 2, 0]).await.unwrap();
    assert_eq!(until_closed(&mut silent).await, "");
    until_closed(&mut begun).await;
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let running = Running::start(None, &[("limits.header_time", "1s")]).await;
    let mut first = running.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
    let mut later = running.connect().await;
    request(&mut later, "/").await.unwrap();
    later.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
    assert_eq!(until_closed(&mut first).await, "");
    assert_eq!(until_closed(&mut later).await, "");
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let running = Running::start(None, &[("limits.idle_time", "1s")]).await;
    let mut stream = running.connect().await;
    request(&mut stream, "/").await.unwrap();
    assert_eq!(until_closed(&mut stream).await, "");
}

#[tokio::test]
async fn an_answer_may_take_longer_than_heads_and_idleness() {
    let limits = [("limits.idle_time", "1s"), ("limits.header_time", "1s")];
    let running = Running::start(None, &limits).await;
    let (mut waiting, mut idle) = (running.connect().await, running.connect().await);
    waiting.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    running.slow_began.notified().await;
    // A connection that began later and is cut off shows that the limit has passed.
    request(&mut idle, "/").await.unwrap();
    until_closed(&mut idle).await;
    running.slow_may_end.notify_one();
    assert!(answer(&mut waiting).await.unwrap().ends_with("at last"));
}

#[tokio::test]
async fn a_body_may_take_longer_than_heads_and_idleness() {
    let limits = [("limits.idle_time", "1s"), ("limits.header_time", "1s")];
    let running = Running::start(None, &limits).await;
    let (mut sending, mut idle) = (running.connect().await, running.connect().await);
    sending.write_all(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo").await.unwrap();
    request(&mut idle, "/").await.unwrap();
    until_closed(&mut idle).await;
    sending.write_all(b"dy").await.unwrap();
    assert!(answer(&mut sending).await.unwrap().ends_with("body"));
}

#[tokio::test]
async fn a_head_beyond_the_limit_is_answered_with_431() {
    let running = Running::start(None, &[("limits.headers", "8KiB")]).await;
    let mut stream = running.connect().await;
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Long: {}", "a".repeat(8 * 1024));
    stream.write_all(long.as_bytes()).await.unwrap();
    let answer = until_closed(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"), "{answer}");
}

#[tokio::test]
async fn at_the_bound_a_connection_waits_while_all_others_are_served() {
    let running = Running::start(None, &[("limits.connections", "1")]).await;
    let mut first = running.connect().await;
    first.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    running.slow_began.notified().await;
    let mut second = running.connect().await;
    second.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert!(timeout(Duration::from_millis(50), answer(&mut second)).await.is_err());
    running.slow_may_end.notify_one();
    assert!(answer(&mut first).await.unwrap().ends_with("at last"));
    assert!(answer(&mut second).await.unwrap().ends_with("here"));
}

/// A client whose timer was longer than ours sent a POST on a connection that was being closed, and did not repeat it. It has to
/// know our timer, and no answer may promise what is not kept.
#[tokio::test]
async fn a_client_that_keeps_its_connection_learns_for_how_long_it_may() {
    let running = Running::start(None, &[("limits.idle_time", "120s")]).await;
    for (request, is_kept) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n", false),
        ("GET / HTTP/1.0\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
    ] {
        let mut stream = running.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = answer(&mut stream).await.unwrap();
        let has = |line: &str| answer.to_ascii_lowercase().matches(line).count();
        let expected = usize::from(is_kept);
        assert_eq!(has("\r\nkeep-alive: timeout=110\r\n"), expected, "{request}{answer}");
        assert_eq!(has("\r\nconnection: keep-alive\r\n"), expected, "{request}{answer}");
    }
}
