//! Laws of the feed.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::allow::Allow;
use crate::app_id::AppId;
use crate::application::State;
use crate::clock::Timestamp;
use crate::grant::GrantId;
use crate::policy::Overrides;
use crate::registry::Registry;
use crate::secret::Secrets;

/// An event in a registry, or a follower's question.
#[derive(Clone, Debug)]
enum Deed {
    Put(u32, State),
    Remove(u32),
    Revoke(u32, u64),
    Reload,
    Ask,
}

fn deed() -> impl Strategy<Value = Deed> {
    let number = 1..6_u32;
    prop_oneof![
        (number.clone(), prop_oneof![Just(State::Active), Just(State::Frozen)])
            .prop_map(|(number, state)| Deed::Put(number, state)),
        number.clone().prop_map(Deed::Remove),
        (number, 0..4_u64).prop_map(|(number, grant)| Deed::Revoke(number, grant)),
        Just(Deed::Reload),
        Just(Deed::Ask),
        Just(Deed::Ask),
    ]
}

fn put(registry: &Registry, number: u32, state: State) {
    registry.put(Arc::new(Application {
        number: AppNumber(number),
        id: AppId::parse(&number.to_string()).expect("an appId"),
        name: String::new(),
        owner: None,
        state,
        overrides: Overrides::default(),
        created_at: Timestamp::from_millis(0),
        tokens_from: None,
        revision: 0,
        secrets: Secrets::new(),
        credentials: Vec::new(),
        allow: Allow::default(),
        calls: Arc::default(),
    }));
}

fn revoke(registry: &Registry, number: u32, grant: u64) {
    let grant = GrantKey { application: AppNumber(number), id: GrantId(grant) };
    let (ends_at, forget_at) = (Timestamp::from_millis(0), Timestamp::MAX);
    registry.revoke(grant, Revocation { ends_at, forget_at });
}

/// A follower of the feed.
#[derive(Default)]
struct Follower {
    cursor: Option<Cursor>,
    states: BTreeMap<AppNumber, State>,
    revoked: BTreeSet<GrantKey>,
}

impl Follower {
    fn hear(&mut self, news: News) {
        if news.is_whole {
            *self = Follower::default();
        }
        self.cursor = Some(news.cursor);
        for (number, application) in news.applications {
            match application {
                Some(application) => self.states.insert(number, application.state),
                None => self.states.remove(&number),
            };
        }
        self.revoked.extend(news.revocations.into_iter().map(|(grant, _)| grant));
        // Numbers are never reused.
        self.revoked.retain(|grant| self.states.contains_key(&grant.application));
    }
}

proptest! {
    #[test]
    fn whoever_follows_ends_where_a_newcomer_begins(deeds in prop::collection::vec(deed(), 0..40)) {
        let (registry, mut follower, mut removed) = (Registry::default(), Follower::default(), BTreeSet::new());
        for deed in deeds {
            match deed {
                Deed::Put(number, state) if !removed.contains(&number) => put(&registry, number, state),
                Deed::Revoke(number, grant) if registry.application(AppNumber(number)).is_some() => {
                    revoke(&registry, number, grant);
                }
                Deed::Put(..) | Deed::Revoke(..) => {}
                Deed::Remove(number) => {
                    registry.remove(AppNumber(number));
                    removed.insert(number);
                }
                Deed::Reload => {
                    let loaded = Registry::default();
                    registry.all().iter().for_each(|one| put(&loaded, one.number.0, one.state));
                    registry.replace_all(loaded);
                }
                Deed::Ask => follower.hear(registry.news(follower.cursor)),
            }
        }
        follower.hear(registry.news(follower.cursor));
        let mut newcomer = Follower::default();
        newcomer.hear(registry.news(None));
        prop_assert_eq!(follower.states, newcomer.states);
        prop_assert_eq!(follower.revoked, newcomer.revoked);
        prop_assert_eq!(follower.cursor, newcomer.cursor);
    }
}

fn application(number: u32) -> Subject {
    Subject::Application(AppNumber(number))
}

#[test]
fn each_place_knows_what_came_after_it_once() {
    let feed = Feed::default();
    let begin = feed.cursor();
    [1, 2, 1].into_iter().for_each(|number| feed.note(application(number)));
    let (then, subjects) = feed.since(begin).expect("known");
    assert_eq!(subjects.into_iter().collect::<Vec<_>>(), [application(1), application(2)]);
    assert_eq!(feed.since(then).expect("known").1.len(), 0);
}

#[test]
fn a_place_that_is_too_old_of_another_life_or_ahead_is_not_known() {
    let feed = Feed::default();
    let begin = feed.cursor();
    (0..=REMEMBERED_MAX).for_each(|number| feed.note(application(number as u32)));
    assert!(feed.since(begin).is_none());
    let ahead = Cursor { position: u64::MAX, ..begin };
    assert!(feed.since(ahead).is_none());
    let before = feed.cursor();
    feed.begin_again();
    assert!(feed.since(before).is_none());
    assert!(feed.log().subjects.is_empty());
}

#[test]
fn a_cursor_is_read_as_it_was_written() {
    let cursor = Feed::default().cursor();
    assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
    for bad in ["", "-", "1", "x-1", "1-x", "1-1-1"] {
        assert_eq!(Cursor::parse(bad), None, "{bad}");
    }
}

#[tokio::test]
async fn who_waits_is_woken_by_a_change_and_by_the_end() {
    let feed = Arc::new(Feed::default());
    let begin = feed.cursor();
    let waiting = tokio::spawn({
        let feed = Arc::clone(&feed);
        async move { feed.changed(begin).await }
    });
    tokio::task::yield_now().await;
    feed.note(application(1));
    assert_eq!(waiting.await.expect("no panic"), Ok(()));
    feed.stop_waiting();
    assert_eq!(feed.changed(feed.cursor()).await, Ok(()));
}

#[tokio::test]
async fn there_are_so_many_places_to_wait_and_no_more() {
    let feed = Feed::default();
    let taken: Vec<_> = (0..WAITING_MAX).filter_map(|_| feed.slots.try_acquire().ok()).collect();
    assert_eq!(feed.changed(feed.cursor()).await, Err(Crowded));
    drop(taken);
    feed.stop_waiting();
    assert_eq!(feed.changed(feed.cursor()).await, Ok(()));
}
