use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::net::TcpListener;

use super::export::Exporter;
use super::span::{Description, Kind};
use super::*;
use crate::config::traces::Endpoint;
use crate::http_client::Origin;

const PATIENCE: Duration = Duration::from_secs(60);
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn tracer(ratio: f64, bound: usize) -> Arc<Tracer> {
    Arc::new(Tracer::new(Ratio::new(ratio).unwrap(), bound, false))
}

fn caller(flags: &str) -> HeaderMap {
    let value = format!("00-{TRACE}-00f067aa0ba902b7-{flags}");
    [(context::TRACEPARENT, value.parse().unwrap())].into_iter().collect()
}

fn description() -> Description {
    Description {
        name: "GET /verify".to_owned(),
        kind: Kind::Server,
        attributes: Vec::new(),
        is_error: false,
    }
}

fn finish(traced: &Traced) {
    traced.finish(Instant::now(), description);
}

fn handed_on(traced: &Traced) -> String {
    let mut headers = HeaderMap::new();
    traced.handed_on().write(&mut headers);
    headers[context::TRACEPARENT].to_str().unwrap().to_owned()
}

#[test]
fn a_sampled_caller_gets_a_child_and_its_flag_wins_over_the_ratio() {
    let tracer = tracer(0.0, 10);
    let traced = tracer.begin(&caller("01"));
    finish(&traced);
    let spans = tracer.batch();
    assert_eq!((spans.len(), spans[0].parent), (1, Some(SpanId(0x00f0_67aa_0ba9_02b7))));
    assert_eq!(handed_on(&traced), format!("00-{TRACE}-{}-01", spans[0].id));
}

#[test]
fn a_caller_that_is_not_sampled_is_handed_on_as_it_is() {
    let tracer = tracer(1.0, 10);
    let traced = tracer.begin(&caller("00"));
    finish(&traced);
    assert_eq!((tracer.batch(), traced.parent().is_none()), (vec![], true));
    assert_eq!(handed_on(&traced), format!("00-{TRACE}-00f067aa0ba902b7-00"));
}

#[test]
fn a_request_without_a_caller_begins_a_trace_by_the_ratio() {
    for (ratio, count, flags) in [(0.0, 0, "00"), (1.0, 1, "01")] {
        let tracer = tracer(ratio, 10);
        let traced = tracer.begin(&HeaderMap::new());
        finish(&traced);
        let spans = tracer.batch();
        assert_eq!(spans.len(), count);
        assert!(spans.iter().all(|span| span.parent.is_none() && span.trace == traced.trace));
        assert!(handed_on(&traced).ends_with(flags));
    }
}

#[test]
fn each_request_without_a_caller_has_a_trace_of_its_own() {
    let tracer = tracer(1.0, 10);
    let [one, other] = [tracer.begin(&HeaderMap::new()), tracer.begin(&HeaderMap::new())];
    assert_ne!(one.trace, other.trace);
}

#[test]
fn beyond_the_bound_of_the_queue_spans_are_dropped_and_counted_and_the_caller_hears_that_none_is_recorded() {
    let tracer = tracer(1.0, 1);
    let [first, second] = [tracer.begin(&caller("01")), tracer.begin(&caller("01"))];
    finish(&first);
    finish(&second);
    let third = tracer.begin(&caller("01"));
    assert_eq!(handed_on(&third), format!("00-{TRACE}-00f067aa0ba902b7-00"));
    assert_eq!((tracer.batch().len(), tracer.counts.dropped.load(Relaxed)), (1, 2));
}

/// A collector that answers with these, and then with success.
async fn collector(answers: &[(u16, &'static str)]) -> (Endpoint, Arc<Mutex<Vec<Bytes>>>) {
    let received = Arc::new(Mutex::new(Vec::new()));
    let answers = Arc::new(Mutex::new(answers.iter().copied().collect::<VecDeque<_>>()));
    let bodies = Arc::clone(&received);
    let take = post(move |body: Bytes| async move {
        bodies.lock().unwrap().push(body);
        let (status, text) = answers.lock().unwrap().pop_front().unwrap_or((200, "{}"));
        (StatusCode::from_u16(status).unwrap(), text)
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let routes = Router::new().route("/v1/traces", take);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let origin = Origin { host: "127.0.0.1".to_owned(), port, is_tls: false };
    (Endpoint { origin, path: "/v1/traces".to_owned() }, received)
}

/// Counts of exported and dropped spans after as many attempts as there are answers.
async fn exported(spans: usize, answers: &[(u16, &'static str)]) -> (u64, u64, usize) {
    let tracer = tracer(1.0, 10_000);
    (0..spans).for_each(|_| finish(&tracer.begin(&HeaderMap::new())));
    let (endpoint, received) = collector(answers).await;
    let mut exporter = Exporter::new(&tracer, endpoint, PATIENCE).unwrap();
    for _ in answers {
        exporter.finish(PATIENCE).await;
    }
    let counts = &tracer.counts;
    let received = received.lock().unwrap().len();
    (counts.exported.load(Relaxed), counts.dropped.load(Relaxed), received)
}

#[tokio::test]
async fn spans_are_exported_in_batches() {
    assert_eq!(exported(2 * BATCH + 1, &[(200, "{}")]).await, (2 * BATCH as u64 + 1, 0, 3));
}

#[tokio::test]
async fn a_batch_is_sent_again_while_the_collector_is_overloaded_and_dropped_when_it_refuses() {
    assert_eq!(exported(3, &[(503, ""), (200, "")]).await, (3, 0, 2));
    assert_eq!(exported(3, &[(400, ""), (200, "")]).await, (0, 3, 1));
}

#[tokio::test]
async fn spans_that_the_collector_rejects_count_as_dropped() {
    let answer = r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}"#;
    assert_eq!(exported(3, &[(200, answer)]).await, (1, 2, 1));
}
