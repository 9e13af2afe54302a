//! High-water marks of forgotten records, so that a clock that is set back revives no revoked token and no used assertion.
//!
//! Everything that a store forgets had ended before its mark. The store raises the marks durably before the rows go. While the
//! clock is behind the mark of tokens, new tokens carry the mark as their issue time, which tells them from forgotten ones; their
//! expiry follows the clock.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Timestamp;

/// The two marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// No forgotten revocation concerns a token that expires later.
    pub tokens: Timestamp,
    /// No forgotten single-use identifier belongs to an assertion that expires later.
    pub single_use: Timestamp,
}

impl Marks {
    pub const NOTHING: Marks = Marks { tokens: Timestamp::EPOCH, single_use: Timestamp::EPOCH };
}

/// The present marks; every verify reads them.
#[derive(Debug, Default)]
pub struct HighWaterMarks {
    tokens: AtomicU64,
    single_use: AtomicU64,
}

impl HighWaterMarks {
    /// The mark of tokens.
    pub fn tokens(&self) -> Timestamp {
        Timestamp::from_millis(self.tokens.load(Ordering::Relaxed))
    }

    /// Both marks.
    pub fn get(&self) -> Marks {
        let single_use = Timestamp::from_millis(self.single_use.load(Ordering::Relaxed));
        Marks { tokens: self.tokens(), single_use }
    }

    /// Raises the marks to at least `to`; the mark of tokens to a whole second, since `iat` in signed tokens has no fraction.
    pub fn raise(&self, to: Marks) {
        self.tokens.fetch_max(to.tokens.as_millis().div_ceil(1_000) * 1_000, Ordering::Relaxed);
        self.single_use.fetch_max(to.single_use.as_millis(), Ordering::Relaxed);
    }

    /// Lowers the marks to at most `to`; an operator does so after a clock was ahead.
    pub fn lower(&self, to: Marks) {
        self.tokens.fetch_min(to.tokens.as_millis().div_ceil(1_000) * 1_000, Ordering::Relaxed);
        self.single_use.fetch_min(to.single_use.as_millis(), Ordering::Relaxed);
    }
}
