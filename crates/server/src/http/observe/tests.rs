use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{Request, Response, StatusCode};
use northgate_core::app_id::AppId;
use northgate_core::application::AppNumber;
use northgate_core::grant::{GrantId, GrantKey};
use serde_json::Value;

use super::*;
use crate::http::status::Challenge;

/// The captured log.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("a page").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn logged_while(work: impl FnOnce()) -> Vec<Value> {
    let page = Page::default();
    let lines = {
        let page = page.clone();
        tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || page.clone()).finish()
    };
    tracing::subscriber::with_default(lines, work);
    let text = page.0.lock().expect("a page").clone();
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).expect("JSON"))
        .collect()
}

fn request() -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = "/iocm/app/sec/v1.1.0/login?secret=s1".parse().expect("a URI");
    request
}

fn asked(watch: &Arc<RequestLog>) -> InFlight {
    InFlight::begin(watch, &request(), Peer::direct("192.0.2.1:4711".parse().expect("an address")))
}

fn answered(status: StatusCode, observed: Option<Observed>) -> ObservedResponse {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    if status == StatusCode::UNAUTHORIZED {
        answer.headers_mut().insert(WWW_AUTHENTICATE, Challenge::AppSecret.value());
    }
    ObservedResponse { answer, observed, detail: None }
}

fn lines_of(answered: ObservedResponse, logged: LoggedRequests) -> Vec<Value> {
    let watch = Arc::new(RequestLog::new(
        Listener::Public,
        logged,
        Arc::default(),
        Redaction::new(&[], |app| app.as_str() == "a1"),
        None,
    ));
    logged_while(|| drop(asked(&watch).answered(answered)))
}

fn rejected_login() -> Observed {
    let mut observed = Observed::new(Operation::Login);
    observed.application = AppId::parse("a1").ok();
    observed.outcome = Outcome::Rejected;
    observed.detail = Some("the appId is unknown or the secret is wrong".to_owned());
    observed
}

#[test]
fn a_request_has_one_line_that_names_who_asked_what_and_what_became_of_it() {
    let lines = lines_of(answered(StatusCode::UNAUTHORIZED, Some(rejected_login())), LoggedRequests::All);
    let [line] = &lines[..] else { panic!("{lines:?}") };
    for (field, value) in [
        ("message", "login rejected"),
        ("target", "northgate::request"),
        ("listener", "public"),
        ("method", "GET"),
        ("path", "/iocm/app/sec/v1.1.0/login"),
        ("operation", "login"),
        ("application", "a1"),
        ("outcome", "rejected"),
        ("peer", "192.0.2.1:4711"),
        ("detail", "the appId is unknown or the secret is wrong"),
    ] {
        assert_eq!(line[field], value, "{field}");
    }
    assert_eq!(line["status"], 401);
    assert!(line["duration_us"].is_u64());
    assert!(!line.to_string().contains("s1"), "the query string is in {line}");
}

#[test]
fn the_answer_has_the_id_of_the_line_and_is_not_to_be_stored() {
    let watch = Arc::new(RequestLog::new(
        Listener::Private,
        LoggedRequests::All,
        Arc::default(),
        Redaction::new(&[], |app| app.as_str() == "a1"),
        None,
    ));
    let mut ids = Vec::new();
    let lines = logged_while(|| {
        for _ in 0..2 {
            let answer = asked(&watch).answered(answered(StatusCode::OK, None));
            assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
            ids.push(answer.headers()[X_REQUEST_ID].to_str().expect("ASCII").to_owned());
        }
    });
    assert_eq!(lines.iter().map(|line| line["request"].as_str().expect("an id")).collect::<Vec<_>>(), ids);
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn which_requests_are_logged_is_a_setting() {
    let logged = |status, requests| lines_of(answered(status, None), requests).len();
    assert_eq!(logged(StatusCode::OK, LoggedRequests::All), 1);
    assert_eq!(logged(StatusCode::OK, LoggedRequests::Failed), 0);
    assert_eq!(logged(StatusCode::NOT_FOUND, LoggedRequests::Failed), 1);
    assert_eq!(logged(StatusCode::NOT_FOUND, LoggedRequests::None), 0);
}

#[test]
fn reuse_has_a_line_in_the_audit_whatever_is_logged() {
    let grant = GrantKey { application: AppNumber(1), id: GrantId(0xabc) };
    let mut observed = rejected_login();
    observed.audit = Some(Audit::Reused { grant, presented: 3, current: 7, closed: true });
    let lines = lines_of(answered(StatusCode::BAD_REQUEST, Some(observed)), LoggedRequests::None);
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(line["target"], "northgate::audit");
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["application"], "a1");
    assert_eq!(line["grant"], "0000000000000abc");
    assert_eq!((&line["presented"], &line["current"], &line["closed"]), (&3.into(), &7.into(), &true.into()));
}

#[test]
fn a_client_that_hangs_up_before_the_answer_is_logged_as_such() {
    let watch = Arc::new(RequestLog::new(
        Listener::Public,
        LoggedRequests::Failed,
        Arc::default(),
        Redaction::new(&[], |app| app.as_str() == "a1"),
        None,
    ));
    let lines = logged_while(|| drop(asked(&watch)));
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(line["outcome"], "hung-up");
    assert_eq!(line["status"], Value::Null);
}

#[test]
fn what_is_observed_comes_through_the_router() {
    let answer = rejected_login().beside(Response::new(Body::empty())).into_response();
    let observed = ObservedResponse::from(answer).observed.expect("what was observed");
    assert_eq!((observed.operation, observed.outcome), (Operation::Login, Outcome::Rejected));
}

// Regression: a line showed any appId of a login, which was the secret where a program had mixed up the two.
#[test]
fn an_app_id_that_is_not_registered_is_not_written() {
    let mut observed = rejected_login();
    observed.application = AppId::parse("s3cret").ok();
    let lines = lines_of(answered(StatusCode::UNAUTHORIZED, Some(observed)), LoggedRequests::All);
    assert_eq!(lines[0]["outcome"], "rejected");
    assert_eq!(lines[0]["application"], Value::Null);
}
