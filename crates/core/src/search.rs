//! Search over applications: filters, orders and pages, in memory. The admin API and the console share it.
//!
//! A page of the admin API continues after the last row of the one before (keyset pagination): an application that is created or
//! deleted meanwhile shifts no other.

mod cursor;
mod index;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::application::{Application, State};
use crate::clock::Timestamp;
use crate::owner::Owner;
use crate::registry::Registry;

pub use cursor::Cursor;
use cursor::Key;
use index::Entry;
pub use index::Index;

/// The applications that are wanted, and their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// A part of the name or the appId, in any case; empty for all.
    pub text: String,
    /// A part of the name, in any case; empty for all.
    pub name: String,
    pub state: Option<State>,
    /// `Some(None)`: without an owner.
    pub owner: Option<Option<Owner>>,
    /// Not used since this time, or never.
    pub used_before: Option<Timestamp>,
    /// Used at this time or later.
    pub used_after: Option<Timestamp>,
    /// With a live secret that was created before this time.
    pub secret_before: Option<Timestamp>,
    pub order: Order,
}

/// The orders. Applications that compare equal follow the order of creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// In the order of creation.
    #[default]
    Oldest,
    Newest,
    /// By name in lower case, then by appId.
    Name,
    /// The last used first; those never used at the end.
    Used,
}

impl Order {
    pub const ALL: [Order; 4] = [Order::Newest, Order::Oldest, Order::Name, Order::Used];

    /// The word in queries.
    pub fn as_str(self) -> &'static str {
        match self {
            Order::Oldest => "oldest",
            Order::Newest => "newest",
            Order::Name => "name",
            Order::Used => "used",
        }
    }

    /// Parses the word.
    pub fn parse(word: &str) -> Option<Order> {
        Order::ALL.into_iter().find(|order| order.as_str() == word)
    }
}

/// A page after a cursor.
pub struct Page {
    pub rows: Vec<Arc<Application>>,
    /// The end of the page, if there are more rows.
    pub next: Option<Cursor>,
}

/// A part of the rows, by their places.
pub struct Part {
    pub rows: Vec<Arc<Application>>,
    /// The rows in all.
    pub found: usize,
    /// The number of the page, from 1 to `pages`.
    pub number: usize,
    pub pages: usize,
}

impl Index {
    /// At most `limit` rows after `after`. Looks at each application at most once, and in the order of creation only at those up
    /// to the end of the page.
    pub fn page(
        &self,
        registry: &Registry,
        search: &Search,
        now: Timestamp,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Page {
        let entries = self.entries(registry);
        let wanted = Wanted::new(search, now);
        let mut found = match search.order {
            Order::Oldest => {
                let begin =
                    after.map_or(0, |after| entries.partition_point(|one| one.number() <= after.number()));
                wanted.first(entries[begin..].iter(), limit + 1)
            }
            Order::Newest => {
                let before = |after: &Cursor| entries.partition_point(|one| one.number() < after.number());
                let end = after.map_or(entries.len(), before);
                wanted.first(entries[..end].iter().rev(), limit + 1)
            }
            Order::Name | Order::Used => {
                let is_next = |(key, _): &(Key, &Entry)| after.is_none_or(|after| after.0 < *key);
                let found = wanted.first(entries.iter(), usize::MAX);
                sorted(found.into_iter().filter(is_next).collect(), limit + 1)
            }
        };
        let has_more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| has_more).map(|(key, _)| Cursor(key.clone()));
        Page { rows: applications(&found), next }
    }

    /// The page `number` of `size` rows; the last one if there are fewer.
    pub fn part(
        &self,
        registry: &Registry,
        search: &Search,
        now: Timestamp,
        number: usize,
        size: usize,
    ) -> Part {
        let entries = self.entries(registry);
        let mut found = Wanted::new(search, now).first(entries.iter(), usize::MAX);
        let (count, pages) = (found.len(), found.len().div_ceil(size).max(1));
        let number = number.clamp(1, pages);
        let begin = (number - 1) * size;
        let end = (begin + size).min(count);
        match search.order {
            // The index is in the order of creation.
            Order::Oldest => {}
            Order::Newest => found.reverse(),
            Order::Name | Order::Used => found = sorted(found, end),
        }
        Part { rows: applications(&found[begin..end]), found: count, number, pages }
    }
}

/// A search with its texts in lower case.
struct Wanted<'s> {
    search: &'s Search,
    text: String,
    name: String,
    now: Timestamp,
}

impl Wanted<'_> {
    fn new(search: &Search, now: Timestamp) -> Wanted<'_> {
        Wanted { search, text: search.text.to_lowercase(), name: search.name.to_lowercase(), now }
    }

    /// The first wanted entries, with their keys: a last use may change while they are sorted.
    fn first<'e>(&self, entries: impl Iterator<Item = &'e Entry>, at_most: usize) -> Vec<(Key, &'e Entry)> {
        let wanted = entries.filter(|entry| self.is_wanted(entry)).take(at_most);
        wanted.map(|entry| (Key::new(self.search.order, entry), entry)).collect()
    }

    fn is_wanted(&self, entry: &Entry) -> bool {
        let (search, application) = (self.search, &entry.application);
        entry.contains(&self.text)
            && entry.name_contains(&self.name)
            && search.state.is_none_or(|state| application.state == state)
            && search.owner.as_ref().is_none_or(|owner| application.owner == *owner)
            && search.used_before.is_none_or(|at| application.last_used_at().is_none_or(|used| used < at))
            && search.used_after.is_none_or(|at| application.last_used_at().is_some_and(|used| used >= at))
            && search.secret_before.is_none_or(|at| has_secret_before(application, at, self.now))
    }
}

fn has_secret_before(application: &Application, at: Timestamp, now: Timestamp) -> bool {
    application.secrets.iter().any(|secret| secret.is_live(now) && secret.created_at < at)
}

/// The rows, of which the first `end` are sorted and the others may be missing.
fn sorted(mut found: Vec<(Key, &Entry)>, end: usize) -> Vec<(Key, &Entry)> {
    let by_key = |a: &(Key, &Entry), b: &(Key, &Entry)| a.0.cmp(&b.0);
    if end > 0 && end < found.len() {
        found.select_nth_unstable_by(end, by_key);
    }
    found.truncate(end);
    found.sort_by(by_key);
    found
}

fn applications(found: &[(Key, &Entry)]) -> Vec<Arc<Application>> {
    found.iter().map(|(_, entry)| Arc::clone(&entry.application)).collect()
}
