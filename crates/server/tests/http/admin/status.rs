//! Laws of the status of a node.

use serde_json::json;

use crate::admin::world::World;

#[tokio::test]
async fn the_status_has_what_an_operator_asks_first_and_needs_the_admin_token() {
    let world = World::start().await;
    world.application("a").await;
    let status = world.get("/admin/v1/status").await;
    assert_eq!((&status["ready"], &status["store"]), (&json!(true), &json!("embedded")));
    assert_eq!((&status["applications"], &status["attention"]), (&json!(1), &json!([])));
    assert_eq!(status["keys"][0]["state"], "current");
    let (refused, _) =
        world.ask_with("Bearer no", reqwest::Method::GET, "/admin/v1/status", json!(null)).await;
    assert_eq!(refused, 401);
}
