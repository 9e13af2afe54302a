//! Bodies that are large, slow or announced, through TLS.

use crate::rows::INVALID;
use crate::wire::{Wire, post};
use northgate_testkit::application::{Application, FORM};
use northgate_testkit::northgate::Northgate;

const TOO_LARGE: &str = r#"{"error_code":"50413","error_desc":"The request body is too large."}"#;
const TOO_SLOW: &str = r#"{"error_code":"50408","error_desc":"The request took too long."}"#;
const LENGTH: usize = 10 * 1024 * 1024;

fn head(operation: &str, more: &str) -> String {
    format!(
        "POST /iocm/app/sec/v1.1.0/{operation} HTTP/1.1\r\nHost: h\r\nContent-Type: {FORM}\r\n{more}\r\n\r\n"
    )
}

#[tokio::test]
async fn ten_megabytes_are_too_much_and_the_client_gets_to_read_so() {
    let server = Northgate::start(&[]);
    let demo = Application::demo(&server);
    for operation in ["login", "refreshToken", "logout"] {
        let answer = demo.post(operation, FORM, vec![b'x'; LENGTH]).await;
        assert_eq!((answer.status, &answer.body[..]), (413, TOO_LARGE), "{operation}");
        let mut wire = Wire::open(&server);
        wire.send(post(operation, FORM, &vec![b'x'; LENGTH]));
        let (status, _, body) = wire.answer();
        assert_eq!((status, &body[..]), (413, TOO_LARGE), "{operation}");
        assert!(wire.is_closed());
    }
    assert_eq!(demo.login().await.status, 200);
}

#[tokio::test]
async fn ten_megabytes_in_chunks_are_too_much() {
    let server = Northgate::start(&[]);
    let mut wire = Wire::open(&server);
    wire.send(head("login", "Transfer-Encoding: chunked"));
    for _ in 0..LENGTH / 0x10000 {
        wire.send([b"10000\r\n", &vec![b'x'; 0x10000][..], b"\r\n"].concat());
    }
    wire.send("0\r\n\r\n");
    let (status, _, body) = wire.answer();
    assert_eq!((status, &body[..]), (413, TOO_LARGE));
}

// What is waited for is the limit itself.
#[test]
fn a_body_that_trickles_is_cut_off_and_the_client_gets_to_read_so() {
    let server = Northgate::start(&[("NORTHGATE_LIMITS_BODY_TIME", "1s")]);
    for operation in ["login", "refreshToken", "logout"] {
        let mut wire = Wire::open(&server);
        // With its answer, everything that belongs to the handshake has been read.
        wire.send(post(operation, FORM, b""));
        assert_eq!(wire.answer().0, 400);
        wire.send(head(operation, "Content-Length: 1000"));
        // A byte whenever nothing has been said for a moment: that some come does not make it fast.
        let mut sent = 0;
        while !wire.has_said_something() {
            wire.send("a");
            sent += 1;
        }
        assert!((1..1000).contains(&sent), "{sent}");
        let (status, head, body) = wire.answer();
        assert_eq!((status, &body[..]), (408, TOO_SLOW), "{operation}");
        assert!(head.contains("\r\nConnection: close"), "{head}");
        assert!(wire.is_closed());
    }
}

#[test]
fn chunks_that_are_not_as_they_say_are_invalid_and_end_the_connection() {
    let server = Northgate::start(&[]);
    for chunks in ["zz\r\n", "5\r\nappId=demo\r\n", "-1\r\n", "ffffffffffffffffff\r\n"] {
        let mut wire = Wire::open(&server);
        wire.send(head("login", "Transfer-Encoding: chunked") + chunks);
        let (status, _, body) = wire.answer();
        assert_eq!((status, &body[..]), INVALID, "{chunks:?}");
        assert!(wire.is_closed(), "{chunks:?}");
    }
}

#[test]
fn a_body_that_is_broken_off_is_invalid_and_nothing_happens() {
    let server = Northgate::start(&[]);
    let demo = Application::demo(&server);
    // All that is needed is there, but not all that was announced.
    let login = format!("appId={}&secret={}", demo.app_id, demo.secret);
    let mut wire = Wire::open(&server);
    wire.send(head("login", &format!("Content-Length: {}", login.len() + 1)) + &login);
    wire.say_no_more();
    let (status, _, body) = wire.answer();
    assert_eq!((status, &body[..]), INVALID);
    assert!(server.tell(&["app", "show", &demo.app_id]).ends_with("no live grants\n"));
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_go_on_before_its_answer() {
    let server = Northgate::start(&[]);
    let demo = Application::demo(&server);
    let login = format!("appId={}&secret={}", demo.app_id, demo.secret);
    let mut wire = Wire::open(&server);
    // Twice, since the connection is kept.
    for _ in 0..2 {
        wire.send(head("login", &format!("Expect: 100-continue\r\nContent-Length: {}", login.len())));
        assert_eq!(wire.record(), "HTTP/1.1 100 Continue\r\n\r\n");
        wire.send(&login);
        assert_eq!(wire.answer().0, 200);
    }
}

// The answer came without the body having been asked for, and with it, unsaid, the end of the connection.
#[tokio::test]
async fn a_client_that_asks_first_in_the_wrong_place_keeps_its_connection() {
    let server = Northgate::start(&[]);
    let demo = Application::demo(&server);
    let login = format!("appId={}&secret={}", demo.app_id, demo.secret);
    let mut wire = Wire::open(&server);
    let asking = head("login", &format!("Expect: 100-continue\r\nContent-Length: {}", login.len()));
    for (wrong, status) in [(asking.replace("login", "logins"), 404), (asking.replace("POST", "PUT"), 405)] {
        wire.send(wrong);
        assert_eq!(wire.record(), "HTTP/1.1 100 Continue\r\n\r\n");
        wire.send(&login);
        assert_eq!(wire.answer().0, status);
    }
    wire.send(post("login", FORM, login.as_bytes()));
    assert_eq!(wire.answer().0, 200);
}

// Some clients wait a while only, and then send without having been told to.
#[tokio::test]
async fn a_client_that_asks_first_and_does_not_wait_is_answered_as_well() {
    let server = Northgate::start(&[]);
    let demo = Application::demo(&server);
    let login = format!("appId={}&secret={}", demo.app_id, demo.secret);
    let mut wire = Wire::open(&server);
    let expect = format!("expect: 100-CONTINUE\r\nContent-Length: {}", login.len());
    wire.send(head("login", &expect) + &login);
    let first = wire.record();
    let answer = if first == "HTTP/1.1 100 Continue\r\n\r\n" { wire.record() } else { first };
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}
