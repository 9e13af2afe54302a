//! Traces: W3C trace context at both listeners, and the spans of requests.

use northgate_server::traces::span::{Attribute, Kind, Span};

use crate::support::page::Page;
use crate::support::socket::{ask, post};
use crate::support::world::*;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

async fn traced(ratio: f64) -> World {
    World::with(Setup { traced: Some(ratio), ..SETUP }).await
}

fn verify(token: &str, headers: &str) -> String {
    let credentials = format!("app_key: demo\r\nAuthorization: Bearer {token}");
    format!("GET /verify HTTP/1.1\r\nHost: h\r\n{credentials}\r\n{headers}\r\n")
}

fn spans(world: &World) -> Vec<Span> {
    world.api.tracer.as_ref().unwrap().batch()
}

fn attribute<'s>(span: &'s Span, name: &str) -> Option<&'s Attribute> {
    span.description.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
}

#[tokio::test]
async fn verify_takes_the_callers_trace_up_and_hands_it_on() {
    let world = traced(0.0).await;
    let token = world.login().await.member("accessToken");
    assert_eq!(spans(&world), [], "the caller of this login began no trace");
    let context = format!("traceparent: 00-{TRACE}-{CALLER}-01\r\ntracestate: vendor=a\r\n");
    let answer = ask(world.private, verify(&token, &context)).await;
    let span = spans(&world).remove(0);
    assert_eq!(answer.header("traceparent"), Some(&*format!("00-{TRACE}-{}-01", span.id)));
    assert_eq!(answer.header("tracestate"), Some("vendor=a"));
    assert_eq!((span.trace.to_string(), span.parent.unwrap().to_string()), (TRACE.into(), CALLER.into()));
    assert_eq!(attribute(&span, "northgate.outcome"), Some(&Attribute::Word("ok")));
}

#[tokio::test]
async fn verify_begins_a_trace_for_a_caller_without_one_and_refusals_hand_it_on_as_well() {
    let world = traced(1.0).await;
    let answer = ask(world.private, verify("nonsense", "")).await;
    let span = spans(&world).remove(0);
    assert_eq!(answer.header("traceparent"), Some(&*format!("00-{}-{}-01", span.trace, span.id)));
    assert_eq!(span.parent, None);
}

#[tokio::test]
async fn without_traces_verify_answers_no_context() {
    let world = World::new().await;
    let token = world.login().await.member("accessToken");
    let context = format!("traceparent: 00-{TRACE}-{CALLER}-01\r\n");
    assert_eq!(ask(world.private, verify(&token, &context)).await.header("traceparent"), None);
}

#[tokio::test]
async fn a_public_request_has_a_server_span_by_the_conventions_and_its_line_names_the_trace() {
    let world = traced(1.0).await;
    let (page, _guard) = Page::open();
    let answer = ask(world.public, post(LOGIN, FORM, "appId=demo&secret=wrong")).await;
    let span = spans(&world).remove(0);
    assert_eq!((&*span.description.name, span.description.kind), (&*format!("POST {LOGIN}"), Kind::Server));
    let text = |text: &str| Some(Attribute::Text(text.to_owned()));
    for (name, value) in [
        ("http.request.method", Some(Attribute::Word("POST"))),
        ("http.route", text(LOGIN)),
        ("http.response.status_code", Some(Attribute::Number(answer.status))),
        ("url.scheme", Some(Attribute::Word("https"))),
        ("northgate.operation", Some(Attribute::Word("login"))),
        ("northgate.outcome", Some(Attribute::Word("rejected"))),
        ("northgate.request_id", text(answer.header("X-Request-Id").unwrap())),
        ("error.type", None),
    ] {
        assert_eq!(attribute(&span, name), value.as_ref(), "{name}");
    }
    assert!(page.text().contains(&span.trace.to_string()), "{}", page.text());
    assert_eq!(answer.header("traceparent"), None, "clients have no use for it");
}

#[tokio::test]
async fn scrapes_and_probes_leave_no_spans() {
    let world = traced(1.0).await;
    for path in ["/metrics", "/health/ready", "/revocations", "/verifyother"] {
        ask(world.private, format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
    }
    assert_eq!(spans(&world), []);
}
