//! Laws of search: pages hold each application once, whatever changes between them.

use super::*;
use crate::allow::Allow;
use crate::app_id::AppId;
use crate::application::AppNumber;
use crate::policy::Overrides;
use crate::secret::{Digest, Kept, Secret, SecretId};
use crate::store::NewApplication;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// An application whose secret was created at its number, in milliseconds, and used at `used`.
fn application(number: u32, name: &str, owner: Option<&str>, used: Option<u64>) -> Arc<Application> {
    let kept = Kept::Digest(Digest::from_bytes([1; 32]));
    let secret = Secret::new(SecretId(1), "first".to_owned(), at(u64::from(number)), kept);
    let new = NewApplication {
        id: AppId::parse(&format!("ID-{number}")).expect("an appId"),
        name: name.to_owned(),
        owner: owner.map(|owner| Owner::parse(owner).expect("an owner")),
        state: if number.is_multiple_of(2) { State::Frozen } else { State::Active },
        overrides: Overrides::default(),
        allow: Allow::default(),
        created_at: at(u64::from(number)),
        secrets: std::iter::once(Arc::new(secret.restored(None, used.map(at)))).collect(),
    };
    Arc::new(new.numbered(AppNumber(number)))
}

fn registry() -> Registry {
    let registry = Registry::default();
    registry.put(application(1, "Water", Some("a"), Some(50)));
    registry.put(application(2, "lights", None, None));
    registry.put(application(3, "Lights", Some("b"), Some(90)));
    registry.put(application(4, "parking", Some("a"), Some(50)));
    registry.put(application(5, "Öl", None, None));
    registry
}

fn numbers(rows: &[Arc<Application>]) -> Vec<u32> {
    rows.iter().map(|application| application.number.0).collect()
}

fn all(registry: &Registry, search: &Search) -> Vec<u32> {
    numbers(&Index::default().page(registry, search, at(100), None, 100).rows)
}

#[test]
fn each_filter_finds_what_it_names() {
    let registry = registry();
    let owner = |name| Some(Some(Owner::parse(name).expect("an owner")));
    for (search, found) in [
        (Search { text: "LIGHT".to_owned(), ..Search::default() }, vec![2, 3]),
        (Search { text: "id-4".to_owned(), ..Search::default() }, vec![4]),
        (Search { name: "id-4".to_owned(), ..Search::default() }, vec![]),
        (Search { name: "öl".to_owned(), ..Search::default() }, vec![5]),
        (Search { state: Some(State::Frozen), ..Search::default() }, vec![2, 4]),
        (Search { owner: owner("a"), ..Search::default() }, vec![1, 4]),
        (Search { owner: Some(None), ..Search::default() }, vec![2, 5]),
        (Search { used_before: Some(at(90)), ..Search::default() }, vec![1, 2, 4, 5]),
        (Search { used_after: Some(at(90)), ..Search::default() }, vec![3]),
        (Search { secret_before: Some(at(3)), ..Search::default() }, vec![1, 2]),
        (Search { owner: owner("a"), state: Some(State::Active), ..Search::default() }, vec![1]),
    ] {
        assert_eq!(all(&registry, &search), found, "{search:?}");
    }
}

#[test]
fn a_retired_secret_has_no_age() {
    let registry = registry();
    let mut one = (*application(1, "Water", None, None)).clone();
    one.secrets[0] = Arc::new(one.secrets[0].retired(at(99)));
    registry.put(Arc::new(one));
    assert_eq!(all(&registry, &Search { secret_before: Some(at(3)), ..Search::default() }), [2]);
}

#[test]
fn pages_of_any_size_join_to_the_whole_list_in_every_order() {
    let (registry, index) = (registry(), Index::default());
    for (order, expected) in [
        (Order::Oldest, [1, 2, 3, 4, 5]),
        (Order::Newest, [5, 4, 3, 2, 1]),
        (Order::Name, [2, 3, 4, 1, 5]),
        (Order::Used, [3, 1, 4, 2, 5]),
    ] {
        let search = Search { order, ..Search::default() };
        for size in 1..=6 {
            let (mut after, mut joined) = (None, Vec::new());
            loop {
                let page = index.page(&registry, &search, at(100), after.as_ref(), size);
                assert!(page.rows.len() <= size);
                joined.extend(numbers(&page.rows));
                let Some(next) = page.next else { break };
                after = Some(Cursor::parse(order, &next.to_string()).expect("a cursor"));
                assert_eq!(after.as_ref(), Some(&next));
            }
            assert_eq!(joined, expected, "{order:?} by {size}");
            let parts = 1..=expected.len().div_ceil(size);
            let part = |number| index.part(&registry, &search, at(100), number, size);
            let joined: Vec<u32> = parts.flat_map(|number| numbers(&part(number).rows)).collect();
            assert_eq!(joined, expected, "{order:?} by {size}, by places");
            let last = part(usize::MAX);
            assert_eq!((last.found, last.number), (5, last.pages));
        }
    }
}

#[test]
fn creation_and_deletion_between_pages_neither_repeat_nor_skip_another() {
    for (order, rest) in [
        (Order::Oldest, &[3, 5][..]),
        (Order::Newest, &[3, 2, 1]),
        (Order::Name, &[1, 5]),
        (Order::Used, &[2, 5]),
    ] {
        let (registry, index) = (registry(), Index::default());
        let search = Search { order, ..Search::default() };
        let first = index.page(&registry, &search, at(100), None, 2);
        // The last row of the first page, from which the next one starts, and one more.
        for number in [first.rows[1].number, AppNumber(4)] {
            registry.remove(number);
        }
        registry.put(application(6, "aaa", None, Some(95)));
        let page = index.page(&registry, &search, at(100), first.next.as_ref(), 10);
        let known: Vec<u32> = numbers(&page.rows).into_iter().filter(|number| *number != 6).collect();
        assert_eq!(known, rest, "{order:?}");
    }
}

#[test]
fn a_cursor_of_another_order_or_none_is_refused() {
    let (registry, index) = (registry(), Index::default());
    let search = Search { order: Order::Name, ..Search::default() };
    let next = index.page(&registry, &search, at(100), None, 1).next.expect("more");
    for (order, text) in
        [(Order::Used, next.to_string()), (Order::Name, String::new()), (Order::Name, "7".to_owned())]
    {
        assert_eq!(Cursor::parse(order, &text), None, "{text}");
    }
}
