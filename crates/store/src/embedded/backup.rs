//! Backup: a consistent copy of the live database; restore: putting one in its place while no server runs.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::data_dir::{self, DATABASE, DataDirError};
use super::schema::{self, SchemaError};

/// Why a backup was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error("SQLite could not copy the database")]
    Sqlite(#[from] rusqlite::Error),
    #[error("could not write the copy")]
    Io(#[from] io::Error),
}

/// Writes a consistent, compact copy to the new file `to` (mode 0600), and makes it durable.
pub(crate) fn copy(database: &Path, to: &Path) -> Result<(), CopyError> {
    let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    // SQLite fills an empty file, which keeps the mode that it has.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    // One read transaction: it sees one moment, and no writer waits for it.
    connection.execute("VACUUM INTO ?", [to.to_string_lossy()])?;
    Ok(file.sync_all()?)
}

/// Why a backup was not restored; the data directory is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("cannot use the backup {}", .path.display())]
    Backup {
        path: PathBuf,
        #[source]
        source: SchemaError,
    },
    #[error("the backup {} is damaged: {finding}", .path.display())]
    Damaged { path: PathBuf, finding: String },
    #[error("cannot put the backup in place in {}", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Puts a backup in the place of the database in `data_dir`, while no server uses it. Returns where the database that
/// was there is now, if there was one.
pub fn restore(data_dir: &Path, backup: &Path) -> Result<Option<PathBuf>, RestoreError> {
    let _lock = data_dir::lock(data_dir)?;
    check(backup)?;
    let io = |source| RestoreError::Io { path: data_dir.to_owned(), source };
    let (database, incoming) = (data_dir.join(DATABASE), data_dir.join("northgate.db.incoming"));
    fs::copy(backup, &incoming).map_err(io)?;
    fs::set_permissions(&incoming, Permissions::from_mode(0o600)).map_err(io)?;
    skip_numbers(&incoming).map_err(|error| io(io::Error::other(error)))?;
    File::open(&incoming).and_then(|file| file.sync_all()).map_err(io)?;
    let kept = set_aside(data_dir, &database).map_err(io)?;
    fs::rename(&incoming, &database).map_err(io)?;
    File::open(data_dir).and_then(|directory| directory.sync_all()).map_err(io)?;
    Ok(kept)
}

/// Applications that may have been created since any backup was made.
const SKIPPED_NUMBERS: u32 = 1_000_000;

/// Tokens carry the number of their application: one that was created after the backup has live tokens, and its number
/// must not be given to somebody else.
fn skip_numbers(database: &Path) -> rusqlite::Result<()> {
    let connection = Connection::open(database)?;
    connection
        .execute("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'applications'", [SKIPPED_NUMBERS])?;
    connection.close().map_err(|(_, error)| error)
}

/// Moves the present database away with its WAL, which holds part of it.
fn set_aside(data_dir: &Path, database: &Path) -> io::Result<Option<PathBuf>> {
    if fs::metadata(database).map_or(0, |metadata| metadata.len()) == 0 {
        return Ok(None);
    }
    let free = (1..).map(|n| data_dir.join(format!("before-restore-{n}"))).find(|place| !place.exists());
    let place = free.ok_or_else(|| io::Error::other("no name is free for the present database"))?;
    fs::create_dir(&place)?;
    for suffix in ["", "-wal", "-shm"] {
        let name = format!("{DATABASE}{suffix}");
        match fs::rename(data_dir.join(&name), place.join(&name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(Some(place))
}

fn check(backup: &Path) -> Result<(), RestoreError> {
    let unusable = |source| RestoreError::Backup { path: backup.to_owned(), source };
    let connection = Connection::open_with_flags(backup, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(|error| unusable(error.into()))?;
    if schema::check(&connection).map_err(unusable)? == 0 {
        return Err(unusable(SchemaError::Foreign));
    }
    let finding: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|error| unusable(error.into()))?;
    if finding == "ok" { Ok(()) } else { Err(RestoreError::Damaged { path: backup.to_owned(), finding }) }
}
