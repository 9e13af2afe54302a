//! What is where, and what is nowhere.

use crate::support::socket::{Socket, ask, post};
use crate::support::world::*;

const NOT_FOUND: &str = r#"{"error_code":"50404","error_desc":"The resource is not found."}"#;
const WRONG_METHOD: &str = r#"{"error_code":"50405","error_desc":"The method is not allowed."}"#;

#[tokio::test]
async fn what_is_nowhere_is_not_found_on_either_listener() {
    let world = World::new().await;
    for path in
        ["/", "/iocm/app/sec/v1.1.0/", "/iocm/app/sec/v1.1.0/login/", "/IOCM/app/sec/v1.1.0/login", "/verify"]
    {
        let answer = ask(world.public, post(path, FORM, "appId=demo&secret=s")).await;
        answer.is(404, NOT_FOUND);
        assert_eq!(answer.header("Content-Type"), Some("application/json; charset=UTF-8"));
        assert!(answer.header("X-Request-Id").is_some());
    }
    ask(world.private, post(LOGIN, FORM, "appId=demo&secret=s")).await.is(404, NOT_FOUND);
}

#[tokio::test]
async fn another_method_hears_which_one_is_allowed() {
    let world = World::new().await;
    for path in [LOGIN, REFRESH, LOGOUT] {
        let answer = ask(world.public, format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
        answer.is(405, WRONG_METHOD);
        assert_eq!(answer.header("Allow"), Some("POST"));
    }
    let answer = ask(world.private, post("/metrics", "", "")).await;
    answer.is(405, WRONG_METHOD);
    assert_eq!(answer.header("Allow"), Some("GET,HEAD"));
}

#[tokio::test]
async fn the_api_is_also_under_the_prefix() {
    let world = World::with(Setup { prefix: "/cvmp", ..SETUP }).await;
    for path in [LOGIN.to_owned(), format!("/cvmp{LOGIN}")] {
        let body = format!("appId=demo&secret={}", world.secret);
        assert_eq!(ask(world.public, post(&path, FORM, body)).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn an_error_does_not_end_the_connection() {
    let world = World::new().await;
    let mut socket = Socket::open(world.public).await;
    for (path, status) in [("/nowhere", 404), (LOGIN, 400), (LOGOUT, 400)] {
        socket.send(post(path, FORM, "x=y")).await;
        assert_eq!(socket.answer().await.status, status);
    }
}
