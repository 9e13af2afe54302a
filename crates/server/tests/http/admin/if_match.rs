//! Laws of `ETag` and `If-Match`: a change that was decided on another state does nothing.

use reqwest::Method;
use serde_json::{Value, json};

use crate::admin::world::World;

const ONE: &str = "/admin/v1/applications/a";

/// The status, the `ETag` and the word of an answer.
async fn ask(world: &World, method: Method, path: &str, if_match: &str, body: Value) -> (u16, String, Value) {
    let request = world.http.request(method, format!("http://{}{path}", world.address));
    let request = request.bearer_auth(&world.token).header("if-match", if_match).body(body.to_string());
    let answer = request.send().await.unwrap();
    let tag = answer.headers().get("etag").map_or("", |tag| tag.to_str().unwrap()).to_owned();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, tag, serde_json::from_str::<Value>(&text).unwrap_or_default()["error"].clone())
}

async fn tag(world: &World) -> String {
    ask(world, Method::GET, ONE, "*", json!({})).await.1
}

/// Every change of an application, each with a valid body.
fn changes() -> Vec<(Method, String, Value)> {
    let post = |path: &str, body| (Method::POST, format!("{ONE}{path}"), body);
    vec![
        (Method::PATCH, ONE.to_owned(), json!({"name": "m"})),
        post("/freeze", json!({})),
        post("/unfreeze", json!({})),
        post("/revoke", json!({})),
        post("/secrets", json!({})),
        post("/secrets/1/retire", json!({})),
        post("/credentials", json!({"subject": "CN=a"})),
        (Method::DELETE, format!("{ONE}/credentials/1"), json!({})),
        (Method::DELETE, ONE.to_owned(), json!({})),
    ]
}

#[tokio::test]
async fn every_change_takes_effect_in_the_state_that_it_names_and_in_no_other() {
    let world = World::start().await;
    world.application("a").await;
    let mut seen = vec!["\"9-0\"".to_owned(), "W/\"1-0\"".to_owned(), "\"x\"".to_owned()];
    for (method, path, body) in changes() {
        let present = tag(&world).await;
        for stale in &seen {
            let heard = ask(&world, method.clone(), &path, stale, body.clone()).await;
            assert_eq!(heard, (412, present.clone(), json!("stale")), "{method} {path} {stale}");
            assert_eq!(tag(&world).await, present, "{method} {path} {stale}");
        }
        let listed = format!("\"x\", {present}");
        let (status, _, error) = ask(&world, method.clone(), &path, &listed, body).await;
        assert!(status < 300, "{method} {path}: {error}");
        assert_ne!(tag(&world).await, present, "{method} {path}");
        seen.push(present);
    }
}

#[tokio::test]
async fn a_successor_with_the_same_app_id_has_another_tag() {
    let world = World::start().await;
    world.application("a").await;
    let first = tag(&world).await;
    ask(&world, Method::DELETE, ONE, "*", json!({})).await;
    world.application("a").await;
    assert_ne!(tag(&world).await, first);
    assert_eq!(ask(&world, Method::DELETE, ONE, &first, json!({})).await.0, 412);
}
