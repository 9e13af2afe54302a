//! Export from the embedded store, and import into an empty one: all of it or nothing.

use std::path::Path;

use northgate_core::application::AppNumber;
use northgate_core::store::Store;
use rusqlite::{Connection, OptionalExtension, params};

use super::codec::{put_grant, put_revocation};
use super::data_dir::{self, DataDirError};
use super::schema::{self, SchemaError};
use super::{DATABASE, EmbeddedStore, applications, forgotten};
use crate::export::{Counts, Holding, Whole};

/// Reason why an installation was not exported or imported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("cannot open the database")]
    Schema(#[from] SchemaError),
    #[error("the database failed to execute the statement")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the data directory holds an installation already: import into an empty one")]
    NotEmpty,
    #[error("the database holds {found:?} after the import of {expected:?}; nothing was imported")]
    Incomplete { found: Counts, expected: Counts },
}

impl EmbeddedStore {
    /// The highest number that an application ever had.
    pub fn last_number(&self) -> Result<AppNumber, ExportError> {
        let connection = schema::connect(self.directory.database_path())?;
        let last = "SELECT seq FROM sqlite_sequence WHERE name = 'applications'";
        let last = connection.query_row(last, [], |row| row.get(0)).optional()?;
        Ok(AppNumber(last.unwrap_or(0)))
    }

    /// All applications with everything that belongs to them, in the order of their numbers.
    pub fn holdings(&self) -> impl Iterator<Item = Holding> {
        self.registry().all().into_iter().map(|application| Holding {
            grants: self.memory.grants.of(application.number),
            revocations: self.registry().revocations_of(application.number),
            application: application.as_ref().clone(),
        })
    }
}

/// An import under way. Dropped before it is finished, it leaves an empty store.
pub struct Import {
    connection: Connection,
    // Declared last, so that the lock is released after the file is closed.
    _lock: data_dir::Lock,
}

impl Import {
    /// Locks an empty data directory.
    pub fn begin(data_dir: &Path) -> Result<Import, ExportError> {
        let lock = data_dir::lock(data_dir)?;
        let mut connection = schema::connect(&data_dir.join(DATABASE))?;
        schema::migrate(&mut connection)?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let used = "SELECT (SELECT count(*) FROM applications) + (SELECT count(*) FROM grants)
                    + (SELECT count(*) FROM journal) + (SELECT count(*) FROM sqlite_sequence)";
        if connection.query_row(used, [], |row| row.get::<_, i64>(0))? > 0 {
            return Err(ExportError::NotEmpty);
        }
        Ok(Import { connection, _lock: lock })
    }

    pub fn add(&self, holding: &Holding) -> Result<(), ExportError> {
        let application = &holding.application;
        let insert = "INSERT INTO applications (number, app_id, name, state, created_at, revision)
                      VALUES (?, ?, ?, ?, ?, ?)";
        self.connection.prepare_cached(insert)?.execute(params![
            application.number.0,
            application.id.as_str(),
            application.name,
            application.state.as_str(),
            application.created_at.as_millis(),
            application.revision,
        ])?;
        applications::update(&self.connection, application)?;
        let (mut live, mut closed) = (Vec::new(), Vec::new());
        holding.grants.iter().for_each(|grant| put_grant(&mut live, grant));
        for (id, revocation) in &holding.revocations {
            closed.extend_from_slice(&id.0.to_be_bytes());
            put_revocation(&mut closed, revocation);
        }
        let insert = "INSERT INTO grants (application, live, closed) VALUES (?, ?, ?)";
        self.connection.prepare_cached(insert)?.execute(params![application.number.0, live, closed])?;
        Ok(())
    }

    /// Commits the import, if it is complete.
    pub fn finish(self, expected: &Whole) -> Result<(), ExportError> {
        let found = self.connection.query_row(
            "SELECT (SELECT count(*) FROM applications), (SELECT count(*) FROM secrets),
             ifnull(sum(length(live)) / 28, 0), ifnull(sum(length(closed)) / 24, 0) FROM grants",
            [],
            |row| {
                let (applications, secrets) = (row.get(0)?, row.get(1)?);
                Ok(Counts { applications, secrets, grants: row.get(2)?, revocations: row.get(3)? })
            },
        )?;
        if found != expected.counts {
            return Err(ExportError::Incomplete { found, expected: expected.counts });
        }
        forgotten::write(&self.connection, expected.forgotten)?;
        self.connection.execute("DELETE FROM sqlite_sequence WHERE name = 'applications'", [])?;
        let last = "INSERT INTO sqlite_sequence (name, seq) VALUES ('applications', ?)";
        self.connection.execute(last, [expected.last_number.0])?;
        self.connection.execute_batch("COMMIT")?;
        // The first start would do it otherwise.
        let _ = schema::empty_wal(&self.connection);
        Ok(())
    }
}
