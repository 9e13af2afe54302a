//! Compaction: merges the journal's entries of an application into its row in `grants`, so that the journal's rows can be
//! deleted.
//!
//! It runs in sweeps over all applications with entries, in the order of their rows, a slice with each commit: it costs no fsync
//! of its own and never delays a commit for long. A busy sweep takes as long as the journal takes to fill once more, so that the
//! journal stays within twice [`SWEEP_AT_BYTES`] and the cost is spread evenly.

use std::vec;

use northgate_core::app_set::AppSet;
use northgate_core::application::AppNumber;
use rusqlite::{Connection, params};

use super::Memory;
use super::codec::{put_grant, put_revocation};
use super::load::JournalExtent;

/// The size at which a busy journal is swept: some 1,000,000 steps, read back in less than a second.
const SWEEP_AT_BYTES: u64 = 32 << 20;
/// Journal rows deleted with one commit: more than the one that it adds.
const ROWS_BUSY: i64 = 4;
/// The slice of an idle writer: a millisecond or two of work, since a request may come.
const APPLICATIONS_IDLE: usize = 256;
const ROWS_IDLE: i64 = 256;

/// The progress of compaction.
pub(crate) struct Compaction {
    journal: JournalExtent,
    news: AppSet,
    sweep: Option<Sweep>,
}

struct Sweep {
    left: vec::IntoIter<AppNumber>,
    /// Applications at the beginning of the sweep.
    size: usize,
    /// The last journal row of the sweep; rows up to here can go when the sweep ends.
    upto: i64,
}

/// The slice of one commit; it counts once the commit succeeded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slice {
    applications: usize,
    rows_upto: Option<i64>,
    row_bytes: u64,
}

impl Compaction {
    pub fn new(journal: JournalExtent, uncompacted: Vec<AppNumber>) -> Compaction {
        let mut compaction = Compaction { journal, news: AppSet::default(), sweep: None };
        compaction.note(uncompacted);
        compaction
    }

    pub fn journal_bytes(&self) -> u64 {
        self.journal.bytes
    }

    /// The number of the next journal row.
    pub fn next_batch(&self) -> i64 {
        self.journal.last + 1
    }

    /// Begins a sweep if the journal has entries; returns whether one is under way.
    pub fn begin(&mut self) -> bool {
        if self.sweep.is_none() && self.journal.bytes > 0 {
            let left = self.news.take(usize::MAX);
            self.sweep = Some(Sweep { size: left.len(), left: left.into_iter(), upto: self.journal.last });
        }
        self.sweep.is_some()
    }

    /// Records that a commit wrote a journal row of `bytes` about these applications; 0 bytes for no row.
    pub fn wrote(&mut self, bytes: usize, touched: impl IntoIterator<Item = AppNumber>) {
        self.journal.last += i64::from(bytes > 0);
        self.journal.bytes += bytes as u64;
        self.note(touched);
    }

    fn note(&mut self, applications: impl IntoIterator<Item = AppNumber>) {
        applications.into_iter().for_each(|number| self.news.insert(number));
    }

    /// Compacts a slice in the open transaction, which adds `batch_bytes` to the journal, if a sweep is under way or due; a
    /// larger one where no request waits for the transaction.
    pub fn slice(
        &mut self,
        connection: &Connection,
        memory: &Memory,
        batch_bytes: Option<usize>,
    ) -> rusqlite::Result<Slice> {
        if self.journal.bytes >= SWEEP_AT_BYTES {
            self.begin();
        }
        let Some(sweep) = &self.sweep else { return Ok(Slice::default()) };
        let (applications, rows) = match batch_bytes {
            None => (APPLICATIONS_IDLE, ROWS_IDLE),
            Some(bytes) => ((sweep.size * bytes).div_ceil(SWEEP_AT_BYTES as usize), ROWS_BUSY),
        };
        let left = sweep.left.as_slice();
        if left.is_empty() {
            let upto = sweep.upto.min(self.journal.first + rows - 1);
            return remove_rows(connection, upto);
        }
        let applications = applications.min(left.len());
        for number in &left[..applications] {
            write_row(connection, memory, *number)?;
        }
        Ok(Slice { applications, ..Slice::default() })
    }

    /// Records that the transaction of this slice is durable.
    pub fn done(&mut self, slice: Slice) {
        let Some(sweep) = &mut self.sweep else { return };
        sweep.left.by_ref().take(slice.applications).for_each(drop);
        if let Some(upto) = slice.rows_upto {
            self.journal.first = upto + 1;
            self.journal.bytes -= slice.row_bytes;
            if upto == sweep.upto {
                self.sweep = None;
            }
        }
    }
}

fn write_row(connection: &Connection, memory: &Memory, number: AppNumber) -> rusqlite::Result<()> {
    let mut live = Vec::new();
    memory.grants.of(number).iter().for_each(|grant| put_grant(&mut live, grant));
    let mut closed = Vec::new();
    for (id, revocation) in memory.registry.revocations_of(number) {
        closed.extend_from_slice(&id.0.to_be_bytes());
        put_revocation(&mut closed, &revocation);
    }
    if live.is_empty() && closed.is_empty() {
        connection.prepare_cached("DELETE FROM grants WHERE application = ?")?.execute([number.0])?;
    } else {
        connection
            .prepare_cached("INSERT OR REPLACE INTO grants (application, live, closed) VALUES (?, ?, ?)")?
            .execute(params![number.0, live, closed])?;
    }
    Ok(())
}

fn remove_rows(connection: &Connection, upto: i64) -> rusqlite::Result<Slice> {
    let row_bytes = connection
        .prepare_cached("SELECT ifnull(sum(length(entries)), 0) FROM journal WHERE batch <= ?")?
        .query_row([upto], |row| row.get(0))?;
    connection.prepare_cached("DELETE FROM journal WHERE batch <= ?")?.execute([upto])?;
    Ok(Slice { applications: 0, rows_upto: Some(upto), row_bytes })
}
