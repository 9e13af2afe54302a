//! Laws of the feed: it reports every durable change, and nothing that is not durable.

use northgate_core::actor::Actor;
use northgate_core::clock::CLOCK_SKEW;
use northgate_core::feed::{Cursor, News};
use northgate_core::policy::{LAST_ONLY_OVERLAP, Logins, Overrides};

use super::world::{SETTINGS, World};

impl World {
    fn news(&self, cursor: Option<Cursor>) -> News {
        self.auth().registry().news(cursor)
    }
}

#[tokio::test]
async fn a_login_that_ends_the_ones_before_is_told_with_their_end() {
    let world = World::new().await;
    let logins = Some(Logins::LastOnly);
    let app = world.customer_with("a", Overrides { logins, ..Overrides::default() }).await;
    world.login(&app).await;
    let begin = world.news(None).cursor;
    let now = world.now();
    world.login(&app).await;
    let news = world.news(Some(begin));
    let [(_, revocation)] = news.revocations[..] else { panic!("{} are told", news.revocations.len()) };
    assert_eq!(revocation.ends_at, now.plus(LAST_ONLY_OVERLAP));
    let forget_at = now.plus(SETTINGS.policy.access_lifetime + SETTINGS.leeway + CLOCK_SKEW);
    assert_eq!(revocation.forget_at, forget_at);
}

#[tokio::test]
async fn after_a_restart_everything_is_told_again() {
    let mut world = World::new().await;
    let (gone, frozen) = (world.customer("gone").await, world.customer("frozen").await);
    let pair = world.login(&frozen).await;
    world.logout(&pair.access_token).await.unwrap();
    world.freeze(&frozen).await;
    world.auth().delete(&gone.id, &Actor::LOCAL, world.now()).await.unwrap();
    let before = world.news(None);
    assert!(!world.news(Some(before.cursor)).is_whole);
    world.restart().await;
    let after = world.news(Some(before.cursor));
    assert!(after.is_whole && after.cursor != before.cursor);
    assert_eq!(after.revocations, before.revocations);
    let [(_, Some(application))] = &after.applications[..] else { panic!("the deleted one is told") };
    assert!(application.is_frozen());
}

/// Refreshes and changes of secrets, which are frequent, wake no reader.
#[tokio::test]
async fn what_ends_no_token_is_not_told() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let begin = world.news(None).cursor;
    let pair = world.login(&app).await;
    world.refresh(&app, &pair.refresh_token).await;
    let overrides = Overrides { max_grants: Some(3), ..Overrides::default() };
    world.set(&app, overrides).await;
    assert_eq!(world.news(Some(begin)).cursor, begin);
}
