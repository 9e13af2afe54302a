//! Laws of single-use identifiers: of any number of uses one is fresh, at whatever time and however often the store restarts.

use std::time::Duration;

use northgate_core::application::{AppNumber, Application};
use northgate_core::clock::{CLOCK_SKEW, Timestamp};
use northgate_core::store::{Recorded, SingleUse};

use super::world::World;

fn single_use(world: &World, application: &Application, digest: u8) -> SingleUse {
    let until = world.now().plus(Duration::from_secs(300));
    SingleUse { application: application.number, digest: [digest; 16], until, at_most: 3 }
}

#[tokio::test]
async fn what_is_good_once_is_fresh_once() {
    let mut world = World::new().await;
    let application = world.application("a").await;
    let first = single_use(&world, &application, 1);
    assert_eq!(world.store().record_once(first).await.unwrap(), Recorded::Fresh);
    for _ in ["before a restart", "and after it"] {
        assert_eq!(world.store().record_once(first).await.unwrap(), Recorded::Replayed);
        world.restart().await;
    }
    assert_eq!(
        world.store().record_once(single_use(&world, &application, 2)).await.unwrap(),
        Recorded::Fresh
    );
}

#[tokio::test]
async fn of_uses_at_one_moment_one_is_fresh() {
    let world = World::new().await;
    let application = world.application("a").await;
    let record = || world.store().record_once(single_use(&world, &application, 1));
    let (one, two, three) = tokio::join!(record(), record(), record());
    let outcomes = [one.unwrap(), two.unwrap(), three.unwrap()];
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Recorded::Fresh).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Recorded::Replayed).count(), 2);
}

/// A client that signs the same thing again with another end has not made another thing of it.
#[tokio::test]
async fn another_end_does_not_make_it_fresh() {
    let world = World::new().await;
    let application = world.application("a").await;
    let first = single_use(&world, &application, 1);
    assert_eq!(world.store().record_once(first).await.unwrap(), Recorded::Fresh);
    let later = SingleUse { until: first.until.plus(Duration::from_secs(180)), ..first };
    assert_eq!(world.store().record_once(later).await.unwrap(), Recorded::Replayed);
}

#[tokio::test]
async fn applications_use_what_is_theirs() {
    let world = World::new().await;
    let (one, other) = (world.application("a").await, world.application("b").await);
    assert_eq!(world.store().record_once(single_use(&world, &one, 1)).await.unwrap(), Recorded::Fresh);
    assert_eq!(world.store().record_once(single_use(&world, &other, 1)).await.unwrap(), Recorded::Fresh);
}

#[tokio::test]
async fn no_more_is_remembered_of_an_application_than_it_may_use() {
    let mut world = World::new().await;
    let (application, other) = (world.application("a").await, world.application("b").await);
    for digest in 1..=3 {
        assert_eq!(
            world.store().record_once(single_use(&world, &application, digest)).await.unwrap(),
            Recorded::Fresh
        );
    }
    for _ in ["before a restart", "and after it"] {
        assert_eq!(
            world.store().record_once(single_use(&world, &application, 4)).await.unwrap(),
            Recorded::Full
        );
        assert_eq!(
            world.store().record_once(single_use(&world, &application, 1)).await.unwrap(),
            Recorded::Replayed
        );
        world.restart().await;
    }
    assert_eq!(world.store().record_once(single_use(&world, &other, 4)).await.unwrap(), Recorded::Fresh);
}

/// Nodes' clocks differ, and each says by its own until when an identifier is remembered. The bound and what is remembered must
/// not depend on which clock asks.
#[tokio::test]
async fn the_bound_holds_and_nothing_is_fresh_twice_by_clocks_that_differ() {
    let mut world = World::new().await;
    let application = world.application("a").await;
    let now = world.now();
    let by_clock = |clock, digest| {
        let until = Timestamp::plus(clock, Duration::from_secs(300));
        SingleUse { application: application.number, digest: [digest; 16], until, at_most: 3 }
    };
    let clocks = [now.minus(CLOCK_SKEW), now, now.plus(CLOCK_SKEW)];
    for (digest, clock) in (1..).zip(clocks) {
        assert_eq!(world.store().record_once(by_clock(clock, digest)).await.unwrap(), Recorded::Fresh);
    }
    for _ in ["before a restart", "and after it"] {
        for clock in clocks {
            assert_eq!(world.store().record_once(by_clock(clock, 4)).await.unwrap(), Recorded::Full);
            for digest in 1..=3 {
                assert_eq!(
                    world.store().record_once(by_clock(clock, digest)).await.unwrap(),
                    Recorded::Replayed
                );
            }
        }
        world.restart().await;
    }
}

/// The clock of a machine may be set forward for a moment; what looked over then must not be fresh when it is set back.
#[tokio::test]
async fn one_look_at_the_clock_does_not_make_it_fresh() {
    let mut world = World::new().await;
    let application = world.application("a").await;
    let first = single_use(&world, &application, 1);
    assert_eq!(world.store().record_once(first).await.unwrap(), Recorded::Fresh);
    world.advance(Duration::from_secs(86_400));
    world.restart().await;
    assert_eq!(world.store().record_once(first).await.unwrap(), Recorded::Replayed);
}

#[tokio::test]
async fn an_application_that_is_gone_uses_nothing() {
    let world = World::new().await;
    let application = world.application("a").await;
    world.store().delete(application.number, None).await.unwrap();
    assert_eq!(
        world.store().record_once(single_use(&world, &application, 1)).await.unwrap(),
        Recorded::Unknown
    );
    let nobody = SingleUse { application: AppNumber(99), ..single_use(&world, &application, 1) };
    assert_eq!(world.store().record_once(nobody).await.unwrap(), Recorded::Unknown);
}
