//! The list of applications: search, filter, sort and pages, all in its URL.

use std::cmp::Reverse;
use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{Response, StatusCode};
use northgate_core::application::Application;
use northgate_core::clock::Timestamp;

use super::csrf::SignedIn;
use super::form::Form;
use super::index::Entry;
use super::page::{self, Frame, Refusal, encoded, path_of};
use crate::http::admin::Admin;
use crate::rfc3339;

/// Rows of a page: some 20 KB.
const ROWS: usize = 50;

/// The orders, as in the URL and for people.
const ORDERS: [(&str, &str); 4] = [
    ("newest", "newest first"),
    ("oldest", "oldest first"),
    ("name", "by name"),
    ("used", "last used first"),
];

/// The filters by state.
const STATES: [(&str, &str); 3] = [("", "any state"), ("active", "active"), ("frozen", "frozen")];

#[derive(Template)]
#[template(path = "applications.html")]
struct List {
    frame: Frame,
    search: String,
    state: String,
    sort: String,
    states: [(&'static str, &'static str); 3],
    orders: [(&'static str, &'static str); 4],
    rows: Vec<Row>,
    found: usize,
    number: usize,
    pages: usize,
    /// The query without the page.
    query: String,
}

struct Row {
    path: String,
    app_id: String,
    name: String,
    state: &'static str,
    created_at: String,
    last_used_at: String,
}

pub async fn list(
    SignedIn { csrf }: SignedIn,
    State(admin): State<Arc<Admin>>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Refusal> {
    let form = Form::parse(query.unwrap_or_default().as_bytes()).map_err(|error| page::bad_form(&error))?;
    let known = |name: &str, all: &[(&str, &str)], or: &str| {
        let wanted = form.get(name);
        if all.iter().any(|(word, _)| *word == wanted) { wanted.to_owned() } else { or.to_owned() }
    };
    let (state, sort) = (known("state", &STATES, ""), known("sort", &ORDERS, "newest"));
    let search = form.get("q").to_owned();
    let entries = admin.index.entries(admin.auth.registry());
    let mut found = search_in(&entries, &search.to_lowercase(), &state);
    let pages = found.len().div_ceil(ROWS).max(1);
    let number = form.get("page").parse().unwrap_or(1).clamp(1, pages);
    let rows = rows(&mut found, &sort, (number - 1) * ROWS);
    let query = format!("q={}&state={state}&sort={sort}", encoded(&search));
    let (frame, found) = (Frame::new(csrf, "applications"), found.len());
    let (states, orders) = (STATES, ORDERS);
    page::page(
        StatusCode::OK,
        &List { frame, search, state, sort, states, orders, rows, found, number, pages, query },
    )
}

fn search_in<'e>(entries: &'e [Entry], part: &str, state: &str) -> Vec<&'e Entry> {
    let is_wanted = |entry: &&Entry| {
        (part.is_empty() || entry.text.contains(part))
            && (state.is_empty() || entry.application.state.as_str() == state)
    };
    entries.iter().filter(is_wanted).collect()
}

/// The rows of one page. Only those up to its end are sorted.
fn rows(found: &mut [&Entry], sort: &str, begin: usize) -> Vec<Row> {
    let end = (begin + ROWS).min(found.len());
    match sort {
        "name" => sort_until(found, end, |entry| Arc::clone(&entry.text)),
        "used" => sort_until(found, end, |entry| Reverse(last_used(&entry.application))),
        "oldest" => {}
        // The index is in the order of creation.
        _ => found.reverse(),
    }
    found[begin.min(end)..end].iter().map(|entry| Row::new(&entry.application)).collect()
}

fn sort_until<K: Ord>(found: &mut [&Entry], end: usize, key: impl Fn(&Entry) -> K) {
    if end > 0 && end < found.len() {
        found.select_nth_unstable_by_key(end, |entry| key(entry));
    }
    found[..end].sort_by_key(|entry| key(entry));
}

/// The last use of any of its secrets.
pub fn last_used(application: &Application) -> Option<Timestamp> {
    application.secrets.iter().filter_map(|secret| secret.last_used_at()).max()
}

impl Row {
    fn new(application: &Application) -> Row {
        Row {
            path: path_of(application.id.as_str()),
            app_id: application.id.as_str().to_owned(),
            name: application.name.clone(),
            state: application.state.as_str(),
            created_at: rfc3339::format(application.created_at),
            last_used_at: last_used(application).map_or_else(|| "never".to_owned(), rfc3339::format),
        }
    }
}
