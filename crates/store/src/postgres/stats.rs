//! Statistics of the database work, for metrics: plain counters that the workers set and any thread reads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Counters since the start.
#[derive(Debug)]
pub struct Stats {
    batches: AtomicU64,
    writes: AtomicU64,
    batch_nanos: AtomicU64,
    lost_races: AtomicU64,
    retries: AtomicU64,
    reconnects: AtomicU64,
    reloads: AtomicU64,
    /// The beginning of the last successful poll for other nodes' changes.
    looked_at: Mutex<Instant>,
}

impl Stats {
    pub(crate) fn new() -> Stats {
        Stats {
            batches: AtomicU64::new(0),
            writes: AtomicU64::new(0),
            batch_nanos: AtomicU64::new(0),
            lost_races: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
            reloads: AtomicU64::new(0),
            looked_at: Mutex::new(Instant::now()),
        }
    }

    /// Batches of writes that were committed.
    pub fn batches(&self) -> u64 {
        self.batches.load(Ordering::Relaxed)
    }

    /// Operations in those batches.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::Relaxed)
    }

    /// Time that those batches took, retries not included.
    pub fn batch_time(&self) -> Duration {
        Duration::from_nanos(self.batch_nanos.load(Ordering::Relaxed))
    }

    /// Steps whose guard did not hold.
    pub fn lost_races(&self) -> u64 {
        self.lost_races.load(Ordering::Relaxed)
    }

    /// Batches that failed and were retried.
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Reconnections.
    pub fn reconnects(&self) -> u64 {
        self.reconnects.load(Ordering::Relaxed)
    }

    /// Full reads of the registry.
    pub fn reloads(&self) -> u64 {
        self.reloads.load(Ordering::Relaxed)
    }

    /// Age of this node's knowledge of other nodes' changes (replication lag): the bound is on this.
    pub fn registry_lag(&self) -> Duration {
        self.looked_at.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    pub(crate) fn committed(&self, writes: usize, took: Duration) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.writes.fetch_add(writes as u64, Ordering::Relaxed);
        self.batch_nanos.fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
    }

    pub(crate) fn lost(&self, races: usize) {
        self.lost_races.fetch_add(races as u64, Ordering::Relaxed);
    }

    pub(crate) fn retried(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn reconnected(&self) {
        self.reconnects.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn reloaded(&self) {
        self.reloads.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn looked(&self, began: Instant) {
        *self.looked_at.lock().unwrap_or_else(PoisonError::into_inner) = began;
    }
}
