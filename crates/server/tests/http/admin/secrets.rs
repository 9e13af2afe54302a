//! Laws about the secrets of an application.

use std::time::Duration;

use northgate_core::app_id::AppId;
use serde_json::{Value, json};

use crate::admin::world::World;

#[tokio::test]
async fn a_secret_is_replaced_without_a_moment_in_which_none_is_good() {
    let world = World::start().await;
    let old = world.application("a").await;
    let (status, added) = world.post("/admin/v1/applications/a/secrets", json!({"label": "2024"})).await;
    assert_eq!((status, &added["id"]), (201, &json!(2)));
    let new = added["secret"].as_str().unwrap();
    assert!(world.login("a", &old).await.is_ok() && world.login("a", new).await.is_ok());
    let (status, _) = world.post("/admin/v1/applications/a/secrets/1/retire", json!({"after": "7d"})).await;
    assert_eq!(status, 200);
    world.clock.advance(Duration::from_secs(7 * 86_400 - 1));
    assert!(world.login("a", &old).await.is_ok());
    world.clock.advance(Duration::from_secs(1));
    assert!(world.login("a", &old).await.is_err());
    assert!(world.login("a", new).await.is_ok());
}

#[tokio::test]
async fn a_secret_retires_at_once_at_a_time_or_after_a_time() {
    let world = World::start().await;
    world.application("a").await;
    for (body, at) in [
        (json!({"after": "1h"}), "2023-11-14T23:13:20.000Z"),
        (json!({"at": "2024-01-31T12:00:00Z"}), "2024-01-31T12:00:00.000Z"),
        (Value::Null, "2023-11-14T22:13:20.000Z"),
    ] {
        let (_, answer) = world.post("/admin/v1/applications/a/secrets/1/retire", body).await;
        assert_eq!(answer["secrets"][0]["retireAt"], at);
    }
    for body in [
        json!({"at": "tomorrow"}),
        json!({"after": "soon"}),
        json!({"at": "2024-01-31T12:00:00Z", "after": "1h"}),
    ] {
        let (status, answer) = world.post("/admin/v1/applications/a/secrets/1/retire", body).await;
        assert_eq!((status, &answer["error"]), (400, &json!("invalid-request")));
    }
}

#[tokio::test]
async fn a_secret_is_ended_with_all_tokens_of_its_application_or_without() {
    let world = World::start().await;
    let secret = world.application("a").await;
    world.post("/admin/v1/applications/a/secrets", json!({"secret": "another"})).await;
    let pair = world.login("a", &secret).await.unwrap();
    let is_good = || {
        let id = AppId::parse("a").unwrap();
        world.auth.verify(Some(&id), &pair.access_token, None, &[], world.clock.now()).is_ok()
    };
    for later in
        [json!({"after": "1h", "revoke": true}), json!({"at": "2024-01-31T12:00:00Z", "revoke": true})]
    {
        let (status, answer) = world.post("/admin/v1/applications/a/secrets/1/retire", later).await;
        assert_eq!((status, &answer["error"]), (400, &json!("invalid-request")));
    }
    assert_eq!(world.post("/admin/v1/applications/a/secrets/1/retire", json!({})).await.0, 200);
    assert!(is_good());
    let (status, answer) =
        world.post("/admin/v1/applications/a/secrets/1/retire", json!({"revoke": true})).await;
    assert_eq!((status, &answer["secrets"][0]["retireAt"]), (200, &json!("2023-11-14T22:13:20.000Z")));
    assert!(!is_good());
    assert!(world.login("a", "another").await.is_ok());
}

#[tokio::test]
async fn a_given_secret_is_added_and_not_given_back() {
    let world = World::start().await;
    world.application("a").await;
    let (status, added) = world.post("/admin/v1/applications/a/secrets", json!({"secret": "weak"})).await;
    assert_eq!((status, added), (201, json!({"id": 2})));
    assert!(world.login("a", "weak").await.is_ok());
}

#[tokio::test]
async fn an_application_has_at_most_8_live_secrets() {
    let world = World::start().await;
    world.application("a").await;
    for _ in 0..7 {
        assert_eq!(world.post("/admin/v1/applications/a/secrets", json!({})).await.0, 201);
    }
    let (status, answer) = world.post("/admin/v1/applications/a/secrets", json!({})).await;
    assert_eq!((status, &answer["error"]), (409, &json!("too-many-secrets")));
}

#[tokio::test]
async fn the_secrets_of_nobody_and_the_secret_that_nobody_has_are_unknown() {
    let world = World::start().await;
    world.application("a").await;
    for (path, error) in [
        ("/admin/v1/applications/b/secrets", "unknown-application"),
        ("/admin/v1/applications/b/secrets/1/retire", "unknown-application"),
        ("/admin/v1/applications/a/secrets/2/retire", "unknown-secret"),
    ] {
        let (status, answer) = world.post(path, json!({})).await;
        assert_eq!((status, &answer["error"]), (404, &json!(error)), "{path}");
    }
}
