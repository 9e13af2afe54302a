//! Introspection (RFC 7662), by applications and by gateways.

use std::time::Duration;

use serde_json::{Value, json};

use crate::oauth::request::*;
use crate::support::socket::{Answer, ask, post};
use crate::support::world::*;

const INACTIVE: &str = r#"{"active":false}"#;

async fn introspect(world: &World, token: &str) -> Answer {
    send_as_demo(world, INTROSPECT, &format!("token={token}")).await
}

/// RFC 7662 §2.2: "a JSON object […] in "application/json" format", of whose members `active` is REQUIRED.
#[tokio::test]
async fn an_application_learns_what_its_access_token_is_good_for() {
    let world = World::new().await;
    let token = access_token(&world).await;
    let answer = introspect(&world, &token).await;
    let mut told: Value = serde_json::from_str(&answer.body).unwrap();
    // RFC 7662 §2.2: an identifier of the token, which is not the token itself.
    let jti = told.as_object_mut().unwrap().remove("jti").unwrap();
    assert!(jti.as_str().unwrap().len() == 22 && !token.contains(jti.as_str().unwrap()), "{jti}");
    let expected = json!({
        "active": true, "scope": "default", "client_id": "demo", "sub": "demo", "token_type": "Bearer",
        "iss": "https://tokens.example.com", "aud": "https://api.example.com", "iat": BEGIN_S, "exp": BEGIN_S + 3600,
    });
    assert_eq!((answer.status, told), (200, expected));
    assert_eq!(answer.header("Content-Type"), Some("application/json; charset=UTF-8"));
}

/// RFC 7662 §4: "If the token can expire, the authorization server MUST determine whether or not the token has expired", and
/// whether it was revoked.
#[tokio::test]
async fn a_refresh_token_is_active_for_as_long_as_a_refresh_would_be_answered() {
    let world = World::new().await;
    let token = world.login().await.member("refreshToken");
    let told: Value = serde_json::from_str(&introspect(&world, &token).await.body).unwrap();
    assert_eq!((&told["active"], &told["exp"]), (&json!(true), &json!(BEGIN_S + 30 * 86_400)));
    assert_eq!(told.get("token_type"), None);
    world.refresh(&token).await;
    assert!(introspect(&world, &token).await.body.contains("true"));
    world.clock.advance(Duration::from_secs(65));
    introspect(&world, &token).await.is(200, INACTIVE);
}

/// RFC 7662 §2.2: "If the introspection call is properly authorized but the token is not active, does not exist on this
/// server, or the protected resource is not allowed to introspect this particular token, then the authorization server
/// MUST return an introspection response with the "active" field set to "false"."
#[tokio::test]
async fn a_token_that_is_not_good_is_inactive_and_nothing_more_is_told() {
    let world = World::new().await;
    let (access, other) = (access_token(&world).await, world.login().await);
    introspect(&world, "nonsense").await.is(200, INACTIVE);
    world.logout(&other.member("accessToken")).await;
    introspect(&world, &other.member("accessToken")).await.is(200, INACTIVE);
    introspect(&world, &other.member("refreshToken")).await.is(200, INACTIVE);
    world.clock.advance(Duration::from_secs(3600 + 30));
    introspect(&world, &access).await.is(200, INACTIVE);
}

/// RFC 7662 §2.2: "or the protected resource is not allowed to introspect this particular token".
#[tokio::test]
async fn another_applications_token_is_inactive() {
    let world = World::new().await;
    let secret = another(&world, "other").await;
    let form = format!("client_id=other&client_secret={secret}&token={}", access_token(&world).await);
    send(&world, INTROSPECT, &form).await.is(200, INACTIVE);
}

/// RFC 7662 §2.1: "the endpoint MUST also require some form of authorization to access this endpoint"; §2.3: 401.
#[tokio::test]
async fn who_does_not_show_who_it_is_learns_nothing() {
    let world = World::new().await;
    let form = format!("token={}", access_token(&world).await);
    is_error(&send(&world, INTROSPECT, &form).await, 401, "invalid_client");
    let wrong = format!("{form}&client_id=demo&client_secret=wrong");
    is_error(&send(&world, INTROSPECT, &wrong).await, 401, "invalid_client");
}

/// RFC 7662 §2.1: `token` is REQUIRED.
#[tokio::test]
async fn an_introspection_names_a_token() {
    let world = World::new().await;
    is_error(&send_as_demo(&world, INTROSPECT, "token_type_hint=access_token").await, 400, "invalid_request");
}

/// RFC 7662 §2.1: the hint may be wrong: "If the server is unable to locate the token using the given hint, it MUST extend
/// its search across all of its supported token types."
#[tokio::test]
async fn a_wrong_hint_does_not_matter() {
    let world = World::new().await;
    let token = access_token(&world).await;
    let answer = introspect(&world, &format!("{token}&token_type_hint=refresh_token")).await;
    assert!(answer.body.contains("\"active\":true"), "{}", answer.body);
}

#[tokio::test]
async fn a_gateway_introspects_any_token_on_the_private_listener() {
    let world = World::new().await;
    let token = access_token(&world).await;
    let asked = || async { ask(world.private, post(INTROSPECT, FORM, format!("token={token}"))).await };
    assert_eq!(asked().await.member("client_id"), "demo");
    world.freeze().await;
    asked().await.is(200, INACTIVE);
}
