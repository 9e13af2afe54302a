//! Bodies that are large, slow or announced.

use std::time::Duration;

use crate::support::socket::{Socket, ask, post};
use crate::support::world::*;

const TOO_LARGE: &str = r#"{"error_code":"50413","error_desc":"The request body is too large."}"#;

fn head(length: &str) -> String {
    format!("POST {LOGIN} HTTP/1.1\r\nHost: h\r\nContent-Type: {FORM}\r\n{length}\r\n\r\n")
}

#[tokio::test]
async fn a_body_of_just_the_limit_is_read() {
    let world = World::new().await;
    let body = format!("appId=demo&secret={}&x=", world.secret);
    let longest = format!("{body}{}", "x".repeat(BODY_MAX - body.len()));
    assert_eq!(ask(world.public, post(LOGIN, FORM, &longest)).await.status, 200);
    ask(world.public, post(LOGIN, FORM, longest + "x")).await.is(413, TOO_LARGE);
}

// A client whose connection is closed while it still sends gets a reset and never learns the cause.
#[tokio::test]
async fn a_client_that_sends_too_much_gets_to_read_the_answer() {
    let world = World::new().await;
    let mut socket = Socket::open(world.public).await;
    socket.send(post(LOGIN, FORM, vec![b'x'; 4 * 1024 * 1024])).await;
    let answer = socket.answer().await;
    answer.is(413, TOO_LARGE);
    assert_eq!(answer.header("Connection"), Some("close"));
    assert!(socket.is_closed().await);
}

#[tokio::test]
async fn a_chunked_body_is_read_and_its_length_counted() {
    let world = World::new().await;
    let body = format!("appId=demo&secret={}", world.secret);
    let chunked = head("Transfer-Encoding: chunked") + &format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    assert_eq!(ask(world.public, chunked).await.status, 200);
    let large = head("Transfer-Encoding: chunked") + &format!("8000\r\n{}\r\n0\r\n\r\n", "x".repeat(0x8000));
    ask(world.public, large).await.is(413, TOO_LARGE);
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on() {
    let world = World::new().await;
    let body = format!("appId=demo&secret={}", world.secret);
    let mut socket = Socket::open(world.public).await;
    socket.send(head(&format!("Expect: 100-continue\r\nContent-Length: {}", body.len()))).await;
    assert_eq!(socket.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    socket.send(body).await;
    assert_eq!(socket.answer().await.status, 200);
}

#[tokio::test]
async fn a_client_that_asks_first_with_too_much_is_told_at_once() {
    let world = World::new().await;
    let mut socket = Socket::open(world.public).await;
    socket.send(head(&format!("Expect: 100-Continue\r\nContent-Length: {}", BODY_MAX + 1))).await;
    socket.answer().await.is(413, TOO_LARGE);
    assert!(socket.is_closed().await);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_waited_for_so_long_only() {
    let world = World::with(Setup { body_time: Duration::from_millis(1), ..SETUP }).await;
    let mut socket = Socket::open(world.public).await;
    socket.send(head("Content-Length: 20") + "appId=demo").await;
    let answer = socket.answer().await;
    answer.is(408, r#"{"error_code":"50408","error_desc":"The request took too long."}"#);
    assert_eq!(answer.header("Connection"), Some("close"));
    assert!(socket.is_closed().await);
}

// A compressed body is not read, and hyper closes the connection behind the answer, which said `Keep-Alive: timeout=137`: the
// JDK's HttpClient sent its next POST on it and lost that.
#[tokio::test]
async fn an_answer_that_does_not_wait_for_the_body_promises_no_connection() {
    let world = World::new().await;
    for path in [LOGIN, "/oauth2/token"] {
        let mut socket = Socket::open(world.public).await;
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: {FORM}\r\nContent-Encoding: gzip\r\n");
        socket.send(format!("{head}Content-Length: 5\r\n\r\n")).await;
        let answer = socket.answer().await;
        assert_eq!((answer.status, answer.header("Connection")), (415, Some("close")), "{path}");
        assert_eq!(answer.header("Keep-Alive"), None, "{path}");
        assert!(socket.is_closed().await, "{path}");
    }
}

// After `Expect: 100-continue` the connection was closed at once. A client that did not wait was reset while it sent, and did
// not see the answer.
#[tokio::test]
async fn every_refusal_can_be_read_by_a_client_that_still_sends() {
    let world = World::new().await;
    let length = 8 * 1024 * 1024;
    let gzip = "Content-Encoding: gzip";
    let admin = world.administered().await;
    let with_token = |line: &str| format!("{line}\r\nAuthorization: Bearer {}", admin.token);
    let (expecting, plain, coded) =
        (with_token("Expect: 100-continue"), with_token("X-Plain: yes"), with_token(gzip));
    for (listener, path, line, status) in [
        (world.public, LOGIN, "Expect: 100-continue", 413),
        (world.public, LOGIN, "X-Plain: yes", 413),
        (world.public, "/oauth2/token", "Expect: 100-continue", 413),
        (world.private, "/oauth2/introspect", "Expect: 100-continue", 413),
        (world.public, LOGIN, gzip, 415),
        (world.public, "/oauth2/token", gzip, 415),
        (world.public, LOGIN, "Host: h", 400),
        (world.private, "/oauth2/introspect", "Origin: null", 403),
        (world.public, "/oauth2/token", "Transfer-Encoding: gzip, chunked", 501),
        (world.private, "/verify", "X-Plain: yes", 401),
        (admin.address, "/admin/v1/applications", &expecting[..], 413),
        (admin.address, "/admin/v1/applications/demo/secrets", &expecting[..], 413),
        (admin.address, "/admin/v1/import", &expecting[..], 413),
        (admin.address, "/admin/v1/applications", &plain[..], 413),
        (admin.address, "/admin/v1/applications", &coded[..], 415),
        (admin.address, "/admin/v1/applications", "Expect: 100-continue", 401),
        (admin.address, "/console/sign-in", "Expect: 100-continue", 413),
    ] {
        let mut socket = Socket::open(listener).await;
        let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\nContent-Type: {FORM}\r\n{line}\r\n");
        socket.send(format!("{head}Content-Length: {length}\r\n\r\n")).await;
        socket.send(vec![b'x'; length]).await;
        assert_eq!(socket.answer().await.status, status, "{path} {line}");
        assert!(socket.is_closed().await, "{path} {line}");
    }
}
