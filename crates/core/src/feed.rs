//! The feed of revocations: what changed about applications and grants, for gateways that verify signed tokens offline.
//!
//! It remembers the subject of a change and not the change itself: a follower gets the subject's present state. So a follower that
//! is late ends in the present state as well.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, watch};

use crate::application::{AppNumber, Application};
use crate::grant::GrantKey;
use crate::random;
use crate::registry::Revocation;

/// Changes that are remembered; who is further behind is told everything. 24 bytes each, so that it is 200 KiB.
const REMEMBERED_MAX: usize = 8_192;

/// Who may wait for a change at once: each is a gateway, and each change wakes all of them.
const WAITING_MAX: usize = 256;

/// A place in the feed of one epoch of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    epoch: u64,
    position: u64,
}

/// What has changed up to a place in the feed.
pub struct News {
    pub cursor: Cursor,
    /// Whether this is all there is, in place of what was told before.
    pub is_whole: bool,
    /// How each stands; `None` where it was deleted.
    pub applications: Vec<(AppNumber, Option<Arc<Application>>)>,
    /// Grants that were closed.
    pub revocations: Vec<(GrantKey, Revocation)>,
}

/// So many wait for a change that nobody else can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{WAITING_MAX} wait for a change already")]
pub struct Crowded;

/// Of whom something changed, in order.
pub struct Feed {
    log: Mutex<Log>,
    /// Rung at each change; its value says whether waiting is over for good.
    notifier: watch::Sender<bool>,
    slots: Semaphore,
}

struct Log {
    epoch: u64,
    /// The position after the last of `subjects`.
    position: u64,
    subjects: VecDeque<Subject>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Application(AppNumber),
    Grant(GrantKey),
}

impl Default for Feed {
    fn default() -> Feed {
        Feed {
            log: Mutex::new(Log::new()),
            notifier: watch::Sender::new(false),
            slots: Semaphore::new(WAITING_MAX),
        }
    }
}

impl Feed {
    /// The present end of the feed.
    pub fn cursor(&self) -> Cursor {
        self.log().cursor()
    }

    /// Returns when the feed is not at `from` any more, or when waiting is over for good.
    pub async fn changed(&self, from: Cursor) -> Result<(), Crowded> {
        let _slot = self.slots.try_acquire().map_err(|_| Crowded)?;
        let mut notifier = self.notifier.subscribe();
        loop {
            // First the notifier and then the log: what changes in between rings again.
            let is_over = *notifier.borrow_and_update();
            if is_over || self.cursor() != from || notifier.changed().await.is_err() {
                return Ok(());
            }
        }
    }

    /// Lets everybody who waits go, now and from now on, because the server stops.
    pub fn stop_waiting(&self) {
        self.notifier.send_replace(true);
    }

    /// Notes that something changed, after it did.
    pub(crate) fn note(&self, subject: Subject) {
        self.log().push(subject);
        self.notifier.send_modify(|_| {});
    }

    /// Forgets what was noted: everything may have changed.
    pub(crate) fn begin_again(&self) {
        *self.log() = Log::new();
        self.notifier.send_modify(|_| {});
    }

    /// Of whom something changed since; `None` where that is not known any more.
    pub(crate) fn since(&self, cursor: Cursor) -> Option<(Cursor, BTreeSet<Subject>)> {
        let log = self.log();
        let behind = log.position.checked_sub(cursor.position).filter(|_| log.epoch == cursor.epoch)?;
        let skipped = log.subjects.len().checked_sub(usize::try_from(behind).ok()?)?;
        Some((log.cursor(), log.subjects.range(skipped..).copied().collect()))
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// The epoch is random, so that a cursor of another node or of a time before a restart is recognised.
    fn new() -> Log {
        Log { epoch: u64::from_be_bytes(random::bytes()), position: 0, subjects: VecDeque::new() }
    }

    fn cursor(&self) -> Cursor {
        Cursor { epoch: self.epoch, position: self.position }
    }

    fn push(&mut self, subject: Subject) {
        if self.subjects.len() == REMEMBERED_MAX {
            self.subjects.pop_front();
        }
        self.subjects.push_back(subject);
        self.position += 1;
    }
}

impl Cursor {
    /// The cursor that `text` is.
    pub fn parse(text: &str) -> Option<Cursor> {
        let (epoch, position) = text.split_once('-')?;
        Some(Cursor { epoch: u64::from_str_radix(epoch, 16).ok()?, position: position.parse().ok()? })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.epoch, self.position)
    }
}
