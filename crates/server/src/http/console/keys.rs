//! The keys of the keyring.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use super::csrf::SignedIn;
use super::page::{self, Frame, Refusal};
use crate::http::admin::Admin;
use crate::http::admin::answer::{KeyLine, Keys};

#[derive(Template)]
#[template(path = "keys.html")]
struct Page {
    frame: Frame,
    keys: Vec<KeyLine>,
}

pub async fn show(
    SignedIn { csrf }: SignedIn,
    State(admin): State<Arc<Admin>>,
) -> Result<Response<Body>, Refusal> {
    let Keys { keys } = Keys::new(&admin.auth.keyring(), admin.clock.now());
    page::page(StatusCode::OK, &Page { frame: Frame::new(csrf, "keys"), keys })
}
