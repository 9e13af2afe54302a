//! The id of a request: in the log and in the answer, so that a customer's question leads to the line.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::HeaderValue;

/// Names a request: what all requests since the start share, and a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId {
    start: u32,
    number: u64,
}

/// Gives out ids.
pub(super) struct RequestIds {
    start: u32,
    next: AtomicU64,
}

impl RequestIds {
    pub(super) fn new() -> RequestIds {
        // The seed of a hash map tells one start from another. Nothing depends on whether it can be guessed.
        RequestIds { start: RandomState::new().hash_one(0) as u32, next: AtomicU64::new(1) }
    }

    pub(super) fn next(&self) -> RequestId {
        RequestId { start: self.start, number: self.next.fetch_add(1, Ordering::Relaxed) }
    }
}

impl RequestId {
    /// The value of `X-Request-Id`.
    pub(super) fn header(self) -> HeaderValue {
        HeaderValue::try_from(self.to_string()).expect("hexadecimal digits can stand in a header")
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:x}", self.start, self.number)
    }
}
