//! Checkpoints: copy the WAL into the database file beside the commits, not between them.
//!
//! A thread with its own connection copies most of the WAL while commits go on. The writer then copies the rest, after which the
//! WAL starts from its beginning and so stays small.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::data_dir::Lock;
use super::schema;

/// Commits between checkpoints; each adds a few pages of 4 KiB to the WAL.
const EVERY_COMMITS: u32 = 1_000;

/// The writer's handle of the checkpoint thread.
pub(crate) struct Checkpoints {
    directory: Arc<Lock>,
    /// `None` only while this is dropped.
    ask: Option<SyncSender<()>>,
    is_copied: Arc<AtomicBool>,
    commits: u32,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Checkpoints {
    /// Waits until the thread has closed its connection, so that the next process shares nothing with it.
    fn drop(&mut self) {
        self.ask = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has logged it already.
            let _ = thread.join();
        }
    }
}

impl Checkpoints {
    pub fn start(directory: Arc<Lock>) -> rusqlite::Result<Checkpoints> {
        let connection = schema::connect(directory.database_path())?;
        // Capacity one: a second request during a checkpoint adds nothing.
        let (ask, asked) = sync_channel(1);
        let is_copied = Arc::new(AtomicBool::new(false));
        let (done, held) = (Arc::clone(&is_copied), Arc::clone(&directory));
        // It ends when the writer drops its sender. Without the thread the WAL only grows, so that a failed start shows as a
        // channel without a receiver and not as an error.
        let thread = std::thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(move || run(&connection, &held, &asked, &done));
        Ok(Checkpoints { directory, ask: Some(ask), is_copied, commits: 0, thread: thread.ok() })
    }

    /// Counts a commit, and requests a checkpoint when it is due or the writer is idle.
    pub fn committed(&mut self, connection: &Connection) {
        self.commits += 1;
        if self.commits >= EVERY_COMMITS {
            self.ask();
        }
        self.finish(connection);
    }

    /// Requests a checkpoint of the commits since the last one, while the writer is idle.
    pub fn idle(&mut self, connection: &Connection) {
        if self.commits > 0 {
            self.ask();
        }
        self.finish(connection);
    }

    fn ask(&mut self) {
        if self.ask.as_ref().is_some_and(|ask| ask.try_send(()).is_ok()) {
            self.commits = 0;
        }
    }

    fn finish(&self, connection: &Connection) {
        if self.is_copied.swap(false, Ordering::AcqRel) {
            // If the thread is at work, it does this as well.
            self.directory.contents().try_write(|| passive(connection));
        }
    }
}

fn run(connection: &Connection, directory: &Lock, asked: &Receiver<()>, is_copied: &AtomicBool) {
    while asked.recv().is_ok() {
        // If another program overwrote the file, the writer reports it.
        let _ = directory.contents().write(|| passive(connection));
        is_copied.store(true, Ordering::Release);
    }
}

/// Copies the frames that need no waiting for readers or writers.
fn passive(connection: &Connection) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        // Nothing is lost: the WAL has it all, and the next checkpoint retries.
        tracing::warn!(%error, "the checkpoint failed and will be retried");
    }
}
