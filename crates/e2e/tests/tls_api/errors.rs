//! Every row of the tables of errors, in both dialects, and what an error leaves as it was.

use std::process::Command;

use reqwest::Method;

use crate::rows::{INTERNAL, INVALID, MISSING, REJECTED, THROTTLED, Told, rows};
use crate::wire::{Wire, post};
use northgate_testkit::application::{Application, FORM, JSON};
use northgate_testkit::northgate::Northgate;

/// A dialect, with its answer to a refresh token that is not good and to a frozen application.
const DIALECTS: [(&str, Told, Told); 2] = [("intl", INVALID, FROZEN_INTL), ("cn", REJECTED, FROZEN_CN)];

const FROZEN_INTL: Told =
    (400, r#"{"error_code":"100449","error_desc":"The device is freezed cant operate."}"#);
const FROZEN_CN: Told = (
    400,
    r#"{"error_code":"100247","error_desc":"Operation not allowed. The application has been frozen."}"#,
);

/// With a window of nothing, a refresh token that had been used up by a request would not work again.
fn start(dialect: &str) -> Northgate {
    Northgate::start(&[("NORTHGATE_API_DIALECT", dialect), ("NORTHGATE_POLICY_RETRY_WINDOW", "0s")])
}

/// The grants of an application, as an operator sees them.
fn grants(server: &Northgate, app: &Application) -> serde_json::Value {
    let shown = server.tell(&["app", "show", &app.app_id, "--json"]);
    serde_json::from_str::<serde_json::Value>(&shown).unwrap()["grants"].take()
}

#[tokio::test]
async fn a_bad_request_is_answered_as_documented_and_changes_nothing() {
    for (dialect, refused, _) in DIALECTS {
        let server = start(dialect);
        let demo = Application::demo(&server);
        let pair = demo.login().await;
        let (access, mut refresh) = (pair.member("accessToken"), pair.member("refreshToken"));
        let before = grants(&server, &demo);
        for row in rows(&demo, &access, &refresh, refused) {
            let answer = demo.post(row.operation, row.content_type, row.body.clone()).await;
            let shown = String::from_utf8_lossy(&row.body[..row.body.len().min(1000)]).into_owned();
            let asked = format!("{dialect} {} {} {shown}", row.operation, row.content_type);
            assert_eq!((answer.status, &answer.body[..]), row.answer, "{asked}");
        }
        assert_eq!(grants(&server, &demo), before);

        // And once more with the valid token in between, each time.
        for index in 0..rows(&demo, &access, &refresh, refused).len() {
            let row = rows(&demo, &access, &refresh, refused).swap_remove(index);
            demo.post(row.operation, row.content_type, row.body.clone()).await;
            let answer = demo.refresh(&refresh).await;
            assert_eq!(answer.status, 200, "{dialect}: after {row:?}");
            refresh = answer.member("refreshToken");
        }
        assert_eq!(demo.verify(&access).await.status, 200);
        assert_eq!(grants(&server, &demo).as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_connection_is_good_after_every_error_and_every_answer_is_one_record() {
    let server = start("intl");
    let demo = Application::demo(&server);
    let pair = demo.login().await;
    let (access, refresh) = (pair.member("accessToken"), pair.member("refreshToken"));
    let mut wire = Wire::open(&server);
    for row in rows(&demo, &access, &refresh, INVALID) {
        wire.send(post(row.operation, row.content_type, &row.body));
        let (status, head, body) = wire.answer();
        assert_eq!((status, &body[..]), row.answer, "{row:?}");
        assert!(!head.contains("Connection: close"), "{head}");
    }
    for (request, expected) in [("GET /iocm/app/sec/v1.1.0/login", 405), ("GET /nowhere", 404)] {
        wire.send(format!("{request} HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!(wire.answer().0, expected);
    }
    let login = format!("appId={}&secret={}", demo.app_id, demo.secret);
    wire.send(post("login", FORM, login.as_bytes()));
    assert_eq!(wire.answer().0, 200);
}

#[tokio::test]
async fn a_frozen_application_hears_so_in_its_dialect() {
    for (dialect, _, frozen) in DIALECTS {
        let server = start(dialect);
        let demo = Application::demo(&server);
        let pair = demo.login().await;
        server.tell(&["app", "freeze", &demo.app_id]);
        // What is wrong with a request, or with the secret, is said first; what is wrong with the token is not.
        let refresh = demo.refresh(&pair.member("refreshToken")).await;
        for answer in [demo.login().await, refresh, demo.refresh("nonsense").await] {
            assert_eq!((answer.status, &answer.body[..]), frozen, "{dialect}");
        }
        let stranger = Application::new(&server, &demo.app_id, "wrong");
        for answer in [stranger.login().await, stranger.refresh("nonsense").await] {
            assert_eq!((answer.status, &answer.body[..]), REJECTED, "{dialect}");
        }
        let answer = demo.post("login", FORM, format!("appId={}", demo.app_id)).await;
        assert_eq!((answer.status, &answer.body[..]), MISSING, "{dialect}");
        // Who is leaving may leave.
        assert_eq!(demo.logout(&pair.member("accessToken")).await.status, 204);
    }
}

#[tokio::test]
async fn an_application_that_closes_more_grants_than_are_kept_in_mind_is_throttled() {
    let server = Northgate::start(&[("NORTHGATE_LIMITS_CLOSED_GRANTS", "1")]);
    let demo = Application::demo(&server);
    let (first, second) = (demo.login().await, demo.login().await);
    assert_eq!(demo.logout(&first.member("accessToken")).await.status, 204);
    let answer = demo.login().await;
    assert_eq!((answer.status, &answer.body[..]), THROTTLED);
    assert_eq!(demo.refresh(&second.member("refreshToken")).await.status, 200);
    assert_eq!(Application::created(&server, "Other").login().await.status, 200);
}

/// The limit on the size of files stands for a disk that is full.
fn limit_files(server: &Northgate, bytes: &str) {
    let limited =
        server.output(Command::new("prlimit").args(["--pid", &server.pid(), &format!("--fsize={bytes}:")]));
    assert!(limited.status.success(), "{limited:?}");
}

#[tokio::test]
async fn a_store_that_cannot_write_is_an_internal_error_until_it_can_again() {
    let server = start("intl");
    let demo = Application::demo(&server);
    let pair = demo.login().await;
    let (access, refresh) = (pair.member("accessToken"), pair.member("refreshToken"));
    limit_files(&server, "1");
    for answer in [demo.login().await, demo.refresh(&refresh).await, demo.logout(&access).await] {
        assert_eq!((answer.status, &answer.body[..]), INTERNAL);
    }
    // It needs no store.
    assert_eq!(demo.verify(&access).await.status, 200);
    limit_files(&server, "unlimited");
    // Opening the database again is tried after a while.
    while demo.login().await.status == 500 {}
    assert_eq!(demo.refresh(&refresh).await.status, 200);
    assert_eq!(demo.verify(&access).await.status, 200);
}

#[tokio::test]
async fn what_is_nowhere_or_asked_in_another_way_is_an_error_in_json() {
    let server = Northgate::start(&[("NORTHGATE_API_PREFIX", "/cvmp")]);
    let demo = Application::demo(&server);
    let not_found = r#"{"error_code":"50404","error_desc":"The resource is not found."}"#;
    let wrong_method = r#"{"error_code":"50405","error_desc":"The method is not allowed."}"#;
    let root = format!("https://{}", server.public);
    for path in [
        "/",
        "/iocm/app/sec/v1.1.0",
        "/iocm/app/sec/v1.2.0/login",
        "/cvmp/login",
        "/admin/v1/keys",
        "/metrics",
    ] {
        let answer = demo.ask(Method::POST, &format!("{root}{path}"), JSON, "{}").await;
        assert_eq!((answer.status, &answer.body[..]), (404, not_found), "{path}");
    }
    for operation in ["login", "refreshToken", "logout"] {
        for prefix in ["", "/cvmp"] {
            let url = format!("{root}{prefix}/iocm/app/sec/v1.1.0/{operation}");
            for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
                let answer = demo.ask(method, &url, JSON, "{}").await;
                assert_eq!((answer.status, &answer.body[..]), (405, wrong_method), "{url}");
            }
        }
    }
}
