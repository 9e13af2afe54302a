//! Laws about stored times that a clock far ahead has written.

use std::sync::atomic::Ordering;
use std::time::Duration;

use northgate_server::clock::Clock;
use serde_json::{Value, json};

use crate::admin::world::World;

const YEAR: Duration = Duration::from_secs(365 * 86_400);

fn set_back(world: &World, by: Duration) {
    let Clock::Manual(millis) = &world.clock else { panic!("the clock of the machine") };
    millis.fetch_sub(by.as_millis() as u64, Ordering::SeqCst);
}

/// `app revoke` while the clock was a year ahead set a not-before that nothing brought back.
#[tokio::test]
async fn what_a_clock_a_year_ahead_has_written_is_found_and_set_right() {
    let world = World::start().await;
    let secret = world.application("a").await;
    assert_eq!(world.get("/admin/v1/clock").await["total"], 0);
    world.clock.advance(YEAR);
    let ahead = world.login("a", &secret).await.unwrap();
    world.post("/admin/v1/applications/a/revoke", Value::Null).await;
    set_back(&world, YEAR);
    let report = world.get("/admin/v1/clock").await;
    assert_eq!((&report["now"], &report["toleranceS"]), (&json!("2023-11-14T22:13:20.000Z"), &json!(300)));
    let not_before = json!({"what": "not-before", "appId": "a", "at": "2024-11-13T22:13:26.000Z"});
    assert_eq!((&report["total"], &report["ahead"][0]), (&json!(2), &not_before));
    assert_eq!(report["ahead"][1]["what"], "grant");
    let (status, repaired) = world.post("/admin/v1/clock/repair", Value::Null).await;
    assert_eq!((status, &repaired["setRight"], &repaired["total"]), (200, &json!(2), &json!(0)));
    let shown = world.get("/admin/v1/applications/a").await;
    assert_eq!(shown["tokensFrom"], "2023-11-14T22:13:26.000Z");
    let (status, again) = world.post("/admin/v1/clock/repair", Value::Null).await;
    assert_eq!((status, &again["setRight"]), (200, &json!(0)));
    // What was revoked stays so, also in its own time.
    let verify = |token: &str| world.auth.verify(None, token, None, &[], world.clock.now()).is_ok();
    assert!(!verify(&ahead.access_token));
    assert!(verify(&world.login("a", &secret).await.unwrap().access_token));
    world.clock.advance(YEAR + Duration::from_secs(60));
    assert!(!verify(&ahead.access_token));
}

#[tokio::test]
async fn legitimate_times_in_the_future_are_left_alone() {
    let world = World::start().await;
    let secret = world.application("a").await;
    world.login("a", &secret).await.unwrap();
    world.post("/admin/v1/keys/rotate", Value::Null).await;
    world.post("/admin/v1/applications/a/secrets", json!({})).await;
    world.post("/admin/v1/applications/a/secrets/1/retire", json!({"after": "30d"})).await;
    world.post("/admin/v1/applications/a/revoke", Value::Null).await;
    assert_eq!(world.get("/admin/v1/clock").await["ahead"], json!([]));
    let before = world.get("/admin/v1/applications/a").await;
    let (_, repaired) = world.post("/admin/v1/clock/repair", Value::Null).await;
    assert_eq!((&repaired["setRight"], &repaired["total"]), (&json!(0), &json!(0)));
    assert_eq!(world.get("/admin/v1/applications/a").await, before);
}
