//! Laws of durability: whatever was answered is there after a restart, folded or not.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use northgate_core::grant::{Grant, GrantKey};
use northgate_core::store::{Advanced, Closing, Step};
use proptest::prelude::*;

use super::world::{DAY, World};

#[tokio::test]
async fn grants_and_revocations_survive_a_restart() {
    let mut world = World::new().await;
    let application = world.application("a").await;
    let (open, closed) = (world.open(&application, 1).await, world.open(&application, 2).await);
    world.store().close(Closing { grant: closed, revocation: world.revocation() }).await.unwrap();
    world.restart().await;
    assert_eq!(world.store().grant(open).await.unwrap(), Some(world.grant(1)));
    assert_eq!(world.store().grant(closed).await.unwrap(), None);
    assert_eq!(world.store().registry().revocation(closed), Some(world.revocation()));
}

#[tokio::test]
async fn a_restart_forgets_nothing_because_of_what_the_clock_says_then() {
    let mut world = World::new().await;
    let application = world.application("a").await;
    let (open, closed) = (world.open(&application, 1).await, world.open(&application, 2).await);
    let revocation = world.revocation();
    world.store().close(Closing { grant: closed, revocation }).await.unwrap();
    world.advance(60 * DAY);
    world.restart().await;
    assert!(world.store().grant(open).await.unwrap().is_some());
    assert_eq!(world.store().registry().revocation(closed), Some(revocation));
}

#[derive(Clone, Copy, Debug)]
enum Deed {
    Open(u8, u8),
    Advance(u8, u8),
    Close(u8, u8),
    Restart,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let place = || (0..4_u8, 0..3_u8);
    let deed = prop_oneof![
        4 => place().prop_map(|(app, id)| Deed::Open(app, id)),
        8 => place().prop_map(|(app, id)| Deed::Advance(app, id)),
        2 => place().prop_map(|(app, id)| Deed::Close(app, id)),
        1 => Just(Deed::Restart),
    ];
    prop::collection::vec(deed, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A model of two maps against the store, over any order of deeds and restarts.
    #[test]
    fn a_store_is_a_map_of_grants_whatever_happens_to_it(deeds in deeds()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(compare(deeds));
    }
}

async fn compare(deeds: Vec<Deed>) {
    let mut world = World::new().await;
    let mut applications = Vec::new();
    for id in ["a", "b", "c", "d"] {
        applications.push(world.application(id).await);
    }
    let mut model: HashMap<GrantKey, Grant> = HashMap::new();
    for deed in deeds {
        match deed {
            Deed::Open(app, id) => {
                let application = &applications[usize::from(app)];
                // A grant id is random in life, so that an open one is not opened again.
                let key = GrantKey { application: application.number, id: world.grant(u64::from(id)).id };
                if let Entry::Vacant(free) = model.entry(key) {
                    world.open(application, u64::from(id)).await;
                    free.insert(world.grant(u64::from(id)));
                }
            }
            Deed::Advance(app, id) => {
                let application = applications[usize::from(app)].number;
                let id = world.grant(u64::from(id)).id;
                let known = model.get_mut(&GrantKey { application, id });
                let from = known.as_ref().map_or(0, |grant| grant.generation);
                let to = Grant { generation: from + 1, ..world.grant(id.0) };
                let outcome = world.store().advance(Step { application, from, to }).await.unwrap();
                match known {
                    Some(grant) => {
                        assert_eq!(outcome, Advanced::Advanced);
                        *grant = to;
                    }
                    None => assert_eq!(outcome, Advanced::Lost(None)),
                }
            }
            Deed::Close(app, id) => {
                let application = applications[usize::from(app)].number;
                let grant = GrantKey { application, id: world.grant(u64::from(id)).id };
                world.store().close(Closing { grant, revocation: world.revocation() }).await.unwrap();
                model.remove(&grant);
            }
            Deed::Restart => world.restart().await,
        }
        world.advance(std::time::Duration::from_secs(1));
    }
    world.restart().await;
    for application in &applications {
        for grant in world.store().grants(application.number).await.unwrap() {
            let key = GrantKey { application: application.number, id: grant.id };
            assert_eq!(model.remove(&key), Some(grant));
        }
    }
    assert!(model.is_empty(), "lost: {model:?}");
}
