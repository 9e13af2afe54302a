//! Who asks: the session of a page, and the session with the CSRF token of a form.

use std::sync::Arc;

use aws_lc_rs::constant_time;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use northgate_core::actor::Actor;

use super::form::Form;
use super::page::{self, Refusal};
use crate::http::admin::{Admin, operator};
use crate::http::body::Bounds;

/// The name of the cookie.
pub const NAME: &str = "northgate_session";

/// The longest form; the longest field has 256 characters, written as escapes.
const LONGEST_FORM: usize = 64 * 1024;

/// A signed-in operator asks for a page.
pub struct SignedIn {
    /// For the forms of the page.
    pub csrf: String,
}

/// A signed-in operator sends a form of ours.
pub struct Posted {
    pub actor: Actor,
    pub csrf: String,
    pub form: Form,
}

impl FromRequestParts<Arc<Admin>> for SignedIn {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, admin: &Arc<Admin>) -> Result<SignedIn, Refusal> {
        match csrf(admin, &parts.headers) {
            Some(csrf) => Ok(SignedIn { csrf }),
            None => Err(page::to_sign_in(parts.uri.path_and_query().map_or("", |whole| whole.as_str()))),
        }
    }
}

impl FromRequest<Arc<Admin>> for Posted {
    type Rejection = Refusal;

    async fn from_request(request: Request, admin: &Arc<Admin>) -> Result<Posted, Refusal> {
        let known = csrf(admin, request.headers());
        let (parts, body) = request.into_parts();
        let actor = operator::actor(Actor::BREAK_GLASS, &parts);
        let form = read(admin, Request::from_parts(parts, body)).await?;
        let Some(csrf) = known else { return Err(page::session_ended()) };
        let presented = form.get("csrf");
        match constant_time::verify_slices_are_equal(presented.as_bytes(), csrf.as_bytes()) {
            Ok(()) => Ok(Posted { actor, csrf, form }),
            Err(_) => Err(page::wrong_csrf()),
        }
    }
}

/// Reads a form within bounds.
pub async fn read(admin: &Admin, request: Request) -> Result<Form, Refusal> {
    let bounds = Bounds { size: LONGEST_FORM, time: admin.config.load().limits.body_time };
    Form::read(request, bounds).await.map_err(|error| page::bad_form(&error))
}

fn csrf(admin: &Admin, headers: &HeaderMap) -> Option<String> {
    admin.sessions.csrf(token(headers)?, admin.clock.now())
}

/// The token in the cookie.
pub fn token(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == NAME).map(|(_, value)| value)
}
