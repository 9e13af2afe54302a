//! An embedded store whose queue has no room at all, which a queue before a database always has.

use crate::support::socket::{ask, post};
use crate::support::world::*;

#[tokio::test]
async fn a_store_whose_queue_is_full_is_busy_and_says_when_to_come_again() {
    let world = World::with(Setup { queue: 0, ..SETUP }).await;
    let body = format!("appId=demo&secret={}", world.secret);
    let answer = ask(world.public, post(LOGIN, FORM, body)).await;
    answer.is(503, r#"{"error_code":"50503","error_desc":"The service is busy."}"#);
    assert_eq!(answer.header("Retry-After"), Some("1"));
}
