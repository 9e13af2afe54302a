//! The public keys, and when they change (RFC 7517).

use std::time::Duration;

use northgate_core::actor::Actor;
use northgate_core::administer::{Change, UseFrom};
use northgate_core::app_id::AppId;
use northgate_core::clock::Timestamp;
use northgate_core::policy::{AccessTokens, Overrides};
use northgate_core::signing::Algorithm;
use serde_json::{Value, json};

use crate::jwt::client::*;
use crate::support::socket::Answer;
use crate::support::world::*;

const LEAD: Duration = Duration::from_secs(600);

async fn fetch(world: &World) -> Answer {
    get(world.public, "/oauth2/jwks", "").await
}

async fn kids(world: &World) -> Vec<String> {
    let set: Value = serde_json::from_str(&fetch(world).await.body).unwrap();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn kid(world: &World) -> String {
    part(&token(world).await, 0)["kid"].as_str().unwrap().to_owned()
}

/// RFC 7517 §4.1: "kty" "MUST be present in a JWK"; §5: "keys" "MUST be present"; §9.2: private keys "MUST be protected". RFC
/// 7518 §6.2.1.2: a coordinate has "the full size", also where it begins with zeros; RFC 8037 §2: the same for Ed25519.
#[tokio::test]
async fn the_set_has_public_keys_of_both_kinds_and_nothing_secret() {
    let world = World::new().await;
    let answer = fetch(&world).await;
    assert_eq!(answer.header("Content-Type"), Some("application/jwk-set+json"));
    let set: Value = serde_json::from_str(&answer.body).unwrap();
    let [es256, eddsa] = &set["keys"].as_array().unwrap()[..] else { panic!("{set}") };
    assert_eq!(
        (&eddsa["kty"], &eddsa["crv"], &eddsa["alg"]),
        (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA"))
    );
    assert_eq!(
        (&es256["kty"], &es256["crv"], &es256["alg"]),
        (&json!("EC"), &json!("P-256"), &json!("ES256"))
    );
    for key in [eddsa, es256] {
        assert_eq!(key["use"], json!("sig"));
        assert_eq!(key.get("d"), None);
        for coordinate in ["x", "y"].map(|name| &key[name]).into_iter().filter_map(Value::as_str) {
            // 32 bytes.
            assert_eq!(coordinate.len(), 43);
        }
    }
}

/// A gateway that caches the set for as long as allowed has every key before a token is signed with it.
#[tokio::test]
async fn a_new_key_is_published_before_it_signs_and_for_longer_than_the_set_is_kept() {
    for algorithm in Algorithm::ALL {
        let world = signing(algorithm).await;
        let before = fetch(&world).await;
        let max_age_s: u64 =
            before.header("Cache-Control").unwrap().split_once("max-age=").unwrap().1.parse().unwrap();
        assert!(Duration::from_secs(max_age_s) < LEAD);
        let (old, old_token) = (kid(&world).await, token(&world).await);
        rotate(&world, UseFrom::Lead);
        let published = kids(&world).await;
        assert_eq!(published.len(), 2);
        assert_ne!(fetch(&world).await.header("ETag"), before.header("ETag"));
        world.clock.advance(LEAD - Duration::from_millis(1));
        assert_eq!(kid(&world).await, old);
        world.clock.advance(Duration::from_millis(1));
        let new = kid(&world).await;
        assert!(new != old && published.contains(&new));
        assert_eq!(world.verify(&old_token).await.status, 200);
        assert_eq!(world.verify(&token(&world).await).await.status, 200);
    }
}

#[tokio::test]
async fn a_key_is_published_until_the_last_token_that_it_signed_has_ended() {
    let world = signing(Algorithm::EdDsa).await;
    let old = kid(&world).await;
    rotate(&world, UseFrom::Lead);
    let end = world.auth.keyring().record().keys[0].retire_at.unwrap();
    let until = |at: Timestamp| at.since(world.clock.now());
    world.clock.advance(until(end) - Duration::from_millis(1));
    assert!(kids(&world).await.contains(&old));
    world.clock.advance(Duration::from_millis(1));
    assert!(!kids(&world).await.contains(&old));
}

#[tokio::test]
async fn a_key_that_is_used_at_once_is_published_at_once() {
    let world = signing(Algorithm::Es256).await;
    let old = kid(&world).await;
    rotate(&world, UseFrom::After(Duration::ZERO));
    let new = kid(&world).await;
    assert!(new != old && kids(&world).await.contains(&new));
}

#[tokio::test]
async fn a_set_that_has_not_changed_is_not_sent_again() {
    let world = World::new().await;
    let etag = fetch(&world).await.header("ETag").unwrap().to_owned();
    let lines = format!("If-None-Match: {etag}\r\n");
    get(world.public, "/oauth2/jwks", &lines).await.is(304, "");
    rotate(&world, UseFrom::Lead);
    assert_eq!(get(world.public, "/oauth2/jwks", &lines).await.status, 200);
}

async fn set_policy(world: &World, access_tokens: AccessTokens) {
    let overrides = Overrides { access_tokens: Some(access_tokens), ..Overrides::default() };
    change(world, Change::Set { name: None, owner: None, policy: overrides.into(), allow: None }).await;
}

async fn kinds(world: &World) -> Vec<String> {
    let set: Value = serde_json::from_str(&fetch(world).await.body).unwrap();
    set["keys"].as_array().unwrap().iter().map(|key| key["kty"].as_str().unwrap().to_owned()).collect()
}

/// python-jose fails at the first key of a kind that it does not know. It met a key of Ed25519 that nothing was signed by, and
/// before that of P-256.
#[tokio::test]
async fn keys_of_algorithms_in_use_are_published_with_p256_first_and_no_other() {
    let world = signing(Algorithm::Es256).await;
    assert_eq!(kinds(&world).await, ["EC"]);
    let old = token(&world).await;
    set_policy(&world, AccessTokens::Jwt(Algorithm::EdDsa)).await;
    rotate(&world, UseFrom::Lead);
    // Tokens by the other algorithm are still out.
    assert_eq!(kinds(&world).await, ["EC", "EC", "OKP", "OKP"]);
    assert_eq!(world.verify(&old).await.status, 200);
    world.clock.advance(Duration::from_millis(3_629_999));
    assert_eq!(kinds(&world).await, ["EC", "EC", "OKP", "OKP"]);
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(kinds(&world).await, ["OKP", "OKP"]);
    let metadata = get(world.public, "/.well-known/openid-configuration", "").await;
    assert!(
        metadata.body.contains(r#""id_token_signing_alg_values_supported":["EdDSA"]"#),
        "{}",
        metadata.body
    );
    set_policy(&world, AccessTokens::Opaque).await;
    world.clock.advance(Duration::from_secs(3_629));
    assert_eq!(kinds(&world).await, ["OKP", "OKP"]);
}

/// A key has to be known before it is used: as long as nothing is signed, either algorithm may be the first.
#[tokio::test]
async fn while_no_algorithm_is_in_use_the_keys_of_all_are_published() {
    let world = World::new().await;
    let known = kids(&world).await;
    assert_eq!(kinds(&world).await, ["EC", "OKP"]);
    set_policy(&world, AccessTokens::Jwt(Algorithm::EdDsa)).await;
    assert!(known.contains(&kid(&world).await));
    assert_eq!(kinds(&world).await, ["OKP"]);
    world.auth.delete(&AppId::parse("demo").unwrap(), &Actor::LOCAL, world.clock.now()).await.unwrap();
    world.clock.advance(Duration::from_secs(3_631));
    assert_eq!(kinds(&world).await, ["OKP"]);
    world.clock.advance(Duration::from_secs(3_631));
    assert_eq!(kinds(&world).await, ["EC", "OKP"]);
}
