//! Laws of grants: opening, advancing and closing.

use northgate_core::application::AppNumber;
use northgate_core::grant::{GrantId, GrantKey};
use northgate_core::store::{Advanced, Closing, Opened, Opening, Step};

use super::world::{HOUR, World};

#[tokio::test]
async fn a_grant_that_was_opened_is_there() {
    let world = World::new().await;
    let application = world.application("a").await;
    let key = world.open(&application, 1).await;
    assert_eq!(world.store().grant(key).await.unwrap(), Some(world.grant(1)));
}

#[tokio::test]
async fn a_grant_of_one_application_is_not_found_under_another() {
    let world = World::new().await;
    let (a, b) = (world.application("a").await, world.application("b").await);
    world.open(&a, 1).await;
    let key = GrantKey { application: b.number, id: GrantId(1) };
    assert_eq!(world.store().grant(key).await.unwrap(), None);
}

#[tokio::test]
async fn a_grant_cannot_be_opened_for_an_application_that_does_not_exist() {
    let world = World::new().await;
    let application = world.application("a").await;
    let opening = Opening { application: AppNumber(99), ..world.opening(&application, 1) };
    assert_eq!(world.store().open(opening).await.unwrap(), Opened::Unknown);
}

#[tokio::test]
async fn the_least_recently_refreshed_grant_gives_way_when_there_is_no_room() {
    let world = World::new().await;
    let application = world.application("a").await;
    for id in [1, 2, 3] {
        world.open(&application, id).await;
        world.advance(HOUR);
    }
    let mut refreshed = world.grant(1);
    refreshed.generation = 1;
    let step = Step { application: application.number, from: 0, to: refreshed };
    assert_eq!(world.store().advance(step).await.unwrap(), Advanced::Advanced);
    let opening = Opening { at_most: 3, ..world.opening(&application, 4) };
    world.store().open(opening).await.unwrap();
    let mut left: Vec<u64> =
        world.store().grants(application.number).await.unwrap().iter().map(|grant| grant.id.0).collect();
    left.sort_unstable();
    assert_eq!(left, [1, 3, 4]);
}

#[tokio::test]
async fn a_login_that_closes_the_others_leaves_one_grant_and_revokes_the_rest() {
    let world = World::new().await;
    let application = world.application("a").await;
    let (first, second) = (world.open(&application, 1).await, world.open(&application, 2).await);
    let opening = Opening { close_others: Some(world.revocation()), ..world.opening(&application, 3) };
    world.store().open(opening).await.unwrap();
    assert_eq!(world.store().grants(application.number).await.unwrap(), [world.grant(3)]);
    for key in [first, second] {
        assert_eq!(world.store().registry().revocation(key), Some(world.revocation()));
    }
}

#[tokio::test]
async fn a_step_from_a_generation_that_has_passed_is_lost_and_shows_the_present_one() {
    let world = World::new().await;
    let application = world.application("a").await;
    let key = world.open(&application, 1).await;
    let mut to = world.grant(1);
    to.generation = 1;
    let step = Step { application: application.number, from: 0, to };
    assert_eq!(world.store().advance(step).await.unwrap(), Advanced::Advanced);
    let mut other = to;
    other.expires_at = other.expires_at.plus(HOUR);
    let late = Step { to: other, ..step };
    assert_eq!(world.store().advance(late).await.unwrap(), Advanced::Lost(Some(to)));
    assert_eq!(world.store().grant(key).await.unwrap(), Some(to));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_steps_from_one_generation_exactly_one_is_done() {
    let world = World::new().await;
    let application = world.application("a").await;
    world.open(&application, 1).await;
    let store = std::sync::Arc::new(world);
    let racers = (0..64).map(|n| {
        let world = std::sync::Arc::clone(&store);
        let number = application.number;
        tokio::spawn(async move {
            let mut to = world.grant(1);
            to.generation = 1;
            to.refreshed_at = to.refreshed_at.plus(std::time::Duration::from_millis(n));
            (to, world.store().advance(Step { application: number, from: 0, to }).await.unwrap())
        })
    });
    let mut outcomes = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        outcomes.push(racer.await.unwrap());
    }
    let winners: Vec<_> = outcomes.iter().filter(|(_, outcome)| *outcome == Advanced::Advanced).collect();
    assert_eq!(winners.len(), 1);
    let winner = winners[0].0;
    let losers = outcomes.iter().filter(|(_, outcome)| *outcome == Advanced::Lost(Some(winner))).count();
    assert_eq!(losers, 63);
}

#[tokio::test]
async fn a_closed_grant_is_gone_and_its_access_tokens_are_revoked() {
    let world = World::new().await;
    let application = world.application("a").await;
    let key = world.open(&application, 1).await;
    world.store().close(Closing { grant: key, revocation: world.revocation() }).await.unwrap();
    assert_eq!(world.store().grant(key).await.unwrap(), None);
    assert_eq!(world.store().registry().revocation(key), Some(world.revocation()));
    let step = Step { application: application.number, from: 0, to: world.grant(1) };
    assert_eq!(world.store().advance(step).await.unwrap(), Advanced::Lost(None));
}

#[tokio::test]
async fn a_grant_that_gave_way_can_still_be_revoked() {
    let world = World::new().await;
    let application = world.application("a").await;
    let key = GrantKey { application: application.number, id: GrantId(77) };
    world.store().close(Closing { grant: key, revocation: world.revocation() }).await.unwrap();
    assert_eq!(world.store().registry().revocation(key), Some(world.revocation()));
}

#[tokio::test]
async fn a_grant_closed_twice_ends_at_the_earlier_time() {
    let world = World::new().await;
    let application = world.application("a").await;
    let key = world.open(&application, 1).await;
    let first = world.revocation();
    world.store().close(Closing { grant: key, revocation: first }).await.unwrap();
    world.advance(HOUR / 2);
    world.store().close(Closing { grant: key, revocation: world.revocation() }).await.unwrap();
    assert_eq!(world.store().registry().revocation(key).unwrap().ends_at, first.ends_at);
}
