//! Buffer of log lines: gathered in memory, written to standard error in large pieces by a thread of its own.
//!
//! A request only copies its line. Lines without room behind a slow reader, and lines that standard error does not take, are lost
//! and counted; they delay no request.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::out::Out;

/// The most bytes that wait for a slow reader: some 20,000 lines. Beyond it lines are dropped and counted.
const WAITING_BYTES: usize = 4 << 20;

/// How long lines are gathered before they are written: a busy server writes a hundred pieces a second at most.
const GATHER: Duration = Duration::from_millis(10);

/// How often the report of lost lines is retried while there are no others: the end of the trouble shows within that time.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// The field `kind` of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Audit,
    Request,
    Other,
}

/// Counts of lost lines since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    pub audit: u64,
    pub request: u64,
    pub other: u64,
}

impl Lost {
    pub fn all(self) -> u64 {
        self.audit + self.request + self.other
    }

    fn since(self, earlier: Lost) -> Lost {
        Lost {
            audit: self.audit - earlier.audit,
            request: self.request - earlier.request,
            other: self.other - earlier.other,
        }
    }
}

/// The buffer of waiting lines.
#[derive(Default)]
pub struct Lines {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    lost: [AtomicU64; 3],
}

#[derive(Default)]
struct Waiting {
    piece: Piece,
    is_closed: bool,
    is_finished: bool,
}

/// Lines as one text, and the kind of each.
#[derive(Default)]
struct Piece {
    bytes: Vec<u8>,
    kinds: Vec<Kind>,
}

impl Lines {
    /// Adds a line, which ends with its newline, or counts it as lost.
    pub fn add(&self, line: &[u8], kind: Kind) {
        let mut waiting = self.waiting();
        if waiting.piece.bytes.len() + line.len() > WAITING_BYTES || waiting.is_closed {
            self.lose(kind);
            return;
        }
        if waiting.piece.bytes.is_empty() {
            self.changed.notify_all();
        }
        waiting.piece.bytes.extend_from_slice(line);
        waiting.piece.kinds.push(kind);
    }

    /// Takes all waiting lines.
    pub(super) fn taken(&self) -> Vec<u8> {
        std::mem::take(&mut self.waiting().piece).bytes
    }

    /// The counts of lost lines since the start.
    pub fn lost(&self) -> Lost {
        let [audit, request, other] = &self.lost;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Lost { audit: read(audit), request: read(request), other: read(other) }
    }

    /// Accepts no more lines and waits until the present ones are written, for `limit` at most: a full pipe without a reader
    /// never drains.
    pub fn finish(&self, limit: Duration) {
        let mut waiting = self.waiting();
        waiting.is_closed = true;
        self.changed.notify_all();
        let is_not_finished = |waiting: &mut Waiting| !waiting.is_finished;
        // Whether or not the time sufficed, no line can report it any more.
        drop(self.changed.wait_timeout_while(waiting, limit, is_not_finished));
    }

    /// Starts the thread that writes to `to` until the lines are finished. `notice` formats the report of lost lines.
    pub(super) fn write_to(
        self: &Arc<Lines>,
        to: impl Write + Send + 'static,
        notice: impl Fn(Lost) -> Vec<u8> + Send + 'static,
    ) -> std::io::Result<()> {
        let lines = Arc::clone(self);
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || lines.write(Out::new(to), &notice))?;
        Ok(())
    }

    fn write(&self, mut out: Out<impl Write>, notice: &impl Fn(Lost) -> Vec<u8>) {
        let (mut piece, mut told) = (Piece::default(), Lost::default());
        loop {
            let is_closed = self.take(&mut piece, told);
            let lost = self.lost();
            if lost != told {
                let line = notice(lost.since(told));
                if out.write(&line) == line.len() {
                    told = lost;
                }
            }
            let written = out.write(&piece.bytes);
            let missing = piece.bytes[written..].iter().filter(|byte| **byte == b'\n').count();
            piece.kinds.iter().rev().take(missing).for_each(|kind| self.lose(*kind));
            piece.bytes.clear();
            piece.kinds.clear();
            if is_closed {
                self.waiting().is_finished = true;
                self.changed.notify_all();
                return;
            }
            std::thread::sleep(GATHER);
        }
    }

    /// Waits for lines, or until an unreported loss is due for a retry. Returns whether these are the last.
    fn take(&self, piece: &mut Piece, told: Lost) -> bool {
        let is_idle = |waiting: &mut Waiting| waiting.piece.bytes.is_empty() && !waiting.is_closed;
        let waiting = self.waiting();
        let mut waiting = if self.lost() == told {
            self.changed.wait_while(waiting, is_idle).unwrap_or_else(PoisonError::into_inner)
        } else {
            let waited = self.changed.wait_timeout_while(waiting, TRY_EVERY, is_idle);
            waited.unwrap_or_else(PoisonError::into_inner).0
        };
        std::mem::swap(&mut waiting.piece, piece);
        waiting.is_closed
    }

    fn lose(&self, kind: Kind) {
        self.lost[kind as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
