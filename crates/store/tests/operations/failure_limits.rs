//! Laws of the limits of wrong secrets: per source and per application, each with and without the other.
//!
//! The gateway page said to set the limit per source to 0 behind a proxy. That turned off the limit per application as well:
//! 900 wrong guesses at an imported secret were hashed, and the right one was then let in.

use std::net::{IpAddr, Ipv4Addr};

use northgate_core::actor::Actor;
use northgate_core::admit::AdmissionError;
use northgate_core::auth::Settings;
use northgate_core::login::LoginError;

use super::secrets::{holder, imported};
use super::world::{Customer, HOME, MINUTE, SECOND, SETTINGS, World};

const PER_SOURCE: u32 = 3;
const PER_APPLICATION: u32 = 6;

/// The four combinations; 0 disables the limit.
const ALL: [(u32, u32); 4] = [(0, 0), (PER_SOURCE, 0), (0, PER_APPLICATION), (PER_SOURCE, PER_APPLICATION)];

async fn limited(failures_per_source: u32, failures_per_application: u32) -> World {
    World::with(Settings { failures_per_source, failures_per_application, ..SETTINGS }).await
}

/// An application whose secret was chosen elsewhere, and may be weak.
async fn import(world: &World, app: &str) -> Customer {
    world.auth().create(imported(app, "hunter2"), &Actor::LOCAL, world.now()).await.unwrap();
    holder(app, "hunter2")
}

fn address(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, last))
}

async fn is_throttled(world: &World, customer: &Customer, from: IpAddr) -> bool {
    match world.try_login_from(customer, from).await {
        Err(LoginError::Admission(AdmissionError::Throttled(_))) => true,
        Ok(_) | Err(LoginError::Admission(AdmissionError::Rejected)) => false,
        Err(other) => panic!("{other}"),
    }
}

/// How many of 10 guesses from one address are compared.
async fn compared(world: &World, app: &str, from: IpAddr) -> u32 {
    let mut compared = 0;
    for _ in 0..10 {
        compared += u32::from(!is_throttled(world, &holder(app, "a guess"), from).await);
    }
    compared
}

#[tokio::test]
async fn guesses_from_one_address_stop_at_the_smallest_limit_that_is_set() {
    for (source, application) in ALL {
        let world = limited(source, application).await;
        import(&world, "a").await;
        let least = [source, application].into_iter().filter(|limit| *limit > 0).min().unwrap_or(10);
        assert_eq!(compared(&world, "a", HOME).await, least, "{source}/{application}");
    }
}

#[tokio::test]
async fn the_right_guess_at_an_imported_secret_is_stopped_by_any_limit_and_heard_when_it_has_passed() {
    for (source, application) in ALL {
        let world = limited(source, application).await;
        let app = import(&world, "a").await;
        compared(&world, "a", HOME).await;
        let is_limited = source > 0 || application > 0;
        assert_eq!(is_throttled(&world, &app, HOME).await, is_limited, "{source}/{application}");
        world.advance(MINUTE * 3);
        assert!(!is_throttled(&world, &app, HOME).await, "{source}/{application}");
    }
}

#[tokio::test]
async fn an_allocated_secret_that_is_right_never_waits_under_any_limits() {
    for (source, application) in ALL {
        let world = limited(source, application).await;
        let app = world.customer("a").await;
        import(&world, "b").await;
        for guessed in ["a", "b"] {
            compared(&world, guessed, HOME).await;
        }
        let pair = world.login(&app).await;
        world.refresh(&app, &pair.refresh_token).await;
    }
}

/// Sources are not told apart, so that every guess at the application counts, whichever source was right before.
#[tokio::test]
async fn with_a_limit_per_application_alone_guesses_from_all_addresses_together_are_limited() {
    let world = limited(0, PER_APPLICATION).await;
    let app = import(&world, "a").await;
    world.login(&app).await;
    let mut heard = 0;
    for last in 0..20 {
        heard += u32::from(!is_throttled(&world, &holder("a", "a guess"), address(last)).await);
    }
    assert_eq!(heard, PER_APPLICATION);
    assert!(is_throttled(&world, &app, HOME).await);
    let other = import(&world, "b").await;
    world.login(&other).await;
    // A minute's worth comes back evenly.
    world.advance(SECOND * 10);
    assert!(!is_throttled(&world, &app, HOME).await);
}

#[tokio::test]
async fn with_a_limit_per_source_alone_other_addresses_are_not_limited() {
    let world = limited(PER_SOURCE, 0).await;
    let app = import(&world, "a").await;
    for last in 0..20 {
        assert_eq!(compared(&world, "a", address(last)).await, PER_SOURCE);
    }
    assert!(!is_throttled(&world, &app, HOME).await);
}

/// It was exempt from all limits: a guesser behind the application's own NAT went on for ever.
#[tokio::test]
async fn an_address_that_was_right_before_may_guess_as_often_as_the_application_is_limited() {
    let world = limited(PER_SOURCE, PER_APPLICATION).await;
    let app = import(&world, "a").await;
    world.login(&app).await;
    for _ in 1..PER_APPLICATION {
        is_throttled(&world, &holder("a", "a guess"), HOME).await;
    }
    assert!(!is_throttled(&world, &app, HOME).await);
    is_throttled(&world, &holder("a", "a guess"), HOME).await;
    assert!(is_throttled(&world, &app, HOME).await);
}

#[tokio::test]
async fn guesses_elsewhere_do_not_shut_out_an_address_that_was_right_before() {
    let world = limited(PER_SOURCE, PER_APPLICATION).await;
    let app = import(&world, "a").await;
    world.login(&app).await;
    for last in 0..20 {
        compared(&world, "a", address(last)).await;
    }
    assert!(!is_throttled(&world, &app, HOME).await);
}

#[tokio::test]
async fn no_limit_tells_which_applications_exist() {
    for (source, application) in ALL {
        let world = limited(source, application).await;
        world.customer("allocated").await;
        import(&world, "imported").await;
        let mut heard = Vec::new();
        for app in ["allocated", "imported", "unknown"] {
            world.advance(MINUTE * 3);
            heard.push(compared(&world, app, HOME).await);
        }
        assert!(heard.iter().all(|count| *count == heard[0]), "{source}/{application}: {heard:?}");
    }
}
