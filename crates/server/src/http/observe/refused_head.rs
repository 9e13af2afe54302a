//! The log line of a request that the HTTP parser refused.

use axum::http::StatusCode;
use tracing::info;

use super::RequestLog;
use crate::config::log::LoggedRequests;
use crate::listener::connection::{HeadRefusal, Peer};
use crate::outcome::Outcome;

impl RequestLog {
    /// Logs and counts a request that ended with its head. The line has no path: nothing in such a head is reliable.
    pub fn head_refused(&self, refusal: HeadRefusal, peer: Peer) {
        self.metrics.count_refused_head(self.listener, refusal);
        let (outcome, status, detail) = match refusal {
            HeadRefusal::TooLarge => (
                Outcome::TooLarge,
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "the request head is longer than limits.headers",
            ),
            HeadRefusal::Malformed => (
                Outcome::InvalidInput,
                StatusCode::BAD_REQUEST,
                "the request head is not HTTP/1.1 or HTTP/1.0",
            ),
        };
        match self.logged {
            LoggedRequests::All | LoggedRequests::Failed => info!(
                target: "northgate::request",
                listener = self.listener.as_str(),
                operation = "request",
                outcome = outcome.as_str(),
                status = status.as_u16(),
                peer = %peer,
                detail,
                "request {outcome}",
            ),
            LoggedRequests::None => {}
        }
    }
}
