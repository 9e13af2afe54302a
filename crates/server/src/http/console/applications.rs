//! The list of applications: search, filter, sort and pages, all in its URL.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{self, RawQuery};
use axum::http::{Response, StatusCode};
use northgate_core::application::{Application, State};
use northgate_core::search::{Order, Search};

use super::csrf::SignedIn;
use super::form::Form;
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
    extract::State(admin): extract::State<Arc<Admin>>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Refusal> {
    let form = Form::parse(query.unwrap_or_default().as_bytes()).map_err(|error| page::bad_form(&error))?;
    let search = form.get("q").to_owned();
    // A word that is not known reads as none.
    let state = State::parse(form.get("state"));
    let order = Order::parse(form.get("sort")).unwrap_or(Order::Newest);
    let wanted = Search { text: search.clone(), state, order, ..Search::default() };
    let number = form.get("page").parse().unwrap_or(1);
    let part = admin.index.part(admin.auth.registry(), &wanted, admin.clock.now(), number, ROWS);
    let state = state.map_or("", State::as_str).to_owned();
    let sort = order.as_str().to_owned();
    let list = List {
        frame: Frame::new(csrf, "applications"),
        query: format!("q={}&state={state}&sort={sort}", encoded(&search)),
        search,
        state,
        sort,
        states: STATES,
        orders: ORDERS,
        rows: part.rows.iter().map(|application| Row::new(application)).collect(),
        found: part.found,
        number: part.number,
        pages: part.pages,
    };
    page::page(StatusCode::OK, &list)
}

impl Row {
    fn new(application: &Application) -> Row {
        Row {
            path: path_of(application.id.as_str()),
            app_id: application.id.as_str().to_owned(),
            name: application.name.clone(),
            state: application.state.as_str(),
            created_at: rfc3339::format(application.created_at),
            last_used_at: application.last_used_at().map_or_else(|| "never".to_owned(), rfc3339::format),
        }
    }
}
