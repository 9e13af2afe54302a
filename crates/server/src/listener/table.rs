//! Table of open connections: bounds per listener and per source, and eviction of idle connections.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use northgate_core::throttle::Source;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::listener::idle::Idle;
use crate::listener::timeouts::Activity;
use crate::metrics::connections::{Closed, ConnectionMetrics};

/// How long a new connection waits for an evicted one to close before it evicts another.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The connections of one listener.
pub(super) struct Table {
    most: AtomicUsize,
    most_per_source: AtomicUsize,
    began: Instant,
    open: Mutex<Open>,
    closed: Notify,
    metrics: Arc<ConnectionMetrics>,
}

/// It grows to the bound of connections and no further: an entry and a source for each.
#[derive(Default)]
struct Open {
    count: usize,
    entries: Vec<Option<Entry>>,
    free: Vec<usize>,
    sources: HashMap<Source, SourceConnections>,
    idle: Idle,
}

/// The connections of one source.
#[derive(Default)]
struct SourceConnections {
    indices: Vec<usize>,
    idle: Idle,
}

struct Entry {
    activity: Arc<Activity>,
    source: Option<Source>,
}

/// A connection's entry in the table, which is removed when this is dropped.
pub(super) struct Place {
    table: Arc<Table>,
    index: usize,
    pub activity: Arc<Activity>,
}

/// The state of a full listener for a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Crowd {
    /// The least recently active idle connection is closed for it.
    Yields,
    /// No connection is idle, so that it waits.
    Busy,
}

/// The source holds its share already, and none of its connections is idle.
#[derive(Debug)]
pub(super) struct SourceFull;

impl Table {
    /// A table without room: [`Table::bound`] comes first.
    pub fn new(metrics: Arc<ConnectionMetrics>) -> Arc<Table> {
        Arc::new(Table {
            most: AtomicUsize::new(0),
            most_per_source: AtomicUsize::new(0),
            began: Instant::now(),
            open: Mutex::default(),
            closed: Notify::new(),
            metrics,
        })
    }

    /// Sets the bounds for connections from now on; those above them stay until they close or are evicted.
    pub fn bound(&self, most: u32, most_per_source: u32) {
        self.most.store(most as usize, Ordering::Relaxed);
        self.most_per_source.store(most_per_source as usize, Ordering::Relaxed);
    }

    /// Adds a connection, counted for its source if that is known. Where the source holds its share, its least recently active
    /// idle connection is evicted. Where the listener is full, that of all sources is evicted; if none is idle, this waits until
    /// one closes or becomes idle. `report` receives both events.
    pub async fn enter(
        self: &Arc<Table>,
        source: Option<Source>,
        report: impl Fn(Crowd),
    ) -> Result<Place, SourceFull> {
        let mut is_closing = match source {
            Some(source) => self.make_room_for(source)?,
            None => false,
        };
        loop {
            if let Some(place) = self.try_enter(source) {
                return Ok(place);
            }
            if !is_closing {
                if self.open().close_idle() {
                    self.metrics.closed(Closed::MadeRoom);
                    report(Crowd::Yields);
                } else {
                    report(Crowd::Busy);
                }
            }
            is_closing = false;
            let _ = timeout(LOOK_AGAIN, self.closed.notified()).await;
        }
    }

    /// Waits until all connections have closed; calls `waiting` with their number before.
    pub async fn all_closed(&self, waiting: impl Fn(usize)) {
        let count = self.open().count;
        if count > 0 {
            waiting(count);
        }
        while self.open().count > 0 {
            self.closed.notified().await;
        }
    }

    /// Makes room for one more connection of a source. Returns whether one of its connections is closing for that.
    fn make_room_for(&self, source: Source) -> Result<bool, SourceFull> {
        let mut open = self.open();
        if open.sources.get(&source).map_or(0, |held| held.indices.len())
            < self.most_per_source.load(Ordering::Relaxed)
        {
            return Ok(false);
        }
        if !open.close_idle_of(source) {
            return Err(SourceFull);
        }
        self.metrics.closed(Closed::MadeRoomForSource);
        Ok(true)
    }

    fn try_enter(self: &Arc<Table>, source: Option<Source>) -> Option<Place> {
        let mut open = self.open();
        if open.count >= self.most.load(Ordering::Relaxed) {
            return None;
        }
        let activity = Arc::new(Activity::new(self.began));
        let index = open.add(Entry { activity: Arc::clone(&activity), source: None });
        if let Some(source) = source {
            open.count_for(index, source);
        }
        self.metrics.open.inc();
        Some(Place { table: Arc::clone(self), index, activity })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // A panic while it is held leaves it changed completely or not at all.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Counts the connection for a source that became known later.
    pub fn count_for(&self, source: Source) -> Result<(), SourceFull> {
        self.table.make_room_for(source)?;
        self.table.open().count_for(self.index, source);
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.table.open();
        open.forget_source(self.index);
        open.entries[self.index] = None;
        open.free.push(self.index);
        open.count -= 1;
        drop(open);
        // It may still be among the candidates.
        self.activity.close();
        self.table.metrics.open.dec();
        self.table.closed.notify_one();
    }
}

impl Open {
    fn add(&mut self, entry: Entry) -> usize {
        self.count += 1;
        match self.free.pop() {
            Some(index) => {
                self.entries[index] = Some(entry);
                index
            }
            None => {
                self.entries.push(Some(entry));
                self.entries.len() - 1
            }
        }
    }

    fn count_for(&mut self, index: usize, source: Source) {
        if let Some(entry) = &mut self.entries[index] {
            entry.source = Some(source);
            self.sources.entry(source).or_default().indices.push(index);
        }
    }

    /// Evicts the least recently active idle connection. Returns whether there was one.
    fn close_idle(&mut self) -> bool {
        let all = self.entries.iter().enumerate();
        self.idle
            .close_one(all.filter_map(|(index, entry)| Some((index, &entry.as_ref()?.activity))))
            .is_some()
    }

    /// The same for one source. The connection no longer counts for it.
    fn close_idle_of(&mut self, source: Source) -> bool {
        let Some(SourceConnections { indices, idle }) = self.sources.get_mut(&source) else { return false };
        let all = indices.iter().filter_map(|index| Some((*index, &self.entries[*index].as_ref()?.activity)));
        let Some(closed) = idle.close_one(all) else { return false };
        self.forget_source(closed);
        true
    }

    fn forget_source(&mut self, index: usize) {
        let Some(source) = self.entries[index].as_mut().and_then(|entry| entry.source.take()) else { return };
        if let Some(held) = self.sources.get_mut(&source) {
            held.indices.retain(|other| *other != index);
            if held.indices.is_empty() {
                self.sources.remove(&source);
            }
        }
    }
}

#[cfg(test)]
mod tests;
