//! Statistics of the writer, for metrics: plain counters that the writer sets and any thread reads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Counters since the start.
#[derive(Debug, Default)]
pub struct Stats {
    commits: AtomicU64,
    writes: AtomicU64,
    commit_nanos: AtomicU64,
    failures: AtomicU64,
    journal_bytes: AtomicU64,
    is_failing: AtomicBool,
    /// Reason why the store does not write although the disk may be fine.
    lost: Mutex<Option<String>>,
}

impl Stats {
    /// Transactions committed.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Operations in those transactions.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// Time spent in those transactions.
    pub fn commit_time(&self) -> Duration {
        Duration::from_nanos(self.commit_nanos.load(Ordering::Relaxed))
    }

    /// Transactions that failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Bytes in the journal that are not compacted yet.
    pub fn journal_bytes(&self) -> u64 {
        self.journal_bytes.load(Ordering::Relaxed)
    }

    /// Whether the last transaction failed, so that nothing can be written at present.
    pub fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    /// Reason why the files are not those that were opened, if they are not.
    pub fn lost(&self) -> Option<String> {
        self.lock_lost().clone()
    }

    pub(crate) fn set_lost(&self, reason: Option<String>) {
        *self.lock_lost() = reason;
    }

    fn lock_lost(&self) -> MutexGuard<'_, Option<String>> {
        // Replaced as a whole, so that a panic leaves nothing half done.
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the size of the journal after loading.
    pub(crate) fn loaded(&self, journal_bytes: u64) {
        self.journal_bytes.store(journal_bytes, Ordering::Relaxed);
    }

    pub(crate) fn committed(&self, writes: usize, took: Duration, journal_bytes: u64) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.writes.fetch_add(writes as u64, Ordering::Relaxed);
        self.commit_nanos.fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
        self.journal_bytes.store(journal_bytes, Ordering::Relaxed);
        self.is_failing.store(false, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.is_failing.store(true, Ordering::Relaxed);
    }

    pub(crate) fn recovered(&self) {
        self.is_failing.store(false, Ordering::Relaxed);
    }
}
