//! Tokens for a client's own credentials (RFC 6749 §4.4, §5.1).

use northgate_core::policy::Overrides;
use serde_json::{Value, json};

use crate::oauth::request::*;
use crate::support::world::*;

const ASK: &str = "grant_type=client_credentials";

/// RFC 6749 §5.1: the members of the answer, and "The authorization server MUST include the HTTP "Cache-Control" response
/// header field with a value of "no-store" […] as well as the "Pragma" response header field with a value of "no-cache"."
#[tokio::test]
async fn the_answer_has_the_members_of_the_standard_and_is_not_to_be_cached() {
    let world = World::new().await;
    let answer = send_as_demo(&world, TOKEN, ASK).await;
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    let token = body["access_token"].as_str().unwrap();
    let expected =
        json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": "default" });
    assert_eq!((answer.status, &body), (200, &expected));
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    assert_eq!(answer.header("Pragma"), Some("no-cache"));
    assert_eq!(answer.header("Content-Type"), Some("application/json; charset=UTF-8"));
    assert_eq!(token.len(), 64);
}

/// RFC 6749 §4.4.3: "A refresh token SHOULD NOT be included."
#[tokio::test]
async fn there_is_no_refresh_token() {
    let world = World::new().await;
    assert!(!send_as_demo(&world, TOKEN, ASK).await.body.contains("refresh_token"));
}

#[tokio::test]
async fn a_token_is_good_at_the_gateway() {
    let world = World::new().await;
    let token = access_token(&world).await;
    assert_eq!(world.verify(&token).await.status, 200);
    assert_ne!(token, access_token(&world).await);
}

#[tokio::test]
async fn a_logout_with_one_token_ends_that_one_only() {
    let world = World::new().await;
    let (one, other) = (access_token(&world).await, access_token(&world).await);
    assert_eq!(world.logout(&one).await.status, 204);
    assert_eq!(world.verify(&one).await.status, 403);
    assert_eq!(world.verify(&other).await.status, 200);
}

/// RFC 6749 §5.2: `unauthorized_client`: it did authenticate, and is not to be told that its secret is wrong.
#[tokio::test]
async fn a_frozen_application_gets_no_token() {
    let world = World::new().await;
    world.freeze().await;
    is_error(&send_as_demo(&world, TOKEN, ASK).await, 400, "unauthorized_client");
    let wrong = send(&world, TOKEN, &format!("{ASK}&client_id=demo&client_secret=wrong")).await;
    is_error(&wrong, 401, "invalid_client");
}

#[tokio::test]
async fn an_application_that_calls_too_often_is_told_when_to_come_again() {
    let overrides = Overrides { calls_per_minute: Some(2), ..SETUP.overrides };
    let world = World::with(Setup { overrides, ..SETUP }).await;
    access_token(&world).await;
    access_token(&world).await;
    let answer = send_as_demo(&world, TOKEN, ASK).await;
    is_error(&answer, 429, "temporarily_unavailable");
    assert_eq!(answer.header("Retry-After"), Some("30"));
    assert!(
        answer.member("error_description").contains("more often than its policy allows"),
        "{}",
        answer.body
    );
}
