//! Signed access tokens: what they say, and that they are good exactly where opaque ones are (RFC 9068).

use std::time::Duration;

use northgate_core::administer::Change;
use northgate_core::application::State;
use northgate_core::policy::Overrides;
use northgate_core::signing::Algorithm;
use serde_json::{Value, json};

use crate::jwt::client::*;
use crate::support::world::*;

/// RFC 9068 §2.1: "JWT access tokens MUST include this media type in the "typ" header parameter", "MUST be signed […] MUST
/// NOT use "none"". §2.2: iss, exp, aud, sub, client_id, iat and jti are REQUIRED; where there is no resource owner, `sub`
/// is the client.
#[tokio::test]
async fn a_token_says_what_the_standard_requires() {
    for algorithm in Algorithm::ALL {
        let world = signing(algorithm).await;
        let token = token(&world).await;
        let keyring = world.auth.keyring();
        let kid = keyring.signing(algorithm, world.clock.now()).kid();
        assert_eq!(part(&token, 0), json!({ "typ": "at+jwt", "alg": algorithm.as_str(), "kid": kid }));
        let said = part(&token, 1);
        let expected = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "demo", "client_id": "demo", "scope": "default",
            "iat": BEGIN_S, "exp": BEGIN_S + 3600, "jti": said["jti"], "northgate": said["northgate"],
        });
        assert_eq!(said, expected);
        assert_eq!(said["northgate"]["application"], json!(1));
    }
}

/// RFC 7519 §4.1.7: "negligible probability that the same value will be accidentally assigned to a different data object".
#[tokio::test]
async fn each_token_has_an_id_of_its_own() {
    let world = signing(Algorithm::EdDsa).await;
    assert_ne!(part(&token(&world).await, 1)["jti"], part(&token(&world).await, 1)["jti"]);
}

#[tokio::test]
async fn issuing_one_leaves_nothing_behind() {
    let world = signing(Algorithm::EdDsa).await;
    let number = northgate_core::application::AppNumber(1);
    token(&world).await;
    assert!(world.auth.grants(number, world.clock.now()).await.unwrap().is_empty());
    assert!(world.auth.registry().revocations_of(number).is_empty());
}

#[tokio::test]
async fn it_is_good_at_the_gateway_and_introspected_until_it_ends() {
    for algorithm in Algorithm::ALL {
        let world = signing(algorithm).await;
        let token = token(&world).await;
        let answer = world.verify(&token).await;
        let expires_at = (BEGIN_S + 3600).to_string();
        assert_eq!((answer.status, answer.header("X-Northgate-Expires-At")), (200, Some(&expires_at[..])));
        assert_eq!(introspect(&world, &token).await["active"], Value::Bool(true));
        world.clock.advance(Duration::from_secs(3629));
        assert_eq!(world.verify(&token).await.status, 200);
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(world.verify(&token).await.status, 403);
        assert_eq!(introspect(&world, &token).await, json!({ "active": false }));
    }
}

#[tokio::test]
async fn freezing_unfreezing_and_a_shorter_lifetime_hold_at_once() {
    let world = signing(Algorithm::Es256).await;
    let token = token(&world).await;
    world.freeze().await;
    assert_eq!(world.verify(&token).await.status, 403);
    change(&world, Change::State(State::Active)).await;
    assert_eq!(world.verify(&token).await.status, 200);
    world.clock.advance(Duration::from_secs(120));
    let access_lifetime = Some(Duration::from_secs(60));
    let overrides = Overrides { access_lifetime, ..Overrides::default() };
    let shorter = Change::Set { name: None, owner: None, policy: overrides.into(), allow: None };
    change(&world, shorter).await;
    assert_eq!(world.verify(&token).await.status, 403);
}

#[tokio::test]
async fn revoking_one_ends_it() {
    let world = signing(Algorithm::EdDsa).await;
    let (one, other) = (token(&world).await, token(&world).await);
    assert_eq!(send(&world, "/oauth2/revoke", "", &format!("token={one}")).await.status, 200);
    assert_eq!(world.verify(&one).await.status, 403);
    assert_eq!(world.verify(&other).await.status, 200);
}

/// One grant, both interfaces: an application that logged in by the application API can refresh by OAuth.
#[tokio::test]
async fn a_logout_ends_the_signed_tokens_of_the_grant() {
    let world = signing(Algorithm::EdDsa).await;
    let login = world.login().await;
    let form = format!("grant_type=refresh_token&refresh_token={}", login.member("refreshToken"));
    let refreshed = send(&world, "/oauth2/token", "", &form).await.member("access_token");
    assert!(refreshed.contains('.'));
    assert_eq!(world.verify(&refreshed).await.status, 200);
    assert_eq!(world.logout(&login.member("accessToken")).await.status, 204);
    assert_eq!(world.verify(&refreshed).await.status, 403);
}

/// The application API promises `String(256)`.
#[tokio::test]
async fn the_application_api_gives_opaque_tokens_always() {
    let world = signing(Algorithm::Es256).await;
    let login = world.login().await;
    assert_eq!(login.member("accessToken").len(), 64);
    let refreshed = world.refresh(&login.member("refreshToken")).await;
    assert_eq!(refreshed.member("accessToken").len(), 64);
}

/// The application API promises texts of at most 256 characters, and a signed token is longer: `/oauth2/revoke` ends it.
#[tokio::test]
async fn the_logout_of_the_application_api_takes_no_signed_token() {
    let world = signing(Algorithm::EdDsa).await;
    let token = token(&world).await;
    assert!(token.len() > 256);
    world.logout(&token).await.is(400, INVALID);
    assert_eq!(world.verify(&token).await.status, 200);
}

/// RFC 7662 §2.2: `aud` and `jti` are those of the token, so that a gateway can compare them.
#[tokio::test]
async fn introspection_shows_the_audience_and_the_id_of_a_token() {
    let world = signing(Algorithm::Es256).await;
    let token = token(&world).await;
    let (told, said) = (introspect(&world, &token).await, part(&token, 1));
    assert_eq!((&told["aud"], &told["jti"]), (&said["aud"], &said["jti"]));
    assert_eq!(told["aud"], AUDIENCE);
    let pair = world.login().await;
    let (access, refresh) = (pair.member("accessToken"), pair.member("refreshToken"));
    let (access, refresh) = (introspect(&world, &access).await, introspect(&world, &refresh).await);
    assert_eq!((&access["aud"], refresh.get("aud")), (&told["aud"], None));
    assert!(access["jti"].is_string() && refresh["jti"].is_string() && access["jti"] != refresh["jti"]);
}
