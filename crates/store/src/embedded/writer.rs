//! The writer: the one thread that changes the database. It takes all writes that wait, commits them together, shows
//! the readers the new state, and answers.

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
/// How often a busy writer looks for revocations to forget, and one that failed tries to open the file again.
const ROUND: Duration = Duration::from_secs(10);
const REOPEN_AFTER: Duration = Duration::from_secs(1);
/// Applications whose secrets' last use is written with one commit, and the busy commits between two such: it can wait
/// for an idle moment, but not for ever, and many neighbours at once share their pages.
const LAST_USED_A_COMMIT: usize = 256;
const LAST_USED_EVERY: u64 = 256;

pub(crate) struct Writer {
    directory: Arc<Lock>,
    memory: Arc<Memory>,
    queue: Arc<Queue>,
    clock: Clock,
    /// `None` after an error that leaves in doubt what is durable.
    open: Option<Open>,
    /// The file as it was open before the error. It is of no more use, but while it is there SQLite knows where the last
    /// good commit ends, and does not take what follows in the WAL for one.
    in_doubt: Option<Open>,
    opened_at: Instant,
    round_at: Instant,
    clock_jumps: ClockJumpDetector,
}

/// The open file; dropped as a whole when it can no longer be trusted.
struct Open {
    connection: Connection,
    checkpoints: Checkpoints,
    compaction: Compaction,
    /// The high-water marks as they are durable.
    marks: Marks,
    files: Identity,
    directory: Arc<Lock>,
}

/// Why a commit was not answered as done.
enum Failure {
    Sqlite(Arc<rusqlite::Error>),
    /// It is durable in a file that the path does not lead to any more.
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
        // A disk that cannot be written to at the start is like one that fails later: readers are served.
        let (open, in_doubt) = match Open::new(&directory, &memory) {
            // Only a write shows whether there is room for one.
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
                    // Those who are answered are about to come again, and then share a commit with those who came meanwhile.
                    expected_batch = writes.len() + self.commit(writes);
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

    /// Leaves an empty WAL: what it held is in the database file, so that nothing in it can be applied to another one.
    fn close(&mut self) {
        let Some(open) = self.open.take().or(self.in_doubt.take()) else { return };
        if let Err(error) = open.empty_wal() {
            // The next start does it.
            tracing::warn!(%error, "the WAL stays as it is at the stop");
        }
    }

    /// Commits `writes` with a little folding, and answers them. Tells how many waited when they were about to be.
    fn commit(&mut self, writes: Vec<Write>) -> usize {
        self.reopen_if_needed();
        let Some(open) = &mut self.open else {
            writes.into_iter().for_each(|write| write.refuse(&(Arc::new(Closed) as _)));
            return 0;
        };
        let count = writes.len();
        match open.commit(&self.memory, &self.queue, writes) {
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
            "a commit failed; nothing in it was answered as done"
        );
        self.doubt(error);
    }

    /// A full disk is told before anything is written. After any other error nobody knows what reached the disk: the
    /// file is closed, and only a fresh look at it tells.
    fn doubt(&mut self, error: &rusqlite::Error) {
        let is_rolled_back = self.open.as_ref().is_some_and(|open| open.connection.is_autocommit());
        if error.sqlite_error_code() != Some(ErrorCode::DiskFull) || !is_rolled_back {
            self.in_doubt = self.open.take();
        }
    }

    /// Stops writing: the next start would not find it. Readers go on with what was known to be durable.
    fn lose(&mut self, lost: &Lost) {
        report(&self.memory, lost);
        let Some(open) = self.open.take() else { return };
        let is_emptied = match lost {
            // The removed WAL can still be read here, and nowhere else.
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

    /// What an idle moment is good for: last uses, folding, a checkpoint. Tells whether there is more of it to do.
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
            self.commit(Vec::new());
        } else {
            checkpoints.idle(connection);
        }
        is_work && self.open.is_some()
    }

    /// Only a write can show that the disk takes them again, and whoever heeds our readiness sends none.
    fn try_to_write(&mut self) {
        let Some(open) = &self.open else { return };
        match schema::rewrite_version(&open.connection) {
            Ok(()) => {
                self.memory.stats.recovered();
                tracing::info!("the database can be written to again");
            }
            Err(error) => self.doubt(&error),
        }
    }

    /// Until this succeeds, writes fail, and readers see what was known to be durable.
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

/// Before the answers: a client that hears one finds the reason on `/health/ready`.
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
    tracing::error!(error = error as &dyn Error, "the database cannot be written to");
}

impl Drop for Writer {
    /// However the writer ends, by a stop or by a panic, nobody waits for it in vain and readiness tells.
    fn drop(&mut self) {
        self.memory.stats.failed();
        self.queue.close();
        // Those who wait learn from their answer's end.
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
        // What was opened by its path is what was locked.
        files.check()?;
        let compaction = Compaction::new(loaded.journal, loaded.uncompacted);
        Ok(Open { connection, checkpoints, compaction, marks, files, directory: Arc::clone(directory) })
    }

    /// Moves all that the WAL holds into the database file, before anything is added to it. After a sync that failed
    /// the kernel may hold pages of the WAL that are not on the disk and that no later sync brings there: writing their
    /// content anew does, and nothing is ever appended to them.
    fn empty_wal(&self) -> rusqlite::Result<()> {
        let emptied = self.directory.contents().write(|| schema::empty_wal(&self.connection));
        let foreign = ffi::Error::new(ffi::SQLITE_READONLY_DBMOVED);
        emptied.unwrap_or(Err(rusqlite::Error::SqliteFailure(foreign, None)))
    }

    /// Whether the files are those that were opened.
    fn check(&self) -> Result<(), Lost> {
        self.directory.check(&self.files)
    }

    /// One transaction with all of `writes`; all are answered, whatever becomes of it. Tells how many others waited just
    /// before: afterwards those who were answered may be among them already.
    fn commit(&mut self, memory: &Memory, queue: &Queue, writes: Vec<Write>) -> Result<usize, Failure> {
        let Open { connection, checkpoints, compaction, marks, files, directory } = self;
        let (count, begun) = (writes.len(), Instant::now());
        // Dropped without a commit, a transaction is rolled back.
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
                // Before the answers: what is in a removed file is not durable.
                if let Err(lost) = directory.check(files) {
                    report(memory, &lost);
                    batch.fail(&(Arc::new(lost.clone()) as _));
                    return Err(Failure::Lost(lost));
                }
                compaction.wrote(batch.entries().len(), batch.touched());
                compaction.done(slice);
                // Before the answers: a client that has its answer finds its write counted.
                memory.stats.committed(count, begun.elapsed(), compaction.journal_bytes());
                let waiting = queue.len();
                batch.publish();
                *marks = forgotten;
                checkpoints.committed(connection);
                Ok(waiting)
            }
            Err(error) => {
                // Before the answers: whoever hears one finds us not ready.
                memory.stats.failed();
                batch.fail(&(Arc::clone(&error) as _));
                Err(error.into())
            }
        }
    }
}

/// What goes into the transaction beside the writes: their journal row, some last uses, and a slice of folding.
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
    // With what was forgotten, or before: folding leaves out what memory does not know any more.
    if let Some(marks) = marks {
        forgotten::write(connection, marks)?;
    }
    memory.single_uses.remove_rows(connection)?;
    let batch_bytes = (!batch.is_empty()).then(|| batch.entries().len());
    Ok(compaction.slice(connection, memory, batch_bytes)?)
}

/// The file was closed after an error and could not be opened again yet.
#[derive(Debug, thiserror::Error)]
#[error("the database is closed after an error and cannot be opened again yet")]
struct Closed;
