//! Laws of refresh: a chain of tokens that a lost response, a race or a restart does not break and no client can fork.

use std::sync::Arc;
use std::time::Duration;

use northgate_core::admit::Caller;
use northgate_core::clock::CLOCK_SKEW;
use northgate_core::policy::{OnReuse, Overrides, Rotation};
use northgate_core::refresh::{How, Refusal};
use northgate_core::token::TokenError;
use tokio::task::JoinSet;

use super::world::{DAY, HOME, HOUR, MILLISECOND, MINUTE, SECOND, World};

#[tokio::test]
async fn a_refresh_gives_the_next_pair() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let first = world.login(&app).await;
    let second = world.try_refresh(&app, &first.refresh_token).await.unwrap();
    assert_eq!(second.how, How::Advanced);
    assert_ne!(second.pair.refresh_token, first.refresh_token);
    assert_eq!(world.verify(&app, &second.pair.access_token), Ok(()));
    world.advance(DAY);
    world.refresh(&app, &second.pair.refresh_token).await;
}

#[tokio::test]
async fn the_access_tokens_before_a_refresh_live_on() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let first = world.login(&app).await;
    world.refresh(&app, &first.refresh_token).await;
    assert_eq!(world.verify(&app, &first.access_token), Ok(()));
}

#[tokio::test]
async fn a_retry_gives_the_same_refresh_token_and_a_fresh_access_token() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let first = world.login(&app).await;
    let lost = world.refresh(&app, &first.refresh_token).await;
    world.advance(MINUTE - MILLISECOND);
    let again = world.try_refresh(&app, &first.refresh_token).await.unwrap();
    assert_eq!(again.how, How::Replayed);
    assert_eq!(again.pair.refresh_token, lost.refresh_token);
    assert_ne!(again.pair.access_token, lost.access_token);
    world.advance(HOUR - MILLISECOND);
    assert_eq!(world.verify(&app, &again.pair.access_token), Ok(()));
}

#[tokio::test]
async fn a_retry_after_a_restart_gives_the_same_refresh_token() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let first = world.login(&app).await;
    let lost = world.refresh(&app, &first.refresh_token).await;
    world.restart().await;
    let again = world.refresh(&app, &first.refresh_token).await;
    assert_eq!(again.refresh_token, lost.refresh_token);
}

#[tokio::test]
async fn a_retry_after_the_window_is_refused_and_the_grant_lives_on() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let first = world.login(&app).await;
    let second = world.refresh(&app, &first.refresh_token).await;
    // The window, of which the skew of clocks takes nothing.
    world.advance(MINUTE + CLOCK_SKEW - MILLISECOND);
    assert_eq!(world.refresh(&app, &first.refresh_token).await.refresh_token, second.refresh_token);
    world.advance(MILLISECOND);
    let refusal = world.refusal(&app, &first.refresh_token).await;
    assert!(matches!(refusal, Refusal::Reused { presented: 0, current: 1, closed: false, .. }), "{refusal}");
    world.refresh(&app, &second.refresh_token).await;
}

#[tokio::test]
async fn the_window_is_counted_from_the_refresh_and_not_from_the_last_retry() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let first = world.login(&app).await;
    world.refresh(&app, &first.refresh_token).await;
    world.advance(40 * SECOND);
    world.refresh(&app, &first.refresh_token).await;
    world.advance(40 * SECOND);
    world.refusal(&app, &first.refresh_token).await;
}

#[tokio::test]
async fn an_older_ancestor_is_refused() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let first = world.login(&app).await;
    let mut last = world.refresh(&app, &first.refresh_token).await;
    for _ in 0..5 {
        world.advance(HOUR);
        last = world.refresh(&app, &last.refresh_token).await;
    }
    let refusal = world.refusal(&app, &first.refresh_token).await;
    assert!(matches!(refusal, Refusal::Reused { presented: 0, current: 6, .. }), "{refusal}");
}

#[tokio::test]
async fn the_predecessor_is_refused_inside_the_window_once_its_successor_was_used() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let first = world.login(&app).await;
    let second = world.refresh(&app, &first.refresh_token).await;
    world.refresh(&app, &second.refresh_token).await;
    let refusal = world.refusal(&app, &first.refresh_token).await;
    assert!(matches!(refusal, Refusal::Reused { presented: 0, current: 2, .. }), "{refusal}");
}

#[tokio::test]
async fn a_reuse_closes_the_grant_where_the_policy_says_so() {
    let mut world = World::new().await;
    let close = Overrides { on_reuse: Some(OnReuse::Close), ..Overrides::default() };
    let app = world.customer_with("a", close).await;
    let first = world.login(&app).await;
    let second = world.refresh(&app, &first.refresh_token).await;
    world.advance(MINUTE + CLOCK_SKEW);
    let refusal = world.refusal(&app, &first.refresh_token).await;
    assert!(matches!(refusal, Refusal::Reused { closed: true, .. }), "{refusal}");
    for _ in 0..2 {
        assert_eq!(world.refusal(&app, &second.refresh_token).await, Refusal::Closed);
        assert!(world.verify(&app, &second.access_token).is_err());
        world.restart().await;
    }
}

#[tokio::test]
async fn a_token_ahead_of_a_restored_record_is_accepted_and_the_record_catches_up() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let first = world.login(&app).await;
    let backup = world.backup().await;
    let mut last = world.refresh(&app, &first.refresh_token).await;
    for _ in 0..2 {
        last = world.refresh(&app, &last.refresh_token).await;
    }
    world.put_back(&backup).await;
    let caught_up = world.try_refresh(&app, &last.refresh_token).await.unwrap();
    assert_eq!(caught_up.how, How::CaughtUp { from: 0, to: 4 });
    let again = world.try_refresh(&app, &last.refresh_token).await.unwrap();
    assert_eq!(again.how, How::Replayed);
    assert_eq!(again.pair.refresh_token, caught_up.pair.refresh_token);
    world.refusal(&app, &first.refresh_token).await;
    world.refresh(&app, &caught_up.pair.refresh_token).await;
}

#[tokio::test]
async fn a_reusable_refresh_token_stays_the_same_and_nothing_is_written() {
    let world = World::new().await;
    let reusable = Overrides { rotation: Some(Rotation::Reusable), ..Overrides::default() };
    let app = world.customer_with("a", reusable).await;
    let first = world.login(&app).await;
    let writes = world.writes();
    for _ in 0..3 {
        world.advance(DAY);
        let again = world.try_refresh(&app, &first.refresh_token).await.unwrap();
        assert_eq!(again.how, How::Kept);
        assert_eq!(again.pair.refresh_token, first.refresh_token);
        assert_eq!(world.verify(&app, &again.pair.access_token), Ok(()));
    }
    assert_eq!(world.writes(), writes);
}

#[tokio::test]
async fn a_refresh_token_ends_at_its_expiry_and_not_a_millisecond_later() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let (one, other) = (world.login(&app).await, world.login(&app).await);
    world.advance(30 * DAY - MILLISECOND);
    world.refresh(&app, &one.refresh_token).await;
    world.advance(MILLISECOND);
    assert_eq!(world.refusal(&app, &other.refresh_token).await, Refusal::Expired);
}

#[tokio::test]
async fn each_refresh_gives_the_whole_lifetime_again() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let mut pair = world.login(&app).await;
    for _ in 0..3 {
        world.advance(29 * DAY);
        pair = world.refresh(&app, &pair.refresh_token).await;
    }
}

#[tokio::test]
async fn an_access_token_is_no_refresh_token() {
    let world = World::new().await;
    let app = world.customer("a").await;
    let pair = world.login(&app).await;
    assert_eq!(world.refusal(&app, &pair.access_token).await, Refusal::WrongKind);
}

#[tokio::test]
async fn a_refresh_token_of_another_application_is_refused_and_not_used_up() {
    let world = World::new().await;
    let (mine, theirs) = (world.customer("a").await, world.customer("b").await);
    let pair = world.login(&mine).await;
    assert_eq!(world.refusal(&theirs, &pair.refresh_token).await, Refusal::NotYours);
    assert_eq!(world.try_refresh(&mine, &pair.refresh_token).await.unwrap().how, How::Advanced);
}

#[tokio::test]
async fn a_refresh_token_of_another_installation_is_refused() {
    let (world, elsewhere) = (World::new().await, World::new().await);
    let (here, there) = (world.customer("a").await, elsewhere.customer("a").await);
    let pair = elsewhere.login(&there).await;
    world.login(&here).await;
    assert_eq!(world.refusal(&here, &pair.refresh_token).await, Refusal::Token(TokenError::Forged));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_who_refresh_with_one_token_at_once_get_the_same_successor() {
    let world = World::new().await;
    let app = Arc::new(world.customer("a").await);
    let mut token = world.login(&app).await.refresh_token;
    for _ in 0..5 {
        let mut racers = JoinSet::new();
        for _ in 0..32 {
            let (auth, app, token, now) =
                (Arc::clone(world.auth()), Arc::clone(&app), token.clone(), world.now());
            racers.spawn(async move {
                auth.refresh(&Caller::with_secret(&app.id, &app.secret, HOME), &token, now).await.unwrap()
            });
        }
        let answers = racers.join_all().await;
        assert_eq!(answers.iter().filter(|answer| answer.how == How::Advanced).count(), 1);
        assert_eq!(answers.iter().filter(|answer| answer.how == How::Replayed).count(), 31);
        token.clone_from(&answers[0].pair.refresh_token);
        assert!(answers.iter().all(|answer| answer.pair.refresh_token == token));
        world.advance(HOUR);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_retry_window_exactly_one_of_many_succeeds() {
    let world = World::new().await;
    let strict = Overrides { retry_window: Some(Duration::ZERO), ..Overrides::default() };
    let app = Arc::new(world.customer_with("a", strict).await);
    let token = world.login(&app).await.refresh_token;
    let mut racers = JoinSet::new();
    for _ in 0..32 {
        let (auth, app, token, now) =
            (Arc::clone(world.auth()), Arc::clone(&app), token.clone(), world.now());
        racers.spawn(async move {
            auth.refresh(&Caller::with_secret(&app.id, &app.secret, HOME), &token, now).await.is_ok()
        });
    }
    assert_eq!(racers.join_all().await.into_iter().filter(|succeeded| *succeeded).count(), 1);
}

#[tokio::test]
async fn a_clock_that_was_set_back_breaks_no_chain() {
    let mut world = World::new().await;
    let app = world.customer("a").await;
    let first = world.login(&app).await;
    let second = world.refresh(&app, &first.refresh_token).await;
    world.set_back(DAY);
    let again = world.refresh(&app, &first.refresh_token).await;
    assert_eq!(again.refresh_token, second.refresh_token);
    world.restart().await;
    world.refresh(&app, &second.refresh_token).await;
}
