//! Laws of ending all tokens of an application that are out.

use northgate_core::actor::Actor;
use northgate_core::administer::Change;
use northgate_core::admit::Caller;
use northgate_core::introspect::{Inactive, Introspection};
use northgate_core::refresh::Refusal;
use northgate_core::secret::SecretId;
use northgate_core::token::Claims;
use northgate_core::verify::VerifyError;

use super::world::{Customer, DAY, HOME, MINUTE, World};

/// Whether a token is good by introspection; why not, where it is not.
async fn inactive(world: &World, token: &str) -> Option<Inactive> {
    let presented = Claims::authenticate(token, &world.auth().keyring());
    match world.auth().introspect(presented, world.now()).await.unwrap() {
        Introspection::Active(_) => None,
        Introspection::Inactive(why) => Some(why),
    }
}

/// An access token of which nothing is stored.
async fn issue(world: &World, app: &Customer) -> String {
    let caller = Caller::with_secret(&app.id, &app.secret, HOME);
    world.auth().client_credentials(&caller, world.now()).await.unwrap().access_token
}

#[tokio::test]
async fn a_revocation_ends_all_tokens_that_are_out_and_none_of_another_application() {
    let mut world = World::new().await;
    let (app, other) = (world.customer("a").await, world.customer("b").await);
    let (pair, issued, theirs) =
        (world.login(&app).await, issue(&world, &app).await, world.login(&other).await);
    world.change(&app, Change::Revoke).await;
    for _ in ["before a restart", "and after it"] {
        for token in [&pair.access_token, &issued] {
            assert_eq!(world.verify(&app, token), Err(VerifyError::Revoked));
            assert_eq!(inactive(&world, token).await, Some(Inactive::Access(VerifyError::Revoked)));
        }
        assert_eq!(world.refusal(&app, &pair.refresh_token).await, Refusal::Closed);
        assert_eq!(inactive(&world, &pair.refresh_token).await, Some(Inactive::Over));
        assert_eq!(world.verify(&other, &theirs.access_token), Ok(()));
        world.restart().await;
    }
    world.refresh(&other, &theirs.refresh_token).await;
}

#[tokio::test]
async fn what_is_got_after_a_revocation_is_good_from_the_same_moment_on() {
    let world = World::new().await;
    let app = world.customer("a").await;
    for _ in ["once", "and again within the second"] {
        let before = issue(&world, &app).await;
        world.change(&app, Change::Revoke).await;
        assert_eq!(world.verify(&app, &before), Err(VerifyError::Revoked));
        let pair = world.login(&app).await;
        let next = world.refresh(&app, &pair.refresh_token).await;
        for token in [&pair.access_token, &next.access_token, &issue(&world, &app).await] {
            assert_eq!(world.verify(&app, token), Ok(()));
        }
        let again = world.refresh(&app, &pair.refresh_token).await;
        assert_eq!(again.refresh_token, next.refresh_token);
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_revives_nothing_and_ends_no_login() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    world.change(&app, Change::Revoke).await;
    world.set_back(DAY);
    assert_eq!(world.verify(&app, &pair.access_token), Err(VerifyError::Revoked));
    let pair = world.login(&app).await;
    assert_eq!(world.verify(&app, &pair.access_token), Ok(()));
    // The next one ends those that were got meanwhile, too.
    world.change(&app, Change::Revoke).await;
    assert_eq!(world.verify(&app, &pair.access_token), Err(VerifyError::Revoked));
    assert_eq!(world.verify(&app, &world.login(&app).await.access_token), Ok(()));
}

#[tokio::test]
async fn a_secret_that_retires_leaves_tokens_as_they_are_and_one_that_is_ended_takes_them_along() {
    let world = World::new().await;
    let old = world.customer("a").await;
    let (_, secret) =
        world.auth().add_secret(&old.id, "new".to_owned(), None, &Actor::LOCAL, world.now()).await.unwrap();
    let new = Customer { id: old.id.clone(), secret: secret.unwrap() };
    let pair = world.login(&old).await;
    world.change(&old, Change::RetireSecret(SecretId(1), world.now())).await;
    assert_eq!(world.verify(&new, &pair.access_token), Ok(()));
    world.advance(MINUTE);
    world.change(&old, Change::EndSecret(SecretId(1))).await;
    assert_eq!(world.verify(&new, &pair.access_token), Err(VerifyError::Revoked));
    assert_eq!(world.refusal(&new, &pair.refresh_token).await, Refusal::Closed);
    assert!(world.try_login(&old).await.is_err());
    assert_eq!(world.verify(&new, &world.login(&new).await.access_token), Ok(()));
}

#[tokio::test]
async fn the_feed_tells_of_a_revocation() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let begin = world.auth().registry().news(None).cursor;
    let revoked = world.change(&app, Change::Revoke).await;
    let news = world.auth().registry().news(Some(begin));
    let [(number, Some(told))] = &news.applications[..] else { panic!("it is not told") };
    assert_eq!((*number, told.tokens_from), (revoked.number, revoked.tokens_from));
}
