//! Laws about the keyring.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::Duration;

use northgate_core::app_id::AppId;
use northgate_core::keyring::Keyring;
use northgate_server::keys::keyring_file::KeyringFile;
use reqwest::Method;
use serde_json::{Value, json};

use crate::admin::world::World;

#[tokio::test]
async fn a_rotation_is_durable_and_keeps_the_tokens_of_the_key_before() {
    let world = World::start().await;
    let secret = world.application("a").await;
    let pair = world.login("a", &secret).await.unwrap();
    let (status, answer) = world.post("/admin/v1/keys/rotate", Value::Null).await;
    let keys = json!([
        {"id": 1, "createdAt": "2023-11-14T22:13:20.000Z", "useFrom": "2023-11-14T22:13:20.000Z",
         "retireAt": "2023-12-14T22:23:50.000Z", "state": "current"},
        {"id": 2, "createdAt": "2023-11-14T22:13:20.000Z", "useFrom": "2023-11-14T22:23:20.000Z", "state": "next"}
    ]);
    assert_eq!((status, &answer["keys"]), (200, &keys));
    assert_eq!(world.rotations.load(Ordering::SeqCst), 1);
    let app = AppId::parse("a").unwrap();
    assert!(world.auth.verify(Some(&app), &pair.access_token, None, &[], world.clock.now()).is_ok());
    let path = world.place.dir.path().join("keyring.toml");
    let (_, saved): (_, Keyring) = KeyringFile::open_or_create(&path, world.clock.now(), true).unwrap();
    assert!(saved.ticket_seeds() == world.auth.keyring().ticket_seeds());
}

#[tokio::test]
async fn a_key_is_used_when_its_lead_is_over_and_at_once_where_the_operator_says_so() {
    let world = World::start().await;
    let states = |keys: Value| -> Vec<String> {
        let keys = keys["keys"].as_array().unwrap();
        keys.iter().map(|key| key["state"].as_str().unwrap().to_owned()).collect()
    };
    world.post("/admin/v1/keys/rotate", Value::Null).await;
    world.clock.advance(Duration::from_secs(599));
    assert_eq!(states(world.get("/admin/v1/keys").await), ["current", "next"]);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(states(world.get("/admin/v1/keys").await), ["retiring", "current"]);
    world.post("/admin/v1/keys/rotate", json!({ "atOnce": true })).await;
    assert_eq!(states(world.get("/admin/v1/keys").await), ["retiring", "retiring", "current"]);
    world.clock.advance(Duration::from_secs(40 * 86_400));
    assert_eq!(states(world.get("/admin/v1/keys").await), ["retired", "retired", "current"]);
}

/// An empty array was taken for an object whose members are left out, and rotated the keyring.
#[tokio::test]
async fn a_body_that_is_no_object_is_refused() {
    let world = World::start().await;
    for body in [json!([]), json!([true]), json!("atOnce"), json!(1)] {
        let (status, answer) = world.post("/admin/v1/keys/rotate", body).await;
        assert_eq!((status, &answer["error"]), (400, &json!("invalid-request")));
    }
    assert_eq!(world.rotations.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn keys_are_shown_without_their_bytes() {
    let world = World::start().await;
    let shown = world.get("/admin/v1/keys").await.to_string();
    let file = fs::read_to_string(world.place.dir.path().join("keyring.toml")).unwrap();
    let bytes: Vec<&str> = file.split('"').filter(|text| text.len() == 64).collect();
    assert_eq!(bytes.len(), 2);
    assert!(bytes.iter().all(|bytes| !shown.contains(bytes)), "{shown}");
}

#[tokio::test]
async fn rotations_at_the_same_moment_lose_no_key() {
    let world = World::start().await;
    let rotate = || world.ask(Method::POST, "/admin/v1/keys/rotate", Value::Null);
    tokio::join!(rotate(), rotate(), rotate(), rotate());
    let ids: Vec<u16> = world.auth.keyring().record().keys.iter().map(|key| key.id.0).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_rotation_that_cannot_be_saved_does_not_happen() {
    let world = World::start().await;
    // A folder stands where the draft of the file would be written.
    fs::create_dir(world.place.dir.path().join("keyring.toml.tmp")).unwrap();
    let (status, answer) = world.post("/admin/v1/keys/rotate", Value::Null).await;
    assert_eq!((status, &answer["error"]), (500, &json!("failed")));
    assert_eq!(world.auth.keyring().record().keys.len(), 1);
    assert_eq!(world.rotations.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_keyring_that_is_full_says_so_and_stays_as_it_is() {
    let world = World::start().await;
    for _ in 0..63 {
        assert_eq!(world.post("/admin/v1/keys/rotate", Value::Null).await.0, 200);
    }
    let (status, answer) = world.post("/admin/v1/keys/rotate", Value::Null).await;
    assert_eq!((status, &answer["error"]), (409, &json!("not-now")));
    assert_eq!(world.auth.keyring().record().keys.len(), 64);
}
