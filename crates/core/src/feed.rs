//! The revocation feed: changes of applications and grants, for gateways that verify signed tokens offline.
//!
//! The log holds the subject of a change and not its content: a follower reads the subject's present state, and so ends in the
//! present state however late it is.

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

/// The most logged changes; a follower that is further behind gets a snapshot. 24 bytes each, 200 KiB in all.
const REMEMBERED_MAX: usize = 8_192;

/// The most followers that wait at once: each is a gateway, and each change wakes all of them.
const WAITING_MAX: usize = 256;

/// A position in the feed, within one epoch of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    epoch: u64,
    position: u64,
}

/// The changes up to a position.
pub struct News {
    pub cursor: Cursor,
    /// Whether this is a snapshot, which replaces everything before it.
    pub is_whole: bool,
    /// The present state of each; `None` where it was deleted.
    pub applications: Vec<(AppNumber, Option<Arc<Application>>)>,
    /// Grants that were closed.
    pub revocations: Vec<(GrantKey, Revocation)>,
}

/// The limit of waiting followers is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{WAITING_MAX} wait for a change already")]
pub struct Crowded;

/// The log of changed subjects, in order.
pub struct Feed {
    log: Mutex<Log>,
    /// Notified at each change; the value says whether the feed has closed.
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
    /// The cursor at the end of the feed.
    pub fn cursor(&self) -> Cursor {
        self.log().cursor()
    }

    /// Waits until the feed has moved past `from` or has closed.
    pub async fn changed(&self, from: Cursor) -> Result<(), Crowded> {
        let _slot = self.slots.try_acquire().map_err(|_| Crowded)?;
        let mut notifier = self.notifier.subscribe();
        loop {
            // First the notifier and then the log, so that a change in between notifies again.
            let is_over = *notifier.borrow_and_update();
            if is_over || self.cursor() != from || notifier.changed().await.is_err() {
                return Ok(());
            }
        }
    }

    /// Closes the feed at shutdown: wakes all followers, and lets none wait any more.
    pub fn stop_waiting(&self) {
        self.notifier.send_replace(true);
    }

    /// Logs the subject of a change that has already happened.
    pub(crate) fn note(&self, subject: Subject) {
        self.log().push(subject);
        self.notifier.send_modify(|_| {});
    }

    /// Forgets the log: everything may have changed.
    pub(crate) fn begin_again(&self) {
        *self.log() = Log::new();
        self.notifier.send_modify(|_| {});
    }

    /// The subjects that changed since `cursor`; `None` where the log does not reach back to it.
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
    /// The epoch is random, so that a cursor of another node or from before a restart is recognised.
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
    /// Parses a cursor.
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
