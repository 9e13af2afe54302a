//! How a client shows who it is with a secret (RFC 6749 §2.3).

use northgate_core::actor::Actor;
use northgate_core::administer::Wanted;
use northgate_core::allow::Allow;
use northgate_core::app_id::AppId;
use northgate_core::policy::Overrides;
use northgate_core::secret::SecretText;

use crate::oauth::request::*;
use crate::support::world::*;

const ASK: &str = "grant_type=client_credentials";

/// RFC 6749 §2.3.1: "The authorization server MUST support the HTTP Basic authentication scheme".
#[tokio::test]
async fn a_client_may_show_its_secret_in_basic() {
    let world = World::new().await;
    let halves = format!("demo:{}", world.secret);
    assert_eq!(send_basic(&world, &halves, TOKEN, ASK).await.status, 200);
    // The client may name itself once more.
    assert_eq!(send_basic(&world, &halves, TOKEN, &format!("{ASK}&client_id=demo")).await.status, 200);
}

/// RFC 6749 §2.3.1: the halves of Basic are "encoded using the "application/x-www-form-urlencoded" encoding algorithm".
#[tokio::test]
async fn both_halves_of_basic_are_decoded() {
    let world = World::new().await;
    let (id, secret) = (AppId::parse("a:b c").unwrap(), SecretText::parse("p+q%r \u{e9}").unwrap());
    let (name, allow) = ("a".to_owned(), Allow::default());
    let wanted = Wanted {
        id: Some(id),
        name,
        owner: None,
        secret: Some(secret),
        overrides: Overrides::default(),
        allow,
    };
    world.auth.create(wanted, &Actor::LOCAL, world.clock.now()).await.unwrap();
    let answer = send_basic(&world, "a%3Ab+c:p%2Bq%25r%20%C3%A9", TOKEN, ASK).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    is_error(&send_basic(&world, "a%3Ab+c:p+q%25r%20%C3%A9", TOKEN, ASK).await, 401, "invalid_client");
}

/// RFC 6749 §2.3.1: the secret may be in the request body.
#[tokio::test]
async fn a_client_may_show_its_secret_in_the_body() {
    let world = World::new().await;
    assert_eq!(send_as_demo(&world, TOKEN, ASK).await.status, 200);
}

/// RFC 6749 §2.3: "The client MUST NOT use more than one authentication method in each request."
#[tokio::test]
async fn a_client_that_shows_itself_twice_is_refused() {
    let world = World::new().await;
    let halves = format!("demo:{}", world.secret);
    let twice = format!("{ASK}&client_id=demo&client_secret={}", world.secret);
    is_error(&send_basic(&world, &halves, TOKEN, &twice).await, 400, "invalid_request");
    let other = format!("{ASK}&client_id=other");
    is_error(&send_basic(&world, &halves, TOKEN, &other).await, 400, "invalid_request");
}

/// RFC 6749 §5.2: `invalid_client`: "the authorization server MUST respond with an HTTP 401 (Unauthorized) status code and
/// include the "WWW-Authenticate" response header field matching the authentication scheme used by the client".
#[tokio::test]
async fn a_client_that_does_not_show_who_it_is_is_asked_to() {
    let world = World::new().await;
    let unknown = format!("nobody:{}", world.secret);
    let answers = [
        send_basic(&world, "demo:wrong", TOKEN, ASK).await,
        send_basic(&world, &unknown, TOKEN, ASK).await,
        send_basic(&world, "demo", TOKEN, ASK).await,
        send(&world, TOKEN, &format!("{ASK}&client_id=demo&client_secret=wrong")).await,
        send(&world, TOKEN, &format!("{ASK}&client_id=demo")).await,
        send(&world, TOKEN, ASK).await,
    ];
    for answer in answers {
        is_error(&answer, 401, "invalid_client");
        assert_eq!(answer.header("WWW-Authenticate"), Some("Basic realm=\"northgate\""));
    }
}

/// What is wrong must not be told: a wrong secret and an unknown client are one answer.
#[tokio::test]
async fn an_unknown_client_and_a_wrong_secret_are_answered_alike() {
    let world = World::new().await;
    let wrong = send_basic(&world, "demo:wrong", TOKEN, ASK).await;
    send_basic(&world, "nobody:wrong", TOKEN, ASK).await.is(wrong.status, &wrong.body);
}

/// RFC 6749 §2.3.1: "the authorization server MUST protect any endpoint utilizing it against brute force attacks".
#[tokio::test]
async fn who_guesses_secrets_has_to_wait() {
    let world = World::with(Setup { failures_per_source: 3, ..SETUP }).await;
    for _ in 0..3 {
        is_error(&send_basic(&world, "demo:wrong", TOKEN, ASK).await, 401, "invalid_client");
    }
    let answer = send_basic(&world, "demo:wrong", TOKEN, ASK).await;
    is_error(&answer, 429, "temporarily_unavailable");
    assert_eq!(answer.header("Retry-After"), Some("20"));
    // It heard "Too many requests", as one does who calls too often.
    assert!(answer.member("error_description").contains("wrong credentials"), "{}", answer.body);
    assert_eq!(send_as_demo(&world, TOKEN, ASK).await.status, 200);
}
