//! Request ids, in the log and in the answer, so that a customer's question leads to the line.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::HeaderValue;

/// The most hexadecimal digits of the two parts.
const START: usize = 8;
const NUMBER: usize = 16;

/// The id of a request: a part common to all requests since the start, and a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId {
    start: u32,
    number: u64,
}

/// The source of request ids.
pub(super) struct RequestIds {
    start: u32,
    next: AtomicU64,
}

impl RequestIds {
    pub(super) fn new() -> RequestIds {
        // The seed of a hash map differs at each start. It need not be unguessable.
        RequestIds { start: RandomState::new().hash_one(0) as u32, next: AtomicU64::new(1) }
    }

    pub(super) fn next(&self) -> RequestId {
        RequestId { start: self.start, number: self.next.fetch_add(1, Ordering::Relaxed) }
    }
}

impl RequestId {
    /// The value of `X-Request-Id`, as [`Display`](fmt::Display) writes it: made for every request, and so without `write!`.
    pub(super) fn header(self) -> HeaderValue {
        let mut digits = [b'-'; START + 1 + NUMBER];
        put(self.start.into(), &mut digits[..START]);
        let length = (u64::BITS - self.number.leading_zeros()).div_ceil(4).max(1) as usize;
        put(self.number, &mut digits[START + 1..][..length]);
        HeaderValue::from_bytes(&digits[..START + 1 + length]).expect("digits can stand in a header")
    }
}

/// Writes the last digits of `number`, as many as there is room for.
fn put(mut number: u64, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 0xf) as usize];
        number >>= 4;
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:x}", self.start, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_has_what_the_log_has() {
        for (start, number) in [(0, 0), (1, 1), (0xabc, 0xf), (u32::MAX, 0x10), (0x1234_5678, u64::MAX)] {
            let id = RequestId { start, number };
            assert_eq!(id.header().to_str().expect("ASCII"), id.to_string());
        }
    }
}
