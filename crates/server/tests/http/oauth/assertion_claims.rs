//! What an assertion says: for whom, since when and until when (RFC 7523 §3), and how a client learns what is wrong with it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::oauth::assertion::{ASK, JWT_BEARER, claims, present, register, with, world_with};
use crate::oauth::key::Key;
use crate::oauth::request::*;
use crate::support::socket::Answer;
use crate::support::world::*;

const ISSUER: &str = "https://tokens.example.com";

/// An assertion with these claims over good ones; `null` removes one.
fn saying(id: &str, members: Value) -> Value {
    let mut claims = claims(id);
    for (name, value) in members.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

#[track_caller]
fn is_told(answer: &Answer, cause: &str) {
    is_error(answer, 401, "invalid_client");
    assert!(answer.member("error_description").contains(cause), "{cause}: {}", answer.body);
}

/// RFC 7523 §3 (3): "The JWT MUST contain an "aud" (audience) claim containing a value that identifies the authorization
/// server as an intended audience. […] The authorization server MUST reject any JWT that does not contain its own identity".
#[tokio::test]
async fn an_assertion_is_meant_for_this_server() {
    let key = Key::p256();
    let world = world_with(&key).await;
    for other in [
        json!("https://evil.example"),
        json!(["https://tokens.example.com.evil.example"]),
        json!("https://tokens.example.com/"),
        json!("https://tokens.example.com/oauth2"),
        json!("HTTPS://tokens.example.com"),
        json!(""),
    ] {
        is_told(&present(&world, &key.assert(&with("aud", other))).await, "another one than the issuer");
    }
    for (id, good) in [("1", json!(ISSUER)), ("2", json!([ISSUER])), ("3", json!(format!("{ISSUER}{TOKEN}")))]
    {
        let assertion = key.assert(&saying(id, json!({ "aud": good })));
        assert_eq!(present(&world, &assertion).await.status, 200);
    }
}

/// RFC 7523bis §3 (3) and FAPI 2.0 §5.3.2.1: an assertion has one audience. Named beside another server, ours was enough: that
/// other server could present the assertion here (audience injection).
#[tokio::test]
async fn an_assertion_for_several_servers_is_refused() {
    let key = Key::p256();
    let world = world_with(&key).await;
    let token = format!("{ISSUER}{TOKEN}");
    for several in [
        json!([ISSUER, "https://other.example"]),
        json!(["https://other.example", ISSUER]),
        json!([ISSUER, token]),
        json!([ISSUER, ISSUER]),
        json!([]),
    ] {
        is_told(&present(&world, &key.assert(&with("aud", several))).await, "exactly one value");
    }
}

/// Libraries take the address that they call as audience: each endpoint goes by its own name too, and by no other one's.
#[tokio::test]
async fn an_assertion_may_be_meant_for_the_endpoint_that_is_called() {
    let key = Key::p256();
    let world = world_with(&key).await;
    let token = access_token(&world).await;
    for (called, named, status) in [
        (INTROSPECT, INTROSPECT, 200),
        (INTROSPECT, TOKEN, 200),
        (INTROSPECT, REVOKE, 401),
        (REVOKE, INTROSPECT, 401),
        (REVOKE, REVOKE, 200),
        (TOKEN, INTROSPECT, 401),
        (TOKEN, REVOKE, 401),
        (TOKEN, TOKEN, 200),
    ] {
        let id = format!("{called} {named}");
        let assertion = key.assert(&saying(&id, json!({ "aud": format!("{ISSUER}{named}") })));
        let form =
            format!("{ASK}&token={token}&client_assertion_type={JWT_BEARER}&client_assertion={assertion}");
        assert_eq!(send(&world, called, &form).await.status, status, "{id}");
    }
}

/// RFC 7523 §3 (4): the server "may reject JWTs with an "exp" claim value that is unreasonably far in the future." Go helpers set it
/// 10 minutes and an hour ahead and were refused. With `iat` (§3 (6)) the age of an assertion is the limit.
#[tokio::test]
async fn an_assertion_that_says_when_it_was_issued_may_expire_late() {
    let key = Key::p256();
    let world = world_with(&key).await;
    let seconds = |after: f64| json!(BEGIN_S as f64 + after);
    for (issued, expires, status) in [
        (0.0, 600.0, 200),
        (0.0, 3_600.0, 200),
        (-0.5, 3_600.25, 200),
        (0.0, 1e300, 200),
        (-329.0, 3_600.0, 200),
        (-330.0, 3_600.0, 401),
        (-1e300, 3_600.0, 401),
        (30.0, 3_600.0, 200),
        (31.0, 3_600.0, 401),
        (1e300, 1e300, 401),
        (-60.0, -29.0, 200),
        (-60.0, -30.0, 401),
    ] {
        let id = format!("{issued:e} {expires:e}");
        let claims = saying(&id, json!({ "iat": seconds(issued), "exp": seconds(expires) }));
        assert_eq!(present(&world, &key.assert(&claims)).await.status, status, "{id}");
    }
    let hour = saying("without iat", json!({ "exp": BEGIN_S + 3_600 }));
    is_told(&present(&world, &key.assert(&hour)).await, "more than 5 minutes ahead and has no iat");
}

/// What is accepted late must be remembered late: an assertion of a client whose clock is ahead is good for the longest time.
#[tokio::test]
async fn an_assertion_that_expires_late_is_good_once_until_its_age_ends_it() {
    let key = Key::p256();
    let world = world_with(&key).await;
    let claims = saying("1", json!({ "iat": BEGIN_S + 30, "exp": BEGIN_S + 3_600 }));
    let assertion = key.assert(&claims);
    assert_eq!(present(&world, &assertion).await.status, 200);
    for after_s in [0, 180, 179] {
        world.clock.advance(Duration::from_secs(after_s));
        is_told(&present(&world, &assertion).await, "was used before");
    }
    world.clock.advance(Duration::from_secs(1));
    is_told(&present(&world, &assertion).await, "more than 5 minutes ago");
}

// The claims of an assertion of 16 KiB had thousands of members, each of which was read before the client was known.
#[tokio::test]
async fn an_assertion_with_more_than_32_members_is_refused() {
    let key = Key::ed25519();
    let world = world_with(&key).await;
    let members = |count: usize| -> Value { (0..count).map(|n| (format!("m{n}"), json!(0))).collect() };
    let own = claims("x").as_object().unwrap().len();
    let most = saying("most", json!({ "more": members(31 - own) }));
    assert_eq!(present(&world, &key.assert(&most)).await.status, 200);
    for more in
        [members(33), json!(vec![0; 33]), json!({ "a": { "b": members(30) } }), json!([[members(33)]])]
    {
        let cause = "more than 32 members";
        is_told(&present(&world, &key.assert(&saying("x", json!({ "more": more })))).await, cause);
        let header = json!({ "alg": key.alg(), "more": more });
        is_told(&present(&world, &key.assert_as(&header, &claims("x"))).await, cause);
    }
}

/// Every refusal said "unknown or did not prove itself", while the log had the cause. What shows in the assertion itself is no
/// secret, and must be told in the same words where there is no such client.
#[tokio::test]
async fn a_client_learns_what_is_wrong_with_its_assertion_and_a_stranger_not_whether_the_client_exists() {
    let (key, other) = (Key::p256(), Key::p256());
    let world = world_with(&key).await;
    let wrong = [
        (json!({ "jti": null }), "has no jti"),
        (json!({ "jti": "" }), "jti of the assertion is empty"),
        (json!({ "aud": null }), "has no aud"),
        (json!({ "exp": null }), "has no exp"),
        (json!({ "iss": null }), "has no iss"),
        (json!({ "exp": "soon" }), "of another type"),
        (json!({ "exp": BEGIN_S - 31 }), "has expired"),
        (json!({ "exp": -1 }), "has expired"),
        (json!({ "exp": BEGIN_S + 331 }), "more than 5 minutes ahead"),
        (json!({ "nbf": BEGIN_S + 31 }), "not good yet"),
        (json!({ "iat": BEGIN_S + 31 }), "in the future"),
        (json!({ "aud": "https://other.example" }), "another one than the issuer"),
    ];
    for (members, cause) in &wrong {
        let known = present(&world, &key.assert(&saying("x", members.clone()))).await;
        is_told(&known, cause);
        let mut of_nobody = saying("x", members.clone());
        for name in ["iss", "sub"] {
            if of_nobody.get(name).is_some() {
                of_nobody[name] = "nobody".into();
            }
        }
        present(&world, &other.assert(&of_nobody)).await.is(known.status, &known.body);
    }
    let unknown = key.assert_as(&json!({ "alg": "HS256" }), &claims("x"));
    is_told(&present(&world, &unknown).await, "alg of the assertion is not one of");
    is_told(&present(&world, &other.assert(&claims("x"))).await, "not signed by a key that is registered");
    is_told(&present(&world, &key.assert(&with("sub", "other".into()))).await, "iss and sub");
    let untyped = format!("{ASK}&client_assertion_type=x&client_assertion=y");
    is_told(&send(&world, TOKEN, &untyped).await, "client_assertion_type must be");
    // An assertion that was used was good: its client may hear that, in every other test of this law.
    register(&world, &other).await;
    assert_eq!(present(&world, &other.assert(&claims("x"))).await.status, 200);
}
