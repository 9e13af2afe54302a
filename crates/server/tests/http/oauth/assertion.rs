//! Assertions that a client has signed instead of a secret (RFC 7523 §2.2, §3; RFC 7521 §4.2).

use std::time::Duration;

use northgate_core::actor::Actor;
use northgate_core::administer::Change;
use northgate_core::app_id::AppId;
use northgate_core::clock::Timestamp;
use northgate_core::credential::{CredentialId, CredentialKind};
use northgate_core::high_water::Marks;
use serde_json::{Value, json};

use crate::oauth::key::Key;
use crate::oauth::request::*;
use crate::support::socket::Answer;
use crate::support::world::*;

pub const ASK: &str = "grant_type=client_credentials";
pub const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Claims that are good at the begin of a test.
pub fn claims(id: &str) -> Value {
    let issuer = "https://tokens.example.com";
    json!({ "iss": "demo", "sub": "demo", "aud": issuer, "exp": BEGIN_S + 60, "jti": id })
}

pub fn with(member: &str, value: Value) -> Value {
    let mut claims = claims(member);
    claims[member] = value;
    claims
}

pub async fn register(world: &World, key: &Key) {
    let change = Change::AddCredential("a key".to_owned(), CredentialKind::Key(key.public()));
    world
        .auth
        .change(&AppId::parse("demo").unwrap(), &change, &Actor::LOCAL, world.clock.now())
        .await
        .unwrap();
}

pub async fn world_with(key: &Key) -> World {
    let world = World::new().await;
    register(&world, key).await;
    world
}

pub async fn present(world: &World, assertion: &str) -> Answer {
    let form = format!("{ASK}&client_assertion_type={JWT_BEARER}&client_assertion={assertion}");
    send(world, TOKEN, &form).await
}

/// Used assertions are forgotten when they have ended. With the clock set back behind that, they were taken again.
#[tokio::test]
async fn an_assertion_that_ends_before_what_was_forgotten_is_refused_although_the_clock_says_that_it_lasts() {
    let key = Key::ed25519();
    let world = world_with(&key).await;
    let single_use = Timestamp::from_millis((BEGIN_S + 60 + 30) * 1000);
    let mark = |at| world.auth.registry().high_water().raise(Marks { single_use: at, ..Marks::NOTHING });
    mark(single_use.minus(Duration::from_millis(1)));
    assert_eq!(present(&world, &key.assert(&claims("1"))).await.status, 200);
    mark(single_use);
    is_error(&present(&world, &key.assert(&claims("2"))).await, 401, "invalid_client");
    let mut later = claims("3");
    later["exp"] = json!(BEGIN_S + 61);
    assert_eq!(present(&world, &key.assert(&later)).await.status, 200);
}

/// RFC 7523 §5: RS256 is "a mandatory-to-implement JWS algorithm".
#[tokio::test]
async fn a_client_may_sign_with_any_of_the_algorithms() {
    for key in [Key::ed25519(), Key::p256(), Key::rsa("RS256"), Key::rsa("PS256")] {
        let world = world_with(&key).await;
        let answer = present(&world, &key.assert(&claims("1"))).await;
        assert_eq!(answer.status, 200, "{} {}", key.alg(), answer.body);
        assert_eq!(world.verify(&answer.member("access_token")).await.status, 200);
    }
}

/// RFC 9864 §2.2: `Ed25519` is the name of EdDSA with that curve, and what libraries write by now.
#[tokio::test]
async fn an_assertion_may_name_its_algorithm_either_way() {
    let key = Key::ed25519();
    let world = world_with(&key).await;
    for alg in ["EdDSA", "Ed25519"] {
        let assertion = key.assert_as(&json!({ "alg": alg }), &claims(alg));
        assert_eq!(present(&world, &assertion).await.status, 200, "{alg}");
    }
    let other = key.assert_as(&json!({ "alg": "Ed448" }), &claims("3"));
    is_error(&present(&world, &other).await, 401, "invalid_client");
}

/// While one key replaces the other both are good, and the old one is not any more once it is removed.
#[tokio::test]
async fn any_of_the_registered_keys_is_good() {
    let (old, new) = (Key::p256(), Key::p256());
    let world = world_with(&old).await;
    register(&world, &new).await;
    assert_eq!(present(&world, &old.assert(&claims("1"))).await.status, 200);
    assert_eq!(present(&world, &new.assert(&claims("2"))).await.status, 200);
    let remove = Change::RemoveCredential(CredentialId(1));
    world
        .auth
        .change(&AppId::parse("demo").unwrap(), &remove, &Actor::LOCAL, world.clock.now())
        .await
        .unwrap();
    is_error(&present(&world, &old.assert(&claims("3"))).await, 401, "invalid_client");
    assert_eq!(present(&world, &new.assert(&claims("4"))).await.status, 200);
}

/// RFC 7523 §3 (1), (2): "The JWT MUST contain an "iss" claim […] For client authentication, the subject MUST be the
/// "client_id" of the OAuth client."
#[tokio::test]
async fn an_assertion_is_made_by_the_client_about_itself() {
    let key = Key::p256();
    let world = world_with(&key).await;
    another(&world, "other").await;
    for (member, value) in [("iss", "other"), ("sub", "other"), ("sub", "nobody")] {
        let assertion = key.assert(&with(member, value.into()));
        is_error(&present(&world, &assertion).await, 401, "invalid_client");
    }
    // RFC 7521 §4.2: a client_id beside it "MUST identify the same client".
    let assertion = format!("{}&client_id=other", key.assert(&claims("1")));
    is_error(&present(&world, &assertion).await, 401, "invalid_client");
    let assertion = format!("{}&client_id=demo", key.assert(&claims("2")));
    assert_eq!(present(&world, &assertion).await.status, 200);
}

/// RFC 7523 §3 (4): "The JWT MUST contain an "exp" (expiration time) claim […] The authorization server MUST reject any JWT
/// with an expiration time that has passed", and "may reject JWTs with an "exp" claim value that is unreasonably far in
/// the future."
#[tokio::test]
async fn an_assertion_ends_soon_and_has_not_ended() {
    let key = Key::p256();
    let world = world_with(&key).await;
    for (exp, status) in [(-31, 401), (-29, 200), (329, 200), (331, 401)] {
        let claims = with("exp", json!(BEGIN_S as i64 + exp));
        let mut claims = claims;
        claims["jti"] = exp.to_string().into();
        assert_eq!(present(&world, &key.assert(&claims)).await.status, status, "{exp}");
    }
    let mut endless = claims("endless");
    endless.as_object_mut().unwrap().remove("exp");
    is_error(&present(&world, &key.assert(&endless)).await, 401, "invalid_client");
}

/// RFC 7523 §3 (5): "the token MUST NOT be accepted" before its "nbf".
#[tokio::test]
async fn an_assertion_is_not_good_before_its_time() {
    let key = Key::p256();
    let world = world_with(&key).await;
    let early = key.assert(&with("nbf", json!(BEGIN_S + 40)));
    is_error(&present(&world, &early).await, 401, "invalid_client");
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(present(&world, &early).await.status, 200);
}

/// RFC 7523 §3 (7): "The authorization server MAY ensure that JWTs are not replayed".
#[tokio::test]
async fn an_assertion_is_good_once() {
    let key = Key::p256();
    let world = world_with(&key).await;
    let assertion = key.assert(&claims("1"));
    assert_eq!(present(&world, &assertion).await.status, 200);
    is_error(&present(&world, &assertion).await, 401, "invalid_client");
    world.clock.advance(Duration::from_secs(89));
    is_error(&present(&world, &assertion).await, 401, "invalid_client");
    let mut nameless = claims("x");
    nameless.as_object_mut().unwrap().remove("jti");
    is_error(&present(&world, &key.assert(&nameless)).await, 401, "invalid_client");
}

/// RFC 7523 §3 (9): "The JWT MUST be digitally signed or have a Message Authentication Code (MAC) applied by the issuer. The
/// authorization server MUST reject JWTs with an invalid signature or MAC."
#[tokio::test]
async fn an_assertion_is_signed_by_the_client() {
    let (key, other) = (Key::p256(), Key::p256());
    let world = world_with(&key).await;
    is_error(&present(&world, &other.assert(&claims("1"))).await, 401, "invalid_client");
    let good = key.assert(&claims("1"));
    let (signed, _) = good.rsplit_once('.').unwrap();
    is_error(&present(&world, &format!("{signed}.")).await, 401, "invalid_client");
    let other_claims = other.assert(&claims("2"));
    let (other_signed, _) = other_claims.rsplit_once('.').unwrap();
    let mixed = format!("{other_signed}.{}", good.rsplit_once('.').unwrap().1);
    is_error(&present(&world, &mixed).await, 401, "invalid_client");
    for alg in ["none", "HS256", "EdDSA", "RS256", "ES384"] {
        let assertion = key.assert_as(&json!({ "alg": alg }), &claims("3"));
        is_error(&present(&world, &assertion).await, 401, "invalid_client");
    }
    // RFC 7515 §4.1.11: an extension that is critical and unknown makes it invalid.
    let critical = key.assert_as(&json!({ "alg": "ES256", "crit": ["b64"], "b64": true }), &claims("4"));
    is_error(&present(&world, &critical).await, 401, "invalid_client");
    assert_eq!(present(&world, &good).await.status, 200);
}

/// RFC 7521 §4.2, §4.2.1; RFC 6749 §2.3: an assertion comes with its type, and alone.
#[tokio::test]
async fn an_assertion_comes_with_its_type_and_alone() {
    let key = Key::p256();
    let world = world_with(&key).await;
    let assertion = format!("client_assertion={}", key.assert(&claims("1")));
    let typed = format!("{ASK}&client_assertion_type={JWT_BEARER}");
    is_error(&send(&world, TOKEN, &format!("{ASK}&{assertion}")).await, 400, "invalid_request");
    is_error(&send(&world, TOKEN, &typed).await, 400, "invalid_request");
    let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    let other = format!("{ASK}&client_assertion_type={saml}&{assertion}");
    is_error(&send(&world, TOKEN, &other).await, 401, "invalid_client");
    let both = format!("{typed}&{assertion}");
    is_error(&send_as_demo(&world, TOKEN, &both).await, 400, "invalid_request");
    let halves = format!("demo:{}", world.secret);
    is_error(&send_basic(&world, &halves, TOKEN, &both).await, 400, "invalid_request");
    assert_eq!(send(&world, TOKEN, &both).await.status, 200);
}

#[tokio::test]
async fn an_unknown_client_and_a_wrong_signature_are_answered_alike() {
    let world = world_with(&Key::p256()).await;
    for key in [Key::ed25519(), Key::p256(), Key::rsa("RS256")] {
        let wrong = present(&world, &key.assert(&claims("1"))).await;
        let mut of_nobody = claims("1");
        (of_nobody["iss"], of_nobody["sub"]) = ("nobody".into(), "nobody".into());
        present(&world, &key.assert(&of_nobody)).await.is(wrong.status, &wrong.body);
        is_error(&wrong, 401, "invalid_client");
    }
}

#[tokio::test]
async fn wrong_assertions_slow_the_guesser_and_not_the_client() {
    let (key, other) = (Key::p256(), Key::p256());
    let world = World::with(Setup { failures_per_source: 2, ..SETUP }).await;
    register(&world, &key).await;
    for _ in 0..2 {
        is_error(&present(&world, &other.assert(&claims("1"))).await, 401, "invalid_client");
    }
    is_error(&present(&world, &other.assert(&claims("1"))).await, 429, "temporarily_unavailable");
    assert_eq!(present(&world, &key.assert(&claims("1"))).await.status, 200);
}

#[tokio::test]
async fn an_assertion_is_good_at_every_endpoint() {
    let key = Key::ed25519();
    let world = world_with(&key).await;
    let token = access_token(&world).await;
    for (id, path) in [("1", INTROSPECT), ("2", REVOKE)] {
        let assertion = key.assert(&claims(id));
        let form = format!("token={token}&client_assertion_type={JWT_BEARER}&client_assertion={assertion}");
        assert_eq!(send(&world, path, &form).await.status, 200);
    }
    assert_eq!(world.verify(&token).await.status, 403);
    let refresh = world.login().await.member("refreshToken");
    let form = format!(
        "grant_type=refresh_token&refresh_token={refresh}&client_assertion_type={JWT_BEARER}&client_assertion={}",
        key.assert(&claims("3"))
    );
    assert_eq!(send(&world, TOKEN, &form).await.status, 200);
}
