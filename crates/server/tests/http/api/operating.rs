//! Metrics and health.

use std::sync::atomic::Ordering;

use crate::support::socket::{Answer, ask};
use crate::support::world::*;

async fn get(world: &World, path: &str) -> Answer {
    ask(world.private, format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")).await
}

#[tokio::test]
async fn operations_are_counted_by_what_became_of_them() {
    let world = World::new().await;
    let login = world.login().await;
    world.refresh(&login.member("refreshToken")).await;
    world.refresh(&login.member("refreshToken")).await;
    world.verify("nonsense").await;
    let answer = get(&world, "/metrics").await;
    assert_eq!(answer.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        "northgate_operations_total{operation=\"login\",outcome=\"ok\"} 1\n",
        "northgate_operations_total{operation=\"refresh\",outcome=\"ok\"} 1\n",
        "northgate_operations_total{operation=\"refresh\",outcome=\"replayed\"} 1\n",
        "northgate_operations_total{operation=\"verify\",outcome=\"refused\"} 1\n",
        "northgate_operation_duration_seconds_count{operation=\"refresh\"} 2\n",
        "northgate_applications 1\n",
    ] {
        assert!(answer.body.contains(line), "{line} is not in\n{}", answer.body);
    }
}

#[tokio::test]
async fn a_scraper_that_asks_for_open_metrics_gets_it_and_others_the_text_format() {
    let world = World::new().await;
    let scraper = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
    let request = format!("GET /metrics HTTP/1.1\r\nHost: h\r\nAccept: {scraper}\r\n\r\n");
    let open_metrics = ask(world.private, request).await;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open_metrics.header("Content-Type"), Some(content_type));
    assert!(open_metrics.body.contains("# TYPE northgate_operations counter\n"), "{}", open_metrics.body);
    assert!(open_metrics.body.ends_with("# EOF\n"));
    let text = get(&world, "/metrics").await.body;
    assert!(text.contains("# TYPE northgate_operations_total counter\n"), "{text}");
    assert!(text.contains("# TYPE northgate_build_info gauge\n") && !text.contains("# EOF"), "{text}");
}

#[tokio::test]
async fn a_server_that_is_not_ready_is_still_alive() {
    let world = World::new().await;
    get(&world, "/health/ready").await.is(200, r#"{"status":"ok"}"#);
    world.is_ready.store(false, Ordering::Relaxed);
    get(&world, "/health/ready").await.is(503, r#"{"reason":"the disk is full","status":"unavailable"}"#);
    get(&world, "/health/live").await.is(200, r#"{"status":"ok"}"#);
}
