//! Cursors: the sort key of the last row of a page, as opaque text.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Order;
use super::index::Entry;
use crate::application::AppNumber;
use crate::clock::Timestamp;

/// The place after a row, in one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub(super) Key);

/// The sort key of a row. No two rows have the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Oldest(AppNumber),
    Newest(Reverse<AppNumber>),
    /// Name and appId in lower case; two appIds may differ in case only.
    Name(Arc<str>, AppNumber),
    Used(Reverse<Option<Timestamp>>, AppNumber),
}

impl Key {
    pub fn new(order: Order, entry: &Entry) -> Key {
        let number = entry.number();
        match order {
            Order::Oldest => Key::Oldest(number),
            Order::Newest => Key::Newest(Reverse(number)),
            Order::Name => Key::Name(Arc::clone(&entry.text), number),
            Order::Used => Key::Used(Reverse(entry.application.last_used_at()), number),
        }
    }
}

impl Cursor {
    /// The number of the row.
    pub(super) fn number(&self) -> AppNumber {
        match self.0 {
            Key::Oldest(number)
            | Key::Newest(Reverse(number))
            | Key::Name(_, number)
            | Key::Used(_, number) => number,
        }
    }

    /// Parses a cursor of this order.
    pub fn parse(order: Order, text: &str) -> Option<Cursor> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (word, rest) = text.split_once(' ')?;
        let (number, key) = rest.split_once(' ')?;
        let number = AppNumber(number.parse().ok()?);
        if Order::parse(word)? != order {
            return None;
        }
        Some(Cursor(match order {
            Order::Oldest => Key::Oldest(number),
            Order::Newest => Key::Newest(Reverse(number)),
            Order::Name => Key::Name(key.into(), number),
            Order::Used if key.is_empty() => Key::Used(Reverse(None), number),
            Order::Used => Key::Used(Reverse(Some(Timestamp::from_millis(key.parse().ok()?))), number),
        }))
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (order, number, key) = match &self.0 {
            Key::Oldest(number) => (Order::Oldest, number, String::new()),
            Key::Newest(Reverse(number)) => (Order::Newest, number, String::new()),
            Key::Name(text, number) => (Order::Name, number, text.to_string()),
            Key::Used(Reverse(at), number) => {
                (Order::Used, number, at.map_or_else(String::new, |at| at.as_millis().to_string()))
            }
        };
        f.write_str(&URL_SAFE_NO_PAD.encode(format!("{} {} {key}", order.as_str(), number.0)))
    }
}
