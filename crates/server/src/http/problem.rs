//! Error answers of the application API: the one table of status, code and text.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONNECTION, RETRY_AFTER};
use axum::http::{HeaderValue, Response};

use crate::config::api::Dialect;
use crate::http::status::{Challenge, ErrorStatus, retry_after};

/// Media types of request bodies.
const ACCEPTED: &str = "application/json, application/x-www-form-urlencoded";

/// `Retry-After` of a busy server.
const BUSY: Duration = Duration::from_secs(1);

/// Every error that a client can get. The log has an [`Outcome`](crate::outcome::Outcome) with details, which may say more than
/// the client should learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A mandatory member is missing, null or empty.
    Missing,
    /// The input is not as documented.
    Invalid,
    /// Unknown application or wrong secret; the answer does not tell them apart.
    Rejected,
    Frozen,
    /// Version 3: the same two cases, told apart.
    UnknownKey,
    UserFrozen,
    /// The refresh token is invalid; the answer does not say why.
    Refused,
    /// A rate limit; with the wait, if it is known.
    Throttled(Option<Duration>),
    /// The rate limit of an application's calls on the platform.
    CallThrottled(Duration),
    /// The access token of a call is invalid, or not the application's.
    NotVerified,
    /// The call does not name its application.
    NoAppKey,
    /// The path of a call is ambiguous, or the gateway names two calls.
    BadCall,
    NotFound,
    WrongMethod,
    TooSlow,
    TooLarge,
    /// The body is compressed.
    ContentCoding,
    /// The body has an unsupported transfer coding.
    TransferCoding,
    Internal,
    Busy,
}

impl Problem {
    /// The error answer.
    pub fn answer(self, dialect: Dialect) -> Response<Body> {
        let (status, body) = self.status_and_body(dialect);
        let mut answer = status.answer(body);
        if let Problem::Throttled(Some(wait)) | Problem::CallThrottled(wait) = self {
            answer.headers_mut().insert(RETRY_AFTER, retry_after(wait));
        }
        answer
    }

    /// The error answer that ends the connection: the start of the next request is uncertain.
    pub fn last_answer(self, dialect: Dialect) -> Response<Body> {
        let mut answer = self.answer(dialect);
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        answer
    }

    /// The body alone, one line.
    pub fn body(self, dialect: Dialect) -> &'static str {
        self.status_and_body(dialect).1
    }

    /// The documentation's texts to the letter: clients compare them. Codes of 504 or 505 and the rest of an HTTP status are
    /// ours, for errors that the platform does not document.
    fn status_and_body(self, dialect: Dialect) -> (ErrorStatus, &'static str) {
        match (self, dialect) {
            (Problem::Missing, _) => (
                ErrorStatus::BadRequest,
                r#"{"error_code":"102202","error_desc":"Required Parameter is null or empty."}"#,
            ),
            (Problem::Invalid, _) | (Problem::Refused, Dialect::Intl) => {
                (ErrorStatus::BadRequest, r#"{"error_code":"50400","error_desc":"The input is invalid."}"#)
            }
            (Problem::Rejected, _) | (Problem::Refused, Dialect::Cn) => (
                ErrorStatus::Unauthorized(Challenge::AppSecret),
                r#"{"error_code":"100208","error_desc":"AppId or secret is not right."}"#,
            ),
            (Problem::Frozen, Dialect::Intl) => (
                ErrorStatus::BadRequest,
                r#"{"error_code":"100449","error_desc":"The device is freezed cant operate."}"#,
            ),
            (Problem::Frozen, Dialect::Cn) => (
                ErrorStatus::BadRequest,
                r#"{"error_code":"100247","error_desc":"Operation not allowed. The application has been frozen."}"#,
            ),
            (Problem::UnknownKey, _) => {
                (ErrorStatus::Ok, r#"{"error_code":"100203","error_desc":"The application is not existed."}"#)
            }
            (Problem::UserFrozen, _) => (
                ErrorStatus::BadRequest,
                r#"{"error_code":"102833","error_desc":"The user is freezed cant operate."}"#,
            ),
            (Problem::Throttled(_), _) => {
                (ErrorStatus::Forbidden, r#"{"error_code":"1010009","error_desc":"app throttle exceed."}"#)
            }
            (Problem::CallThrottled(_), _) => (
                ErrorStatus::Forbidden,
                r#"{"error_code":"1010009","error_desc":"app throttle exceed.","resultcode":"1010009","resultmsg":"app throttle exceed."}"#,
            ),
            // The platform's gateways write `resultcode`, its services `error_code`: with both, every client works.
            (Problem::NotVerified, _) => (
                ErrorStatus::Forbidden,
                r#"{"error_code":"1010005","error_desc":"Invalid access token or appId.","resultcode":"1010005","resultmsg":"Invalid access token or appId."}"#,
            ),
            (Problem::NoAppKey, _) => (
                ErrorStatus::Unauthorized(Challenge::Bearer),
                r#"{"error_code":"100025","error_desc":"AppId for auth not exist.","resultcode":"100025","resultmsg":"AppId for auth not exist."}"#,
            ),
            (Problem::BadCall, _) => (
                ErrorStatus::BadRequest,
                r#"{"error_code":"50400","error_desc":"The input is invalid.","resultcode":"50400","resultmsg":"The input is invalid."}"#,
            ),
            (Problem::NotFound, _) => {
                (ErrorStatus::NotFound, r#"{"error_code":"50404","error_desc":"The resource is not found."}"#)
            }
            (Problem::WrongMethod, _) => (
                ErrorStatus::MethodNotAllowed,
                r#"{"error_code":"50405","error_desc":"The method is not allowed."}"#,
            ),
            (Problem::TooSlow, _) => (
                ErrorStatus::RequestTimeout,
                r#"{"error_code":"50408","error_desc":"The request took too long."}"#,
            ),
            (Problem::TooLarge, _) => (
                ErrorStatus::ContentTooLarge,
                r#"{"error_code":"50413","error_desc":"The request body is too large."}"#,
            ),
            (Problem::ContentCoding, _) => (
                ErrorStatus::UnsupportedMediaType(ACCEPTED),
                r#"{"error_code":"50415","error_desc":"The request body must not be compressed."}"#,
            ),
            (Problem::TransferCoding, _) => (
                ErrorStatus::NotImplemented,
                r#"{"error_code":"50501","error_desc":"The transfer coding is not supported."}"#,
            ),
            (Problem::Internal, _) => (
                ErrorStatus::InternalServerError,
                r#"{"error_code":"50252","error_desc":"Internal server error."}"#,
            ),
            (Problem::Busy, _) => (
                ErrorStatus::ServiceUnavailable(BUSY),
                r#"{"error_code":"50503","error_desc":"The service is busy."}"#,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Problem; 20] = [
        Problem::Missing,
        Problem::Invalid,
        Problem::Rejected,
        Problem::Frozen,
        Problem::Refused,
        Problem::Throttled(None),
        Problem::CallThrottled(Duration::ZERO),
        Problem::NotVerified,
        Problem::NoAppKey,
        Problem::BadCall,
        Problem::NotFound,
        Problem::WrongMethod,
        Problem::TooSlow,
        Problem::TooLarge,
        Problem::ContentCoding,
        Problem::TransferCoding,
        Problem::Internal,
        Problem::Busy,
        Problem::UnknownKey,
        Problem::UserFrozen,
    ];

    fn heard(dialect: Dialect) -> Vec<(u16, String)> {
        ALL.iter()
            .map(|problem| {
                let (status, body) = problem.status_and_body(dialect);
                let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
                // A number here throws a ClassCastException in the official Java client.
                (status.code().as_u16(), body["error_code"].as_str().expect("a string").to_owned())
            })
            .collect()
    }

    fn named(heard: &[(u16, &str)]) -> Vec<(u16, String)> {
        heard.iter().map(|(status, code)| (*status, (*code).to_owned())).collect()
    }

    #[test]
    fn the_international_dialect_has_these_statuses_and_codes() {
        let expected = [
            (400, "102202"),
            (400, "50400"),
            (401, "100208"),
            (400, "100449"),
            (400, "50400"),
            (403, "1010009"),
            (403, "1010009"),
            (403, "1010005"),
            (401, "100025"),
            (400, "50400"),
            (404, "50404"),
            (405, "50405"),
            (408, "50408"),
            (413, "50413"),
            (415, "50415"),
            (501, "50501"),
            (500, "50252"),
            (503, "50503"),
            (200, "100203"),
            (400, "102833"),
        ];
        assert_eq!(heard(Dialect::Intl), named(&expected));
    }

    #[test]
    fn the_chinese_dialect_differs_in_frozen_and_refused_only() {
        let (intl, cn) = (heard(Dialect::Intl), heard(Dialect::Cn));
        let differing: Vec<_> = (0..ALL.len()).filter(|index| intl[*index] != cn[*index]).collect();
        assert_eq!(differing, [3, 4]);
        assert_eq!(cn[3..5], named(&[(400, "100247"), (401, "100208")]));
    }

    #[test]
    fn an_answer_to_a_call_has_the_members_of_gateways_and_of_services() {
        for problem in [
            Problem::NotVerified,
            Problem::NoAppKey,
            Problem::BadCall,
            Problem::CallThrottled(Duration::ZERO),
        ] {
            let (_, body) = problem.status_and_body(Dialect::Intl);
            let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
            assert_eq!(body["resultcode"], body["error_code"]);
            assert_eq!(body["resultmsg"], body["error_desc"]);
        }
    }

    #[test]
    fn who_is_busy_says_when_to_come_again_and_who_was_too_slow_loses_the_connection() {
        assert_eq!(Problem::Busy.answer(Dialect::Intl).headers()[RETRY_AFTER], "1");
        let throttled = Problem::Throttled(Some(Duration::from_millis(1001)));
        assert_eq!(throttled.answer(Dialect::Intl).headers()[RETRY_AFTER], "2");
        assert_eq!(Problem::TooSlow.answer(Dialect::Intl).headers()[CONNECTION], "close");
        assert!(!Problem::Rejected.answer(Dialect::Intl).headers().contains_key(CONNECTION));
    }
}
