//! High-water marks of forgotten time: what was forgotten had ended before its mark, so that a clock that is set back
//! behind it brings no revoked token and no used assertion back to life.
//!
//! A store raises the marks when it forgets and keeps them durable before the rows go. While the clock is behind the mark of
//! tokens, new tokens say that they were issued at it, by which they differ from those that may have been forgotten; their end
//! is by the clock.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Timestamp;

/// Up to when things were forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    /// No revocation of a token that ends later was forgotten.
    pub tokens: Timestamp,
    /// No single-use identifier of an assertion that ends later was forgotten.
    pub single_use: Timestamp,
}

impl Marks {
    pub const NOTHING: Marks = Marks { tokens: Timestamp::EPOCH, single_use: Timestamp::EPOCH };
}

/// The marks as they are now; read by every verify.
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

    /// Raises the marks to at least `to`; that of tokens to a whole second, since signed tokens know no parts of it.
    pub fn raise(&self, to: Marks) {
        self.tokens.fetch_max(to.tokens.as_millis().div_ceil(1_000) * 1_000, Ordering::Relaxed);
        self.single_use.fetch_max(to.single_use.as_millis(), Ordering::Relaxed);
    }

    /// Lowers the marks to at most `to`, which an operator does after a clock was ahead.
    pub fn lower(&self, to: Marks) {
        self.tokens.fetch_min(to.tokens.as_millis().div_ceil(1_000) * 1_000, Ordering::Relaxed);
        self.single_use.fetch_min(to.single_use.as_millis(), Ordering::Relaxed);
    }
}
