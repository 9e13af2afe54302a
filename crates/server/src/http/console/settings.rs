//! The settings in force, with the origin of each.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use super::csrf::SignedIn;
use super::page::{self, Frame, Refusal};
use crate::http::admin::Admin;

#[derive(Template)]
#[template(path = "settings.html")]
struct Page {
    frame: Frame,
    /// Name, value and origin.
    settings: Vec<[String; 3]>,
}

pub async fn show(
    SignedIn { csrf }: SignedIn,
    State(admin): State<Arc<Admin>>,
) -> Result<Response<Body>, Refusal> {
    let settings = admin.config.load().described();
    page::page(StatusCode::OK, &Page { frame: Frame::new(csrf, "settings"), settings })
}
