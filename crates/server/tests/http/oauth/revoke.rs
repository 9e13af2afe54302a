//! Revocation (RFC 7009).

use crate::oauth::request::*;
use crate::support::socket::Answer;
use crate::support::world::*;

async fn revoke(world: &World, token: &str) -> Answer {
    send_as_demo(world, REVOKE, &format!("token={token}")).await
}

/// RFC 7009 §2.1: "Implementations MUST support the revocation of refresh tokens and SHOULD support the revocation of access
/// tokens"; for a refresh token, the access tokens of the same grant as well.
#[tokio::test]
async fn a_token_of_either_kind_takes_its_whole_grant_with_it() {
    let world = World::new().await;
    for kind in ["accessToken", "refreshToken"] {
        let login = world.login().await;
        revoke(&world, &login.member(kind)).await.is(200, "");
        assert_eq!(world.verify(&login.member("accessToken")).await.status, 403);
        assert_eq!(world.refresh(&login.member("refreshToken")).await.status, 400);
    }
}

#[tokio::test]
async fn a_token_for_client_credentials_is_revoked_alone() {
    let world = World::new().await;
    let (one, other) = (access_token(&world).await, access_token(&world).await);
    revoke(&world, &one).await.is(200, "");
    assert_eq!(world.verify(&one).await.status, 403);
    assert_eq!(world.verify(&other).await.status, 200);
}

/// RFC 7009 §2.2: "The authorization server responds with HTTP status code 200 if the token has been revoked successfully or
/// if the client submitted an invalid token."
#[tokio::test]
async fn a_token_that_is_over_or_never_was_is_revoked_all_the_same() {
    let world = World::new().await;
    let token = access_token(&world).await;
    for token in [&token[..], &token, "nonsense"] {
        revoke(&world, token).await.is(200, "");
    }
}

/// RFC 7009 §2.1: the server "verifies whether the token was issued to the client making the revocation request. If this
/// validation fails, the request is refused": the token stays good, and its sender does not learn whether it is one.
#[tokio::test]
async fn another_applications_token_stays_good() {
    let world = World::new().await;
    let (token, secret) = (access_token(&world).await, another(&world, "other").await);
    let form = format!("client_id=other&client_secret={secret}&token={token}");
    send(&world, REVOKE, &form).await.is(200, "");
    assert_eq!(world.verify(&token).await.status, 200);
}

/// RFC 7009 §2.1: "The authorization server first validates the client credentials".
#[tokio::test]
async fn a_revocation_without_its_client_is_refused() {
    let world = World::new().await;
    let token = access_token(&world).await;
    is_error(&send(&world, REVOKE, &format!("token={token}")).await, 401, "invalid_client");
    assert_eq!(world.verify(&token).await.status, 200);
}

/// RFC 7009 §2.1: `token` is REQUIRED; the hint is OPTIONAL, and one that is wrong does not matter (§2.2.1).
#[tokio::test]
async fn a_revocation_names_a_token_and_its_hint_does_not_matter() {
    let world = World::new().await;
    is_error(&send_as_demo(&world, REVOKE, "token_type_hint=access_token").await, 400, "invalid_request");
    let token = access_token(&world).await;
    revoke(&world, &format!("{token}&token_type_hint=refresh_token")).await.is(200, "");
    assert_eq!(world.verify(&token).await.status, 403);
}
