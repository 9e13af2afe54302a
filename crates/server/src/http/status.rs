//! Error statuses with the header fields that RFC 9110 requires: a status without its field cannot be written.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_TYPE, ETAG, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{HeaderValue, Response, StatusCode};
use northgate_core::application::Tag;

use crate::http::answer::JSON;
use crate::http::dpop::ALGORITHMS;

/// The status of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorStatus {
    /// Version 3 of the application API says so of an unknown key.
    Ok,
    BadRequest,
    Unauthorized(Challenge),
    Forbidden,
    NotFound,
    /// The router knows the methods of a path, and adds `Allow`.
    MethodNotAllowed,
    RequestTimeout,
    Conflict,
    /// With the present state.
    PreconditionFailed(Tag),
    ContentTooLarge,
    /// With the supported media types; content codings are not supported.
    UnsupportedMediaType(&'static str),
    MisdirectedRequest,
    TooManyRequests(Duration),
    InternalServerError,
    NotImplemented,
    ServiceUnavailable(Duration),
}

/// The challenge to a client (RFC 9110 §11.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// The application API takes credentials in the body: a scheme that no HTTP library answers by itself
    /// (docs/decisions/0044-the-application-api-has-a-challenge-of-its-own.md).
    AppSecret,
    Basic,
    Bearer,
    /// A token was presented and refused, for this reason (RFC 6750 §3.1).
    BearerError(&'static str),
    /// The same for a token that is bound to a key, with the algorithms for its proof (RFC 9449 §7.1).
    DpopError(&'static str),
}

impl ErrorStatus {
    /// A JSON answer with this status.
    pub fn answer(self, body: impl Into<Body>) -> Response<Body> {
        let mut answer = Response::new(body.into());
        answer.headers_mut().insert(CONTENT_TYPE, JSON);
        self.put_on(&mut answer);
        answer
    }

    /// Gives `answer` this status and its required fields.
    pub fn put_on<B>(self, answer: &mut Response<B>) {
        *answer.status_mut() = self.code();
        let headers = answer.headers_mut();
        match self {
            ErrorStatus::Unauthorized(challenge) => {
                headers.insert(WWW_AUTHENTICATE, challenge.value());
            }
            ErrorStatus::UnsupportedMediaType(media_types) => {
                headers.insert(ACCEPT, HeaderValue::from_static(media_types));
                headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
                // The body was not read.
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            ErrorStatus::TooManyRequests(wait) | ErrorStatus::ServiceUnavailable(wait) => {
                headers.insert(RETRY_AFTER, retry_after(wait));
            }
            ErrorStatus::PreconditionFailed(tag) => {
                headers.insert(ETAG, etag(tag));
            }
            // The rest of the request cannot be told from the next one.
            ErrorStatus::RequestTimeout | ErrorStatus::ContentTooLarge | ErrorStatus::NotImplemented => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            ErrorStatus::Ok
            | ErrorStatus::BadRequest
            | ErrorStatus::Forbidden
            | ErrorStatus::NotFound
            | ErrorStatus::MethodNotAllowed
            | ErrorStatus::Conflict
            | ErrorStatus::MisdirectedRequest
            | ErrorStatus::InternalServerError => {}
        }
    }

    /// The number alone.
    pub fn code(self) -> StatusCode {
        match self {
            ErrorStatus::Ok => StatusCode::OK,
            ErrorStatus::BadRequest => StatusCode::BAD_REQUEST,
            ErrorStatus::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            ErrorStatus::Forbidden => StatusCode::FORBIDDEN,
            ErrorStatus::NotFound => StatusCode::NOT_FOUND,
            ErrorStatus::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ErrorStatus::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            ErrorStatus::Conflict => StatusCode::CONFLICT,
            ErrorStatus::PreconditionFailed(_) => StatusCode::PRECONDITION_FAILED,
            ErrorStatus::ContentTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorStatus::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ErrorStatus::MisdirectedRequest => StatusCode::MISDIRECTED_REQUEST,
            ErrorStatus::TooManyRequests(_) => StatusCode::TOO_MANY_REQUESTS,
            ErrorStatus::InternalServerError => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorStatus::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            ErrorStatus::ServiceUnavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl Challenge {
    /// The value of `WWW-Authenticate`.
    pub fn value(self) -> HeaderValue {
        // A scheme alone is not a challenge: at least one parameter follows (RFC 6750 §3).
        let text = match self {
            Challenge::AppSecret => return HeaderValue::from_static(r#"AppSecret realm="northgate""#),
            Challenge::Basic => return HeaderValue::from_static(r#"Basic realm="northgate""#),
            Challenge::Bearer => return HeaderValue::from_static(r#"Bearer realm="northgate""#),
            Challenge::BearerError(error) => format!("Bearer error=\"{error}\""),
            Challenge::DpopError(error) => {
                let algs = ALGORITHMS.map(|(name, _)| name).join(" ");
                format!("DPoP error=\"{error}\", algs=\"{algs}\"")
            }
        };
        HeaderValue::try_from(text).expect("a challenge is plain text")
    }
}

/// `ETag` of an application (RFC 9110 §8.8.3).
pub fn etag(tag: Tag) -> HeaderValue {
    HeaderValue::try_from(format!("\"{tag}\"")).expect("a tag is numbers")
}

/// `Retry-After` in whole seconds, rounded up.
pub fn retry_after(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
}

/// Whether an answer has the field that its status requires; for answers of the router as well.
pub fn is_complete<B>(answer: &Response<B>) -> bool {
    let demanded = match answer.status() {
        StatusCode::UNAUTHORIZED => WWW_AUTHENTICATE,
        StatusCode::METHOD_NOT_ALLOWED => ALLOW,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ACCEPT,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => RETRY_AFTER,
        _ => return true,
    };
    answer.headers().contains_key(demanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_brings_the_field_that_it_demands() {
        for status in [
            ErrorStatus::Unauthorized(Challenge::AppSecret),
            ErrorStatus::UnsupportedMediaType("application/json"),
            ErrorStatus::TooManyRequests(Duration::ZERO),
            ErrorStatus::ServiceUnavailable(Duration::ZERO),
        ] {
            assert!(is_complete(&status.answer("{}")), "{status:?}");
        }
        let mut bare = Response::new(());
        *bare.status_mut() = StatusCode::UNAUTHORIZED;
        assert!(!is_complete(&bare));
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_and_never_too_short() {
        assert_eq!(retry_after(Duration::from_millis(1001)), "2");
        assert_eq!(retry_after(Duration::from_secs(3)), "3");
    }

    #[test]
    fn a_request_that_was_not_read_loses_its_connection() {
        assert_eq!(ErrorStatus::RequestTimeout.answer("").headers()[CONNECTION], "close");
        assert_eq!(ErrorStatus::UnsupportedMediaType("a/b").answer("").headers()[CONNECTION], "close");
        assert!(!ErrorStatus::Forbidden.answer("").headers().contains_key(CONNECTION));
    }
}
