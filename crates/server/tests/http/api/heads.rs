//! Request heads that RFC 9112 refuses, byte for byte, on both listeners.

use crate::support::socket::{Socket, ask};
use crate::support::world::*;

/// Sends a request with these header lines to both listeners; the statuses, and whether the connections end.
async fn both(world: &World, version: &str, lines: &str, body: &str) -> [(u16, bool); 2] {
    let mut answers = [(0, false); 2];
    let paths = [(world.public, LOGIN), (world.private, "/oauth2/introspect")];
    for (answer, (listener, path)) in answers.iter_mut().zip(paths) {
        let mut socket = Socket::open(listener).await;
        socket.send(format!("POST {path} HTTP/{version}\r\nContent-Type: {FORM}\r\n{lines}\r\n{body}")).await;
        let said = socket.answer().await;
        let ends = said.header("Connection").is_some_and(|value| value == "close");
        if ends {
            assert!(socket.is_closed().await, "{lines:?}");
        }
        *answer = (said.status, ends);
    }
    answers
}

// Requests without `Host`, with two of them and with a list in it were answered as if nothing was wrong with them.
#[tokio::test]
async fn a_request_has_one_host_that_can_be_one() {
    let world = World::new().await;
    for lines in [
        "",
        "Host:\r\n",
        "Host: \t\r\n",
        "Host: h\r\nHost: h\r\n",
        "Host: h\r\nX: y\r\nhOST: h\r\n",
        "Host: h, h\r\n",
        "Host: h h\r\n",
        "Host: h/\r\n",
        "Host: http://h\r\n",
        "Host: user@h\r\n",
        "Host: h:port\r\n",
        "Host: h:99999\r\n",
        "Host: [::1\r\n",
        "Host: ::1\r\n",
        "Host: h\u{e9}\r\n",
        "Host: h%00\r\n",
        "Host: h\\\r\n",
    ] {
        assert_eq!(both(&world, "1.1", lines, "").await, [(400, true); 2], "{lines:?}");
    }
    for lines in ["Host: h\r\n", "host:h\r\n", "Host: h:8743\r\n", "Host: [::1]:1\r\n", "Host: 127.0.0.1\r\n"]
    {
        assert_eq!(both(&world, "1.1", lines, "").await, [(400, false); 2], "{lines:?}");
        let said = ask(world.public, format!("GET /nowhere HTTP/1.1\r\n{lines}\r\n")).await;
        assert_eq!(said.status, 404, "{lines:?}");
    }
}

#[tokio::test]
async fn http_1_0_may_leave_the_host_out_and_not_send_a_wrong_one() {
    let world = World::new().await;
    for (lines, status) in
        [("", 404), ("Host: h\r\n", 404), ("Host: h\r\nHost: h\r\n", 400), ("Host: a b\r\n", 400)]
    {
        for listener in [world.public, world.private] {
            let said = ask(listener, format!("GET /nowhere HTTP/1.0\r\n{lines}\r\n")).await;
            assert_eq!(said.status, status, "{lines:?}");
        }
    }
}

// `Transfer-Encoding: gzip, chunked` was taken for `chunked`, and the body for what it was after decompression.
#[tokio::test]
async fn a_body_comes_chunked_once_or_not_in_a_transfer_coding_at_all() {
    let world = World::new().await;
    for lines in [
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: ,chunked\r\n",
        "Transfer-Encoding: chunked,\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: \u{b}chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "Transfer-Encoding: chunked\r\n , gzip\r\n",
        "Transfer-Encoding: gzip, chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: gzip\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked, gzip\r\n",
    ] {
        let lines = format!("Host: h\r\n{lines}");
        for (status, ends) in both(&world, "1.1", &lines, "0\r\n\r\n").await {
            assert!([400, 501].contains(&status) && ends, "{status} {ends} {lines:?}");
        }
    }
    let in_1_0 = "Host: h\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n";
    assert_eq!(both(&world, "1.0", in_1_0, "0\r\n\r\n").await, [(400, true); 2]);
}

#[tokio::test]
async fn chunked_alone_is_read_in_any_case_and_ends_the_connection_beside_a_length() {
    let world = World::new().await;
    let body = format!("appId=demo&secret={}", world.secret);
    let body = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for (lines, ends) in [
        ("Transfer-Encoding: chunked\r\n", false),
        ("transfer-encoding: Chunked\r\n", false),
        ("TRANSFER-ENCODING:  CHUNKED \r\n", false),
        ("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", true),
        ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", true),
    ] {
        let mut socket = Socket::open(world.public).await;
        socket
            .send(format!("POST {LOGIN} HTTP/1.1\r\nHost: h\r\nContent-Type: {FORM}\r\n{lines}\r\n{body}"))
            .await;
        let said = socket.answer().await;
        assert_eq!(said.status, 200, "{lines:?} {}", said.body);
        assert_eq!(said.header("Connection") == Some("close"), ends, "{lines:?}");
    }
}

// A page in a browser could give its own name our address, and read the metrics and whatever else needs no token.
#[tokio::test]
async fn the_private_listener_answers_to_its_own_names_only() {
    let world = World::new().await;
    let get = |path: &str, lines: &str| format!("GET {path} HTTP/1.1\r\n{lines}\r\n");
    for path in
        ["/metrics", "/health/live", "/health/ready", "/revocations", "/admin/v1/applications", "/nowhere"]
    {
        let said = ask(world.private, get(path, "Host: evil.example:8744\r\n")).await;
        assert_eq!((said.status, said.member("error")), (421, "unknown-host".to_owned()), "{path}");
        let said = ask(world.private, get(path, "Host: localhost\r\nOrigin: http://evil.example\r\n")).await;
        assert_eq!((said.status, said.member("error")), (403, "foreign-origin".to_owned()), "{path}");
        let said =
            ask(world.private, get(&format!("http://evil.example{path}"), "Host: localhost\r\n")).await;
        assert_eq!(said.status, 421, "{path}");
    }
    for lines in [
        "Host: localhost:8744\r\n",
        "Host: 127.0.0.1\r\n",
        "Host: [::1]:8744\r\nOrigin: http://[::1]:8744\r\n",
    ] {
        assert_eq!(ask(world.private, get("/metrics", lines)).await.status, 200, "{lines}");
    }
    // Gateways hand over what the caller sent; and applications reach the public listener by any name.
    let of_the_call = "Host: api.example\r\nOrigin: https://shop.example\r\n";
    assert_eq!(ask(world.private, get("/verify", of_the_call)).await.status, 401);
    assert_eq!(ask(world.public, get("/oauth2/jwks", of_the_call)).await.status, 200);
}
