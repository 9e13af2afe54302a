//! The writer: the one thread that changes the database, by group commit.
//!
//! One round, as [`Writer::run`] and [`Open::commit_batch`] do it:
//!
//! 1. Await the batch: the clients of the last commit are about to send their next requests, and share one fsync.
//! 2. Take all writes that wait in the queue.
//! 3. Begin a transaction. Check each write's guard against memory and the writes before it in the batch (optimistic concurrency).
//! 4. Insert one journal row that says what happened to grants; compact a slice of the journal; write due last uses and marks.
//! 5. Commit, which fsyncs the WAL. From here on nothing can fail.
//! 6. Check that the files are still those that were opened. An answer from a removed file would not be durable.
//! 7. Count the commit, then publish the new state to the readers' memory.
//! 8. Answer.
//!
//! After an error in 3 to 6 the batch is answered with it, readers keep the last durable state, and the file is opened anew.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use northgate_core::high_water::Marks;
use rusqlite::{Connection, ErrorCode, ffi, params};

use super::batch::Batch;
use super::checkpoint::Checkpoints;
use super::compaction::{Compaction, Slice};
use super::data_dir::Lock;
use super::identity::{Identity, Lost};
use super::load::{self, OpenError};
use super::queue::{Found, Queue, Write};
use super::{Clock, Memory, applications, forgotten, schema};
use crate::clock_jump::ClockJumpDetector;

/// How long the writer waits for work before it does the housekeeping of an idle moment.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often a busy writer forgets expired revocations, and a failed one tries to open the file again.
const ROUND: Duration = Duration::from_secs(10);
const REOPEN_AFTER: Duration = Duration::from_secs(1);
/// Applications whose secrets' last use is written with one commit, and the number of busy commits between two such. An idle
/// moment is better, but may not come; many rows at once share their pages.
const LAST_USED_A_COMMIT: usize = 256;
const LAST_USED_EVERY: u64 = 256;

pub(crate) struct Writer {
    directory: Arc<Lock>,
    memory: Arc<Memory>,
    queue: Arc<Queue>,
    clock: Clock,
    /// `None` after an error that leaves in doubt what is durable.
    open: Option<Open>,
    /// The file as it was open before the error. It serves no write, but keeps SQLite's knowledge of the end of the last good
    /// commit, so that no frame behind it in the WAL counts as committed.
    in_doubt: Option<Open>,
    opened_at: Instant,
    round_at: Instant,
    clock_jumps: ClockJumpDetector,
}

/// The open file. It is dropped as a whole when its state is in doubt.
struct Open {
    connection: Connection,
    checkpoints: Checkpoints,
    compaction: Compaction,
    /// The high-water marks that are durable.
    marks: Marks,
    files: Identity,
    directory: Arc<Lock>,
}

/// Reason why a batch was answered with an error.
enum Failure {
    Sqlite(Arc<rusqlite::Error>),
    /// The commit is durable in a file that the path no longer leads to.
    Lost(Lost),
}

impl From<Arc<rusqlite::Error>> for Failure {
    fn from(error: Arc<rusqlite::Error>) -> Failure {
        Failure::Sqlite(error)
    }
}

impl Writer {
    pub fn open(
        directory: Arc<Lock>,
        memory: Arc<Memory>,
        queue: Arc<Queue>,
        clock: Clock,
    ) -> Result<Writer, OpenError> {
        // A read-only disk serves reads, at the start as later.
        let (open, in_doubt) = match Open::new(&directory, &memory) {
            // Only a write shows whether the disk has room.
            Ok(open) => match open.empty_wal().and_then(|()| schema::rewrite_version(&open.connection)) {
                Ok(()) => (Some(open), None),
                Err(error) => {
                    cannot_write(&memory, &error);
                    (None, Some(open))
                }
            },
            Err(OpenError::Sqlite(error)) if load::without_wal(&directory, &memory).is_ok() => {
                cannot_write(&memory, &error);
                (None, None)
            }
            Err(error) => return Err(error),
        };
        let now = Instant::now();
        let clock_jumps = ClockJumpDetector::begin(now, clock());
        Ok(Writer {
            directory,
            memory,
            queue,
            clock,
            open,
            in_doubt,
            opened_at: now,
            round_at: now,
            clock_jumps,
        })
    }

    pub fn run(mut self) {
        let (mut expected_batch, mut patience) = (0, PATIENCE);
        loop {
            self.queue.await_batch(expected_batch);
            match self.queue.wait(patience) {
                Found::Writes => {
                    let writes = self.queue.take();
                    // The answered clients are about to send their next requests, beside those that wait already.
                    expected_batch = writes.len() + self.write(writes);
                    patience = PATIENCE;
                }
                Found::Nothing => {
                    expected_batch = 0;
                    patience = if self.idle() { Duration::ZERO } else { PATIENCE };
                }
                Found::Closed => break,
            }
            if self.round_at.elapsed() >= ROUND {
                self.round_at = Instant::now();
                let now = (self.clock)();
                self.memory.forget(now, self.clock_jumps.look(self.round_at, now));
            }
        }
        self.idle();
        self.close();
    }

    /// Empties the WAL into the database file, so that none of it can be applied to another database.
    fn close(&mut self) {
        let Some(open) = self.open.take().or(self.in_doubt.take()) else { return };
        if let Err(error) = open.empty_wal() {
            tracing::warn!(%error, "the WAL could not be emptied at the stop; the next start does it");
        }
    }

    /// Writes a batch and answers it, with an error if the file is closed or the commit fails. Returns how many writes waited just
    /// before the answers.
    fn write(&mut self, writes: Vec<Write>) -> usize {
        self.reopen_if_needed();
        let Some(open) = &mut self.open else {
            writes.into_iter().for_each(|write| write.refuse(&(Arc::new(Closed) as _)));
            return 0;
        };
        let count = writes.len();
        match open.commit_batch(&self.memory, &self.queue, writes) {
            Ok(waiting) => waiting,
            Err(Failure::Sqlite(error)) => {
                self.failed(&error, count);
                0
            }
            Err(Failure::Lost(lost)) => {
                self.lose(&lost);
                0
            }
        }
    }

    fn failed(&mut self, error: &rusqlite::Error, writes: usize) {
        tracing::error!(
            error = error as &dyn Error,
            writes,
            "the commit failed; its requests were answered with an error"
        );
        self.doubt(error);
    }

    /// Closes the file unless the error left it unchanged. A full disk is reported before anything is written; after any other
    /// error only reading the file anew shows what reached the disk.
    fn doubt(&mut self, error: &rusqlite::Error) {
        let is_rolled_back = self.open.as_ref().is_some_and(|open| open.connection.is_autocommit());
        if error.sqlite_error_code() != Some(ErrorCode::DiskFull) || !is_rolled_back {
            self.in_doubt = self.open.take();
        }
    }

    /// Stops writing, since the next start would not find it. Readers keep the last durable state.
    fn lose(&mut self, lost: &Lost) {
        report(&self.memory, lost);
        let Some(open) = self.open.take() else { return };
        let is_emptied = match lost {
            // Only this process can still read the removed WAL.
            Lost::Wal(_) => open.empty_wal().is_ok(),
            Lost::Database(_) => false,
            Lost::Overwritten(_) => {
                if let Err(error) = open.files.set_wal_aside() {
                    tracing::error!(%error, "the WAL of the overwritten database cannot be moved away");
                }
                false
            }
        };
        self.in_doubt = (!is_emptied).then_some(open);
    }

    /// Does the housekeeping of an idle moment: last uses, compaction, a checkpoint. Returns whether more is left.
    fn idle(&mut self) -> bool {
        self.reopen_if_needed();
        if let Some(Err(lost)) = self.open.as_ref().map(Open::check) {
            self.lose(&lost);
        }
        if self.memory.stats.is_failing() {
            self.try_to_write();
            return false;
        }
        let Some(Open { connection, checkpoints, compaction, marks, .. }) = &mut self.open else {
            return false;
        };
        let has_marks = *marks != self.memory.registry.high_water().get();
        let is_work = compaction.begin() || has_marks || self.memory.has_chores();
        if is_work {
            self.write(Vec::new());
        } else {
            checkpoints.idle(connection);
        }
        is_work && self.open.is_some()
    }

    /// Probes the disk with a write, since a balancer that sees the node not ready sends none.
    fn try_to_write(&mut self) {
        let Some(open) = &self.open else { return };
        match schema::rewrite_version(&open.connection) {
            Ok(()) => {
                self.memory.stats.recovered();
                tracing::info!("the database can be written again");
            }
            Err(error) => self.doubt(&error),
        }
    }

    /// Opens the file anew after an error. Until it succeeds, writes fail and readers see the last durable state.
    fn reopen_if_needed(&mut self) {
        if self.open.is_some() || self.opened_at.elapsed() < REOPEN_AFTER {
            return;
        }
        self.opened_at = Instant::now();
        let files = self.in_doubt.as_ref().map_or(self.directory.identity(), |open| &open.files);
        if let Err(lost) = self.directory.check(files) {
            return self.lose(&lost);
        }
        let opened = Open::new(&self.directory, &self.memory);
        match opened.and_then(|open| Ok(open.empty_wal().map(|()| open)?)) {
            Ok(open) => {
                self.open = Some(open);
                self.in_doubt = None;
                self.memory.stats.set_lost(None);
                tracing::info!("the database was opened anew after a failed commit");
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn Error, "the database cannot be opened anew yet")
            }
        }
    }
}

/// Reports before the answers, so that a client with an error finds the reason on `/health/ready`.
fn report(memory: &Memory, lost: &Lost) {
    memory.stats.failed();
    let reason = lost.to_string();
    if memory.stats.lost().as_ref() != Some(&reason) {
        tracing::error!("{reason}");
        memory.stats.set_lost(Some(reason));
    }
}

fn cannot_write(memory: &Memory, error: &rusqlite::Error) {
    memory.stats.failed();
    tracing::error!(error = error as &dyn Error, "the database cannot be written");
}

impl Drop for Writer {
    /// Ends all waiting and makes the node not ready, by a stop or by a panic.
    fn drop(&mut self) {
        self.memory.stats.failed();
        self.queue.close();
        // Waiting requests see their answer's channel close.
        drop(self.queue.take());
    }
}

impl Open {
    fn new(directory: &Arc<Lock>, memory: &Memory) -> Result<Open, OpenError> {
        let database = directory.database_path();
        let mut connection = schema::connect(database).map_err(|error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy) => OpenError::Busy(database.to_owned()),
            Some(_) | None => OpenError::Sqlite(error),
        })?;
        schema::migrate(&mut connection)?;
        let loaded = load::load(&connection, memory)?;
        let marks = forgotten::load(&connection)?;
        let checkpoints = Checkpoints::start(Arc::clone(directory))?;
        let files = directory.identity().with_wal()?;
        // The file that was opened by its path is the one that was locked.
        files.check()?;
        let compaction = Compaction::new(loaded.journal, loaded.uncompacted);
        Ok(Open { connection, checkpoints, compaction, marks, files, directory: Arc::clone(directory) })
    }

    /// Moves the WAL into the database file before anything is appended to it. After a failed fsync the kernel may hold pages of the
    /// WAL that no later fsync writes: their content has to be written anew.
    fn empty_wal(&self) -> rusqlite::Result<()> {
        let emptied = self.directory.contents().write(|| schema::empty_wal(&self.connection));
        let foreign = ffi::Error::new(ffi::SQLITE_READONLY_DBMOVED);
        emptied.unwrap_or(Err(rusqlite::Error::SqliteFailure(foreign, None)))
    }

    /// Whether the files are those that were opened.
    fn check(&self) -> Result<(), Lost> {
        self.directory.check(&self.files)
    }

    /// Group commit: one transaction with all of `writes`, all of which are answered. Returns how many others waited just before
    /// the answers; afterwards the answered clients may be among them.
    fn commit_batch(&mut self, memory: &Memory, queue: &Queue, writes: Vec<Write>) -> Result<usize, Failure> {
        let Open { connection, checkpoints, compaction, marks, files, directory } = self;
        let (count, begun) = (writes.len(), Instant::now());
        // Rolls back when dropped without a commit.
        let transaction = match connection.unchecked_transaction().map_err(Arc::new) {
            Ok(transaction) => transaction,
            Err(error) => {
                memory.stats.failed();
                let cause = Arc::clone(&error) as _;
                writes.into_iter().for_each(|write| write.refuse(&cause));
                return Err(error.into());
            }
        };
        let mut batch = Batch::new(memory, connection, writes.len());
        writes.into_iter().for_each(|write| batch.add(write));
        let forgotten = memory.registry.high_water().get();
        let news = (forgotten != *marks).then_some(forgotten);
        let written = finish(&batch, connection, memory, compaction, news);
        match written.and_then(|slice| transaction.commit().map(|()| slice).map_err(Arc::new)) {
            Ok(slice) => {
                // Step 6: what is in a removed file is not durable.
                if let Err(lost) = directory.check(files) {
                    report(memory, &lost);
                    batch.fail(&(Arc::new(lost.clone()) as _));
                    return Err(Failure::Lost(lost));
                }
                compaction.wrote(batch.entries().len(), batch.touched());
                compaction.done(slice);
                // Step 7: before the answers, so that a client finds its write counted.
                memory.stats.committed(count, begun.elapsed(), compaction.journal_bytes());
                let waiting = queue.len();
                batch.publish();
                *marks = forgotten;
                checkpoints.committed(connection);
                Ok(waiting)
            }
            Err(error) => {
                // Before the answers, so that a client with an error finds the node not ready.
                memory.stats.failed();
                batch.fail(&(Arc::clone(&error) as _));
                Err(error.into())
            }
        }
    }
}

/// Step 4: completes the transaction with the journal row, last uses, marks and a slice of compaction.
fn finish(
    batch: &Batch<'_>,
    connection: &Connection,
    memory: &Memory,
    compaction: &mut Compaction,
    marks: Option<Marks>,
) -> Result<Slice, Arc<rusqlite::Error>> {
    if let Some(failure) = batch.failure() {
        return Err(failure);
    }
    if !batch.entries().is_empty() {
        let insert = connection.prepare_cached("INSERT INTO journal (batch, entries) VALUES (?, ?)");
        insert.and_then(|mut insert| insert.execute(params![compaction.next_batch(), batch.entries()]))?;
    }
    if batch.is_empty() || memory.stats.commits().is_multiple_of(LAST_USED_EVERY) {
        for application in memory.registry.take_used(LAST_USED_A_COMMIT) {
            applications::update_last_used(connection, &application)?;
        }
    }
    // Not after the rows are gone: compaction leaves out what memory has forgotten.
    if let Some(marks) = marks {
        forgotten::write(connection, marks)?;
    }
    memory.single_uses.remove_rows(connection)?;
    let batch_bytes = (!batch.is_empty()).then(|| batch.entries().len());
    Ok(compaction.slice(connection, memory, batch_bytes)?)
}

/// Why writes fail between an error and the next successful opening.
#[derive(Debug, thiserror::Error)]
#[error("the database is closed after an error and cannot be opened again yet")]
struct Closed;
