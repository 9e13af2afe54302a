//! The findings about applications.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{Response, StatusCode};
use northgate_core::application::AppNumber;
use northgate_core::attention::Kind;

use super::csrf::SignedIn;
use super::form::Form;
use super::page::{self, Frame, Refusal, path_of};
use crate::http::admin::Admin;
use crate::http::admin::attention::FindingLine;

/// Findings of a page.
const ROWS: usize = 50;

#[derive(Template)]
#[template(path = "attention.html")]
struct Page {
    frame: Frame,
    kind: &'static str,
    kinds: Vec<&'static str>,
    /// The path of the application, and what was found.
    findings: Vec<(String, FindingLine)>,
    /// The `after` of the next page.
    next: Option<u32>,
}

pub async fn show(
    SignedIn { csrf }: SignedIn,
    State(admin): State<Arc<Admin>>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Refusal> {
    let form = Form::parse(query.unwrap_or_default().as_bytes()).map_err(|error| page::bad_form(&error))?;
    let kind = Kind::parse(form.get("kind"));
    let after = form.get("after").parse().ok().map(AppNumber);
    let found = admin.auth.attention(kind, after, ROWS, admin.clock.now());
    let line = |(application, finding): &(Arc<_>, _)| {
        let line = FindingLine::new(application, finding);
        (path_of(&line.app_id), line)
    };
    let page = Page {
        frame: Frame::new(csrf, "attention"),
        kind: kind.map_or("", Kind::as_str),
        kinds: Kind::ALL.map(Kind::as_str).into(),
        findings: found.found.iter().map(line).collect(),
        next: found.next.map(|number| number.0),
    };
    page::page(StatusCode::OK, &page)
}
