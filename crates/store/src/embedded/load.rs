//! Loading the whole state into memory: the rows, then the journal over them.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use northgate_core::application::AppNumber;
use northgate_core::clock::Timestamp;
use northgate_core::grant::{Grant, GrantId, GrantKey};
use northgate_core::registry::{Registry, Revocation};
use rusqlite::{Connection, Row};

use super::Memory;
use super::applications;
use super::codec::{Damaged, Reader};
use super::data_dir::{DataDirError, Lock};
use super::forgotten;
use super::identity::Lost;
use super::journal::Entry;
use super::schema::{self, SchemaError};
use super::single_use;

/// Reason why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("cannot open the database")]
    Schema(#[from] SchemaError),
    #[error("cannot read the database")]
    Sqlite(#[from] rusqlite::Error),
    #[error("{} is open in another program, such as sqlite3: close it there first", .0.display())]
    Busy(PathBuf),
    #[error("a value of the database is damaged")]
    Damaged,
    #[error("the row of table {table} with {key} is damaged: restore a backup")]
    DamagedRow {
        table: &'static str,
        key: String,
        #[source]
        cause: Box<OpenError>,
    },
    #[error(transparent)]
    Lost(#[from] Lost),
    #[error("cannot look at the WAL")]
    Wal(#[from] std::io::Error),
    #[error("cannot start the writer: {0}")]
    Thread(String),
}

impl From<Damaged> for OpenError {
    fn from(Damaged: Damaged) -> OpenError {
        OpenError::Damaged
    }
}

impl OpenError {
    /// Names the decoded row, so that an operator finds it.
    pub(crate) fn in_row(self, table: &'static str, key: impl FnOnce() -> String) -> OpenError {
        let is_about_a_value = match &self {
            OpenError::Damaged => true,
            OpenError::Sqlite(error) => matches!(
                error,
                rusqlite::Error::FromSqlConversionFailure(..)
                    | rusqlite::Error::IntegralValueOutOfRange(..)
                    | rusqlite::Error::InvalidColumnType(..)
                    | rusqlite::Error::Utf8Error(..)
            ),
            OpenError::DataDir(_)
            | OpenError::Schema(_)
            | OpenError::Busy(_)
            | OpenError::DamagedRow { .. }
            | OpenError::Lost(_)
            | OpenError::Wal(_)
            | OpenError::Thread(_) => false,
        };
        match is_about_a_value {
            true => OpenError::DamagedRow { table, key: key(), cause: Box::new(self) },
            false => self,
        }
    }
}

/// The number in a column, for a message.
pub(crate) fn number_in(row: &Row<'_>, column: usize) -> i64 {
    row.get(column).unwrap_or_default()
}

/// The range of the journal's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JournalExtent {
    /// The oldest row present; one more than `last` when the journal is empty.
    pub first: i64,
    pub last: i64,
    pub bytes: u64,
}

/// The result of loading.
pub(crate) struct Loaded {
    pub journal: JournalExtent,
    /// Applications with journal entries to be compacted.
    pub uncompacted: Vec<AppNumber>,
}

/// Fills `memory` with the durable state. Readers see the old state until it is complete. Expired records are kept, since the
/// clock of a machine that has just started may be wrong.
pub(crate) fn load(connection: &Connection, memory: &Memory) -> Result<Loaded, OpenError> {
    let registry = Registry::default();
    applications::load(connection, |application| registry.put(Arc::new(application)))?;
    let mut grants = HashMap::with_capacity(registry.count());
    load_rows(connection, &registry, &mut grants)?;
    let loaded = replay(connection, &registry, &mut grants)?;
    // Entries without an application: it was deleted after the journal wrote about it.
    grants.retain(|number, _| registry.application(*number).is_some());
    // Steady for no time yet: only the records of deleted applications go.
    registry.forget_revocations(Timestamp::from_millis(0), Duration::ZERO);
    registry.high_water().raise(forgotten::load(connection)?);
    let single_uses = single_use::load(connection)?;
    memory.registry.replace_all(registry);
    memory.grants.replace_all(grants);
    memory.single_uses.replace_all(single_uses);
    memory.stats.loaded(loaded.journal.bytes);
    Ok(loaded)
}

/// Fills `memory` where the disk has no room for a WAL, provided that the database file alone is complete.
pub(crate) fn without_wal(directory: &Lock, memory: &Memory) -> Result<(), OpenError> {
    // An empty WAL, or no WAL.
    directory.identity().check()?;
    let connection = schema::connect_without_wal(directory.database_path())?;
    schema::check_current(&connection)?;
    load(&connection, memory).map(drop)
}

type ByApplication = HashMap<AppNumber, Vec<Grant>>;

fn load_rows(
    connection: &Connection,
    registry: &Registry,
    grants: &mut ByApplication,
) -> Result<(), OpenError> {
    let mut select = connection.prepare("SELECT application, live, closed FROM grants")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        load_row(row, registry, grants)
            .map_err(|error| error.in_row("grants", || format!("application {}", number_in(row, 0))))?;
    }
    Ok(())
}

fn load_row(row: &Row<'_>, registry: &Registry, grants: &mut ByApplication) -> Result<(), OpenError> {
    let application = AppNumber(row.get(0)?);
    let mut live = Reader(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?);
    let of_one = grants.entry(application).or_default();
    while !live.is_empty() {
        of_one.push(live.grant()?);
    }
    let mut closed = Reader(row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?);
    while !closed.is_empty() {
        let key = GrantKey { application, id: GrantId(closed.u64()?) };
        registry.revoke(key, closed.revocation()?);
    }
    Ok(())
}

fn replay(
    connection: &Connection,
    registry: &Registry,
    grants: &mut ByApplication,
) -> Result<Loaded, OpenError> {
    let mut select = connection.prepare("SELECT batch, entries FROM journal ORDER BY batch")?;
    let mut rows = select.query([])?;
    let mut journal = JournalExtent { first: 1, last: 0, bytes: 0 };
    let mut uncompacted = HashSet::new();
    while let Some(row) = rows.next()? {
        let batch = row.get(0)?;
        if journal.bytes == 0 {
            journal.first = batch;
        }
        journal.last = batch;
        let replayed = replay_row(row, registry, grants, &mut uncompacted);
        journal.bytes += replayed.map_err(|error| error.in_row("journal", || format!("batch {batch}")))?;
    }
    Ok(Loaded { journal, uncompacted: uncompacted.into_iter().collect() })
}

/// Returns the length of the row's entries.
fn replay_row(
    row: &Row<'_>,
    registry: &Registry,
    grants: &mut ByApplication,
    uncompacted: &mut HashSet<AppNumber>,
) -> Result<u64, OpenError> {
    let entries = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
    replay_entries(entries, registry, grants, uncompacted)?;
    Ok(entries.len() as u64)
}

fn replay_entries(
    entries: &[u8],
    registry: &Registry,
    grants: &mut ByApplication,
    touched: &mut HashSet<AppNumber>,
) -> Result<(), Damaged> {
    let mut reader = Reader(entries);
    while !reader.is_empty() {
        touched.insert(apply(Entry::decode(&mut reader)?, registry, grants));
    }
    Ok(())
}

/// An application after a replay of the journal.
#[derive(Debug, PartialEq, Eq)]
pub struct Replayed {
    pub application: AppNumber,
    /// In the order of their last refresh.
    pub grants: Vec<Grant>,
    /// By the id of the grant.
    pub revocations: Vec<(GrantId, Revocation)>,
}

/// Replays the entries of a journal as a start does, without a database: for the fuzz target `journal`. `None` where they are damaged.
pub fn replay_bytes(entries: &[u8]) -> Option<Vec<Replayed>> {
    let (registry, mut grants, mut touched) = (Registry::default(), ByApplication::new(), HashSet::new());
    replay_entries(entries, &registry, &mut grants, &mut touched).ok()?;
    let mut touched: Vec<AppNumber> = touched.into_iter().collect();
    touched.sort_unstable_by_key(|application| application.0);
    let replayed = touched.into_iter().map(|application| {
        let mut revocations = registry.revocations_of(application);
        revocations.sort_unstable_by_key(|(id, _)| id.0);
        Replayed { application, grants: grants.remove(&application).unwrap_or_default(), revocations }
    });
    Some(replayed.collect())
}

fn apply(entry: Entry, registry: &Registry, grants: &mut ByApplication) -> AppNumber {
    match entry {
        Entry::Put(application, grant) => {
            let of_one = grants.entry(application).or_default();
            // To the end, as when it was written: the grants lie in the order of their last refresh.
            of_one.retain(|known| known.id != grant.id);
            of_one.push(grant);
            application
        }
        Entry::Remove(key) => {
            grants.entry(key.application).or_default().retain(|grant| grant.id != key.id);
            key.application
        }
        Entry::Revoke(key, revocation) => {
            registry.revoke(key, revocation);
            key.application
        }
        Entry::Clear(application) => {
            registry.clear_revocations(application);
            application
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::schema;

    #[test]
    fn what_a_start_finds_in_the_journal_is_told_before_anything_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut connection = schema::connect(&dir.path().join("test.db")).unwrap();
        schema::migrate(&mut connection).unwrap();
        let mut entry = Vec::new();
        Entry::Remove(GrantKey { application: AppNumber(7), id: GrantId(1) }).encode(&mut entry);
        connection.execute("INSERT INTO journal (batch, entries) VALUES (1, ?)", [&entry]).unwrap();
        let memory = Memory::default();
        load(&connection, &memory).unwrap();
        assert_eq!(memory.stats.journal_bytes(), entry.len() as u64);
    }
}
