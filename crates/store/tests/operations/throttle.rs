//! Laws of rate limits: an application that calls too often waits alone, and a guesser slows only itself.

use std::net::{IpAddr, Ipv4Addr};

use northgate_core::actor::Actor;
use northgate_core::administer::Change;
use northgate_core::admit::AdmissionError;
use northgate_core::auth::Settings;
use northgate_core::login::LoginError;
use northgate_core::logout::LogoutError;
use northgate_core::policy::Overrides;
use northgate_core::refresh::RefreshError;
use northgate_core::secret::SecretId;
use northgate_core::verify::VerifyError;

use super::secrets::{holder, imported};
use super::world::{Customer, HOME, MILLISECOND, MINUTE, SECOND, SETTINGS, World};

const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

fn calls(per_minute: u32) -> Overrides {
    Overrides { calls_per_minute: Some(per_minute), ..Overrides::default() }
}

async fn guarded() -> World {
    World::with(Settings { failures_per_source: 3, failures_per_application: 6, ..SETTINGS }).await
}

/// What a wrong secret hears.
async fn guess(world: &World, app: &str, from: IpAddr) -> LoginError {
    match world.try_login_from(&holder(app, "a guess"), from).await {
        Ok(_) => panic!("it was right"),
        Err(error) => error,
    }
}

/// Guesses until it is throttled.
async fn guess_on(world: &World, app: &str, from: IpAddr) {
    while matches!(guess(world, app, from).await, LoginError::Admission(AdmissionError::Rejected)) {}
}

/// An application whose secret was chosen elsewhere.
async fn import(world: &World, app: &str) -> Customer {
    world.auth().create(imported(app, "hunter2"), &Actor::LOCAL, world.now()).await.unwrap();
    holder(app, "hunter2")
}

#[tokio::test]
async fn an_application_that_calls_too_often_waits_alone() {
    let world = World::new().await;
    let (app, other) = (world.customer_with("a", calls(3)).await, world.customer_with("b", calls(3)).await);
    let pair = world.login(&app).await;
    let pair = world.refresh(&app, &pair.refresh_token).await;
    let pair = world.refresh(&app, &pair.refresh_token).await;
    let wait = 20 * SECOND;
    assert!(
        matches!(world.try_login(&app).await.err(), Some(LoginError::Admission(AdmissionError::TooManyCalls(told))) if told == wait)
    );
    let refreshed = world.try_refresh(&app, &pair.refresh_token).await;
    assert!(
        matches!(refreshed.err(), Some(RefreshError::Admission(AdmissionError::TooManyCalls(told))) if told == wait)
    );
    assert!(matches!(world.logout(&pair.access_token).await, Err(LogoutError::TooManyCalls(_))));
    world.login(&other).await;
    world.advance(wait - MILLISECOND);
    assert!(matches!(
        world.try_login(&app).await.err(),
        Some(LoginError::Admission(AdmissionError::TooManyCalls(_)))
    ));
    world.advance(MILLISECOND);
    world.refresh(&app, &pair.refresh_token).await;
}

#[tokio::test]
async fn calls_on_the_platform_are_limited_apart_from_refreshes() {
    let world = World::new().await;
    let app = world.customer_with("a", calls(2)).await;
    let pair = world.login(&app).await;
    assert_eq!(world.verify(&app, &pair.access_token), Ok(()));
    assert_eq!(world.verify(&app, &pair.access_token), Ok(()));
    let throttled = Err(VerifyError::TooManyCalls(30 * SECOND));
    assert_eq!(world.verify(&app, &pair.access_token), throttled);
    world.refresh(&app, &pair.refresh_token).await;
}

#[tokio::test]
async fn nobody_else_can_use_up_the_calls_of_an_application() {
    let world = World::new().await;
    let app = world.customer_with("a", calls(2)).await;
    let pair = world.login(&app).await;
    for _ in 0..10 {
        assert!(matches!(guess(&world, "a", HOME).await, LoginError::Admission(AdmissionError::Rejected)));
        assert!(world.verify(&app, "no token").is_err());
        assert!(world.verify(&app, &pair.refresh_token).is_err());
    }
    world.refresh(&app, &pair.refresh_token).await;
    assert_eq!(world.verify(&app, &pair.access_token), Ok(()));
}

#[tokio::test]
async fn a_limit_holds_from_when_it_is_set_and_changing_the_application_does_not_refill_it() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    for _ in 0..5 {
        world.login(&app).await;
    }
    world.set(&app, calls(1)).await;
    world.login(&app).await;
    world.set(&app, Overrides { max_grants: Some(3), ..Overrides::default() }).await;
    assert!(matches!(
        world.try_login(&app).await.err(),
        Some(LoginError::Admission(AdmissionError::TooManyCalls(_)))
    ));
    world.restart().await;
    world.login(&app).await;
    assert!(matches!(
        world.try_login(&app).await.err(),
        Some(LoginError::Admission(AdmissionError::TooManyCalls(_)))
    ));
    world.set(&app, calls(0)).await;
    world.login(&app).await;
}

#[tokio::test]
async fn a_guesser_is_told_to_wait_and_heard_again_afterwards() {
    let world = guarded().await;
    world.customer("a").await;
    for _ in 0..3 {
        assert!(matches!(guess(&world, "a", HOME).await, LoginError::Admission(AdmissionError::Rejected)));
    }
    for _ in 0..10 {
        let told = guess(&world, "a", HOME).await;
        assert!(
            matches!(told, LoginError::Admission(AdmissionError::Throttled(wait)) if wait == 20 * SECOND),
            "{told}"
        );
    }
    // From another address it has not guessed yet.
    assert!(matches!(guess(&world, "a", ELSEWHERE).await, LoginError::Admission(AdmissionError::Rejected)));
    world.advance(20 * SECOND);
    assert!(matches!(guess(&world, "a", HOME).await, LoginError::Admission(AdmissionError::Rejected)));
    assert!(matches!(guess(&world, "a", HOME).await, LoginError::Admission(AdmissionError::Throttled(_))));
}

#[tokio::test]
async fn what_a_guesser_hears_does_not_tell_which_applications_there_are() {
    let world = guarded().await;
    world.customer("allocated").await;
    import(&world, "imported").await;
    for app in ["allocated", "imported", "nobody"] {
        world.advance(3 * MINUTE);
        for _ in 0..3 {
            assert!(
                matches!(guess(&world, app, HOME).await, LoginError::Admission(AdmissionError::Rejected)),
                "{app}"
            );
        }
        assert!(
            matches!(guess(&world, app, HOME).await, LoginError::Admission(AdmissionError::Throttled(_))),
            "{app}"
        );
    }
}

#[tokio::test]
async fn an_allocated_secret_is_right_whoever_guesses_from_the_same_address() {
    let mut world = guarded().await;
    let app = world.customer("a").await;
    for _ in 0..2 {
        guess_on(&world, "a", HOME).await;
        let pair = world.login(&app).await;
        world.refresh(&app, &pair.refresh_token).await;
        world.restart().await;
    }
}

#[tokio::test]
async fn an_imported_secret_is_right_from_where_it_was_right_before_whoever_guesses_there() {
    let world = guarded().await;
    let app = import(&world, "a").await;
    world.login(&app).await;
    guess_on(&world, "a", HOME).await;
    let pair = world.login(&app).await;
    world.refresh(&app, &pair.refresh_token).await;
    // Also one that was never presented, and so has to be hashed first.
    let second = holder("a", "hunter3");
    world
        .auth()
        .add_secret(&app.id, "second".to_owned(), Some(&second.secret), &Actor::LOCAL, world.now())
        .await
        .unwrap();
    world.change(&app, Change::RetireSecret(SecretId(1), world.now())).await;
    world.login(&second).await;
}

#[tokio::test]
async fn an_imported_secret_is_right_from_anywhere_that_does_not_guess() {
    let mut world = guarded().await;
    let app = import(&world, "a").await;
    guess_on(&world, "a", ELSEWHERE).await;
    world.login(&app).await;
    world.restart().await;
    guess_on(&world, "a", ELSEWHERE).await;
    world.login(&app).await;
}

/// A weak secret is found by trying: were the right one let through however many were wrong before, nothing would slow
/// the trying.
#[tokio::test]
async fn a_guesser_that_comes_upon_an_imported_secret_while_it_has_to_wait_does_not_learn_it() {
    let world = guarded().await;
    let app = import(&world, "a").await;
    world.login(&app).await;
    guess_on(&world, "a", ELSEWHERE).await;
    let found = world.try_login_from(&app, ELSEWHERE).await;
    assert!(matches!(found.err(), Some(LoginError::Admission(AdmissionError::Throttled(_)))));
    world.advance(3 * MINUTE);
    assert!(world.try_login_from(&app, ELSEWHERE).await.is_ok());
}

#[tokio::test]
async fn an_application_guessed_at_from_many_addresses_leaves_each_one_guess_and_the_right_secret_its_first()
{
    let world = guarded().await;
    let app = import(&world, "a").await;
    let other = import(&world, "b").await;
    let address = |last| IpAddr::V4(Ipv4Addr::new(203, 0, 113, last));
    for last in 0..6 {
        assert!(matches!(
            guess(&world, "a", address(last)).await,
            LoginError::Admission(AdmissionError::Rejected)
        ));
    }
    for last in 6..20 {
        assert!(matches!(
            guess(&world, "a", address(last)).await,
            LoginError::Admission(AdmissionError::Throttled(_))
        ));
        let again = world.try_login_from(&app, address(last)).await;
        assert!(matches!(again.err(), Some(LoginError::Admission(AdmissionError::Throttled(_)))));
    }
    assert!(world.try_login_from(&app, address(20)).await.is_ok());
    assert!(world.try_login_from(&other, address(21)).await.is_ok());
}
