//! Query of `GET /admin/v1/applications`: filters, order and page.

use northgate_core::application::State;
use northgate_core::clock::Timestamp;
use northgate_core::owner::Owner;
use northgate_core::search::{Cursor, Order, Search};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::problem::AdminProblem;
use crate::parse_bounds::check_parameters;
use crate::rfc3339;

/// The default size of a page, and the largest.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

/// About a member that is not known.
const UNKNOWN: &str = "not known; there are search, name, state, owner, usedBefore, usedAfter, secretBefore, sort, limit and after";

/// A page of the list.
#[derive(Debug, PartialEq)]
pub struct Which {
    pub search: Search,
    /// The end of the previous page.
    pub after: Option<Cursor>,
    pub limit: usize,
}

impl Which {
    /// Parses a query. Times that are written as a duration lie that long before `now`.
    pub fn parse(query: &str, now: Timestamp) -> Result<Which, AdminProblem> {
        let mut which = Which { search: Search::default(), after: None, limit: PAGE };
        let mut after = None;
        for (member, value) in members(query)? {
            let bad = |what: &str| bad_member(member, what);
            let value = percent_decode_str(value).decode_utf8().map_err(|_| bad("not UTF-8"))?.into_owned();
            match member {
                "after" => after = Some(value),
                "limit" => which.limit = value.parse().map_err(|_| bad("no number"))?,
                _ => set(&mut which.search, member, value, now).map_err(bad)?,
            }
        }
        let order = which.search.order;
        if let Some(text) = after {
            let cursor = Cursor::parse(order, &text);
            let bad = || AdminProblem::invalid("after in the query is not the next of a list in this order");
            which.after = Some(cursor.ok_or_else(bad)?);
        }
        which.limit = which.limit.clamp(1, LARGEST_PAGE);
        Ok(which)
    }
}

/// The names and values of a query, not decoded.
pub fn members(query: &str) -> Result<impl Iterator<Item = (&str, &str)>, AdminProblem> {
    check_parameters(query).map_err(|error| AdminProblem::invalid(error.to_string()))?;
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    Ok(pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))))
}

/// The problem of a member of a query, with what its value is.
pub fn bad_member(member: &str, what: &str) -> AdminProblem {
    AdminProblem::invalid(format!("{member} in the query is {what}"))
}

/// Sets a member of a search from its text.
fn set(search: &mut Search, member: &str, value: String, now: Timestamp) -> Result<(), &'static str> {
    let time = |text: &str| time(text, now).ok_or("no time such as 2026-01-31T12:00:00Z, and no 90d");
    match member {
        "search" => search.text = value,
        "name" => search.name = value,
        "state" => search.state = Some(State::parse(&value).ok_or("neither active nor frozen")?),
        // Empty: without an owner.
        "owner" if value.is_empty() => search.owner = Some(None),
        "owner" => search.owner = Some(Some(Owner::parse(&value).map_err(|_| "no owner")?)),
        "usedBefore" => search.used_before = Some(time(&value)?),
        "usedAfter" => search.used_after = Some(time(&value)?),
        "secretBefore" => search.secret_before = Some(time(&value)?),
        "sort" => search.order = Order::parse(&value).ok_or("none of newest, oldest, name and used")?,
        _ => return Err(UNKNOWN),
    }
    Ok(())
}

/// A time, or how long ago it was.
fn time(text: &str, now: Timestamp) -> Option<Timestamp> {
    let ago = || humantime::parse_duration(text).ok().map(|ago| now.minus(ago));
    rfc3339::parse(text).or_else(ago)
}

/// The query of the next page: all members but the cursor as they were.
pub fn next_query(query: &str, next: &str) -> String {
    let is_kept = |pair: &&str| !pair.is_empty() && pair.split('=').next() != Some("after");
    let next = format!("after={}", utf8_percent_encode(next, NON_ALPHANUMERIC));
    query.split('&').filter(is_kept).chain([next.as_str()]).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn parse(query: &str) -> Which {
        Which::parse(query, NOW).expect("good")
    }

    #[test]
    fn a_page_has_100_applications_unless_asked_and_never_more_than_1000() {
        assert_eq!(parse("").limit, 100);
        assert_eq!(parse("limit=5000").limit, 1000);
        assert_eq!(parse("limit=0").limit, 1);
    }

    #[test]
    fn a_query_is_decoded_and_every_member_of_it_known() {
        let which = parse("limit=2&search=a%20b%26&name=n&state=frozen&owner=&sort=used&usedBefore=1h");
        let hour_ago = Some(Timestamp::from_millis(1_699_996_400_000));
        let (text, name, state) = ("a b&".to_owned(), "n".to_owned(), Some(State::Frozen));
        let search = Search {
            text,
            name,
            state,
            owner: Some(None),
            used_before: hour_ago,
            order: Order::Used,
            ..Search::default()
        };
        assert_eq!(which, Which { search, after: None, limit: 2 });
        let times = parse("usedAfter=2023-11-14T21:13:20Z&secretBefore=1h").search;
        assert_eq!((times.used_after, times.secret_before), (hour_ago, hour_ago));
        for query in [
            "page=2",
            "after=x",
            "limit",
            "name=%ff",
            "state=",
            "sort=up",
            "usedBefore=soon",
            &"limit=1&".repeat(33),
        ] {
            assert!(Which::parse(query, NOW).is_err(), "{query}");
        }
    }

    #[test]
    fn the_next_query_differs_in_the_cursor_only() {
        assert_eq!(next_query("", "b"), "after=b");
        assert_eq!(next_query("after=a&limit=2&sort=name", "b"), "limit=2&sort=name&after=b");
    }
}
