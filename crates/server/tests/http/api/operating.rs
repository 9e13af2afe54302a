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
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(answer.header("Content-Type"), Some(content_type));
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
async fn a_server_that_is_not_ready_is_still_alive() {
    let world = World::new().await;
    get(&world, "/health/ready").await.is(200, r#"{"status":"ok"}"#);
    world.is_ready.store(false, Ordering::Relaxed);
    get(&world, "/health/ready").await.is(503, r#"{"reason":"the disk is full","status":"unavailable"}"#);
    get(&world, "/health/live").await.is(200, r#"{"status":"ok"}"#);
}
