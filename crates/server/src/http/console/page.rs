//! Pages as answers: the frame around each, redirections, and the page that says why a request was refused.

use askama::Template;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::PREFIX;
use super::form::FormError;
use crate::http::admin::problem::AdminProblem;
use crate::http::status::ErrorStatus;

/// What is encoded; a dot is, since browsers take segments of dots for something else.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The media type of the forms.
const FORM: &str = "application/x-www-form-urlencoded";

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// The frame: navigation and sign-out.
pub struct Frame {
    pub csrf: String,
    /// The part of the navigation that the page belongs to.
    pub here: &'static str,
}

impl Frame {
    pub fn new(csrf: String, here: &'static str) -> Frame {
        Frame { csrf, here }
    }
}

/// A refused request, as a page.
pub struct Refusal(Box<Response<Body>>);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        *self.0
    }
}

impl From<AdminProblem> for Refusal {
    fn from(problem: AdminProblem) -> Refusal {
        let (status, sentence) = problem.sentence();
        refusal(status, sentence)
    }
}

/// A page.
pub fn page(status: StatusCode, template: &impl Template) -> Result<Response<Body>, Refusal> {
    let html = template.render().map_err(|error| AdminProblem::failure(&error))?;
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HTML);
    Ok(response)
}

/// A redirection after a form, so that reloading the next page does not send it again.
pub fn see_other(path: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static(PREFIX));
    response.headers_mut().insert(LOCATION, location);
    response
}

/// The path of one application's page.
pub fn path_of(app_id: &str) -> String {
    format!("{PREFIX}/applications/{}", encoded(app_id))
}

/// A text as a part of a path or a query.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PART).to_string()
}

pub async fn to_overview() -> Response<Body> {
    see_other(&format!("{PREFIX}/"))
}

/// Sends an operator who is not signed in to the form, and from there to where they wanted to go.
pub fn to_sign_in(wanted: &str) -> Refusal {
    Refusal(Box::new(see_other(&format!("{PREFIX}/sign-in?to={}", encoded(wanted)))))
}

#[derive(Template)]
#[template(path = "refused.html")]
struct Refused<'p> {
    title: &'p str,
    sentence: &'p str,
}

fn refusal(status: ErrorStatus, sentence: &str) -> Refusal {
    let title = status.code().canonical_reason().unwrap_or_default();
    match page(status.code(), &Refused { title, sentence }) {
        Ok(mut page) => {
            status.put_on(&mut page);
            Refusal(Box::new(page))
        }
        // A page of two texts renders.
        Err(refusal) => refusal,
    }
}

pub fn session_ended() -> Refusal {
    refusal(
        ErrorStatus::Forbidden,
        "Your session has ended, and nothing was changed. Sign in again in another tab, go back here and reload: the fields that you \
         have filled in are kept by the browser.",
    )
}

pub fn wrong_csrf() -> Refusal {
    refusal(
        ErrorStatus::Forbidden,
        "The form does not belong to your session, and nothing was changed. Go back, reload the page and send it again.",
    )
}

pub fn bad_form(error: &FormError) -> Refusal {
    let status = match error {
        FormError::Body(unread) => unread.status(FORM),
        FormError::Utf8 | FormError::TooMany => ErrorStatus::BadRequest,
    };
    refusal(status, &format!("The form could not be read: {error}."))
}
