//! Sign-in with the admin token, and sign-out.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use tracing::info;

use super::PREFIX;
use super::csrf::{self, NAME, Posted};
use super::form::Form;
use super::page::{self, Refusal, see_other};
use crate::http::admin::Admin;
use crate::http::status::ErrorStatus;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'p> {
    to: &'p str,
    error: Option<&'p str>,
}

pub async fn show(RawQuery(query): RawQuery) -> Result<Response<Body>, Refusal> {
    let form = Form::parse(query.unwrap_or_default().as_bytes()).map_err(|error| page::bad_form(&error))?;
    page::page(StatusCode::OK, &SignIn { to: form.get("to"), error: None })
}

pub async fn sign_in(State(admin): State<Arc<Admin>>, request: Request) -> Result<Response<Body>, Refusal> {
    let form = csrf::read(&admin, request).await?;
    if !admin.token.matches(form.get("token").as_bytes()) {
        return refused(&admin, form.get("to"));
    }
    info!(target: "northgate::audit", "an operator signed in at the console with the admin token");
    let opened = admin.sessions.open(admin.clock.now());
    let mut response = see_other(&target(form.get("to")));
    let cookie = format!("{NAME}={}; {}", opened.token.reveal(), attributes(&admin));
    set_cookie(&mut response, &cookie);
    Ok(response)
}

/// The form again. Beyond the limit nothing is logged: a stranger must not fill the log.
fn refused(admin: &Admin, to: &str) -> Result<Response<Body>, Refusal> {
    if let Err(wait) = admin.sessions.wrong_sign_in(admin.clock.now()) {
        let status = ErrorStatus::TooManyRequests(wait);
        let seconds = wait.as_secs_f64().ceil();
        let error = format!("Too many wrong tokens were sent to this node. Try again in {seconds} s.");
        let mut response = page::page(status.code(), &SignIn { to, error: Some(&error) })?;
        status.put_on(&mut response);
        return Ok(response);
    }
    info!(target: "northgate::audit", "a sign-in at the console was refused");
    let error = Some("This is not the admin token. It is in the file admin-token of the data directory.");
    page::page(StatusCode::FORBIDDEN, &SignIn { to, error })
}

pub async fn sign_out(State(admin): State<Arc<Admin>>, headers: HeaderMap, _: Posted) -> Response<Body> {
    if let Some(token) = csrf::token(&headers) {
        admin.sessions.close(token);
    }
    let mut response = see_other(&format!("{PREFIX}/sign-in"));
    set_cookie(&mut response, &format!("{NAME}=; Max-Age=0; {}", attributes(&admin)));
    response
}

/// A page of the console, never another site.
fn target(wanted: &str) -> String {
    let is_ours = wanted == PREFIX || wanted.starts_with(&format!("{PREFIX}/"));
    if is_ours && wanted.is_ascii() { wanted.to_owned() } else { format!("{PREFIX}/") }
}

/// The listener has TLS unless it is reached from this machine only.
fn attributes(admin: &Admin) -> &'static str {
    match admin.config.load().admin_listen.ip().is_loopback() {
        true => "Path=/console; HttpOnly; SameSite=Strict",
        false => "Path=/console; HttpOnly; SameSite=Strict; Secure",
    }
}

fn set_cookie(response: &mut Response<Body>, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(SET_COOKIE, value);
    }
}
