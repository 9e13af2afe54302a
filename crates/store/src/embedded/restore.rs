//! Restore: replaces the database by a backup, while no server runs.
//!
//! The backup is copied into the data directory first, and the copy is loaded as at a start. Only after that is the present
//! database touched.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::libc::O_NOFOLLOW;
use rusqlite::{Connection, OptionalExtension};

use super::Memory;
use super::data_dir::{self, DATABASE, DataDirError};
use super::load::{self, OpenError};
use super::permissions::give_to_owner_of;
use super::room::{NoRoom, check_room};
use super::schema::{self, SchemaError};

/// The most applications that may have been created since the backup.
const SKIPPED_NUMBERS: u32 = 1_000_000;

/// Room beside the copy of the backup, in bytes: the WAL of its migration.
const MIGRATION_ROOM: u64 = 1 << 20;

/// Suffixes of the files that SQLite puts beside a database file.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Suffixes of the files that are moved away with the present database.
const KEPT: [&str; 3] = ["", "-wal", "-shm"];

/// Reason why a backup was not restored; the data directory is as before.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error("cannot use the backup {}", .path.display())]
    Backup {
        path: PathBuf,
        #[source]
        source: BackupError,
    },
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
    #[error("cannot put the backup in place: writing {} failed", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Reason why a file is not a backup with which a server could start.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("it cannot be read")]
    Unreadable(#[source] io::Error),
    #[error("it is empty")]
    Empty,
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error("SQLite cannot read it")]
    Sqlite(#[from] rusqlite::Error),
    #[error("it is damaged: {0}")]
    Damaged(String),
    #[error(transparent)]
    Content(#[from] OpenError),
    #[error("its journal has {found} rows from {first} to {last}: some are missing")]
    Journal { found: i64, first: i64, last: i64 },
    #[error(
        "its highest application number is {0}, after which too few are left: numbers are never given twice, and {SKIPPED_NUMBERS} \
         are skipped after a restore"
    )]
    Numbers(i64),
}

/// Replaces the database in `data_dir` by a backup, while no server uses it. Returns the new path of the previous database, if
/// there was one.
pub fn restore(data_dir: &Path, backup: &Path) -> Result<Option<PathBuf>, RestoreError> {
    let _lock = data_dir::lock(data_dir)?;
    let incoming = Incoming::copy(data_dir, backup)?;
    incoming.prepare().map_err(|source| RestoreError::Backup { path: backup.to_owned(), source })?;
    incoming.sync().map_err(at(&incoming.path))?;
    let database = data_dir.join(DATABASE);
    let kept = set_aside(data_dir, &database)?;
    if let Err(source) = fs::rename(&incoming.path, &database) {
        if let Some(place) = &kept {
            put_back(data_dir, place);
        }
        return Err(RestoreError::Io { path: database, source });
    }
    File::open(data_dir).and_then(|directory| directory.sync_all()).map_err(at(data_dir))?;
    Ok(kept)
}

/// An error of this file.
fn at(path: &Path) -> impl Fn(io::Error) -> RestoreError {
    move |source| RestoreError::Io { path: path.to_owned(), source }
}

/// The copy of a backup in the data directory. Dropped before it has its name, it leaves nothing behind.
struct Incoming {
    path: PathBuf,
}

impl Incoming {
    /// Copies the backup, with the WAL beside it where the files of a database were copied.
    fn copy(data_dir: &Path, backup: &Path) -> Result<Incoming, RestoreError> {
        let incoming = Incoming { path: data_dir.join(format!("{DATABASE}.incoming")) };
        // Left by a restore that was killed.
        incoming.remove();
        let sources = open(backup)?;
        let needed = sources.iter().map(|(_, _, length)| length).sum::<u64>() + MIGRATION_ROOM;
        check_room("the restored database, beside the present one,", data_dir, needed)?;
        for (suffix, source, _) in sources {
            let to = beside(&incoming.path, suffix);
            copy_private(source, &to, data_dir).map_err(at(&to))?;
        }
        Ok(incoming)
    }

    /// Loads all of it, migrates it to the present format, and skips numbers.
    fn prepare(&self) -> Result<(), BackupError> {
        if fs::metadata(&self.path).map_err(BackupError::Unreadable)?.len() == 0 {
            return Err(BackupError::Empty);
        }
        let mut connection = schema::connect(&self.path)?;
        if schema::check(&connection)? == 0 {
            return Err(SchemaError::Foreign.into());
        }
        check_pages(&connection)?;
        schema::migrate(&mut connection)?;
        load::load(&connection, &Memory::default())?;
        check_journal(&connection)?;
        skip_numbers(&connection)?;
        schema::empty_wal(&connection)?;
        connection.close().map_err(|(_, error)| error)?;
        Ok(())
    }

    /// Makes it durable as one file; its WAL is empty by now.
    fn sync(&self) -> io::Result<()> {
        BESIDE.iter().for_each(|suffix| drop(fs::remove_file(beside(&self.path, suffix))));
        File::open(&self.path)?.sync_all()
    }

    fn remove(&self) {
        // They do not exist, or the next restore overwrites them.
        let _ = fs::remove_file(&self.path);
        BESIDE.iter().for_each(|suffix| drop(fs::remove_file(beside(&self.path, suffix))));
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.remove();
    }
}

/// The files of a backup: their suffixes, and their lengths in bytes.
fn open(backup: &Path) -> Result<Vec<(&'static str, File, u64)>, RestoreError> {
    let mut opened = Vec::new();
    for suffix in ["", "-wal"] {
        let path = beside(backup, suffix);
        let unreadable =
            |error| RestoreError::Backup { path: path.clone(), source: BackupError::Unreadable(error) };
        let file = match File::open(&path) {
            Err(error) if !suffix.is_empty() && error.kind() == io::ErrorKind::NotFound => continue,
            file => file.map_err(unreadable)?,
        };
        let found = file.metadata().map_err(unreadable)?;
        if !found.is_file() {
            return Err(unreadable(io::Error::other("it is not a regular file")));
        }
        opened.push((suffix, file, found.len()));
    }
    Ok(opened)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

fn copy_private(mut source: File, to: &Path, data_dir: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).custom_flags(O_NOFOLLOW).open(to)?;
    give_to_owner_of(data_dir, &file)?;
    io::copy(&mut source, &mut file).map(drop)
}

fn check_pages(connection: &Connection) -> Result<(), BackupError> {
    let finding: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if finding != "ok" {
        return Err(BackupError::Damaged(finding));
    }
    let orphan = connection
        .query_row("PRAGMA foreign_key_check", [], |row| Ok((row.get(0)?, row.get(2)?)))
        .optional()?;
    match orphan {
        None => Ok(()),
        Some((table, parent)) => {
            let (table, parent): (String, String) = (table, parent);
            Err(BackupError::Damaged(format!("a row of table {table} belongs to no row of table {parent}")))
        }
    }
}

/// Commits number their rows consecutively, and rows are deleted from the front.
fn check_journal(connection: &Connection) -> Result<(), BackupError> {
    let extent = "SELECT count(*), ifnull(min(batch), 1), ifnull(max(batch), 0) FROM journal";
    let (found, first, last) =
        connection.query_row(extent, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    if first < 1 || found != last - first + 1 {
        return Err(BackupError::Journal { found, first, last });
    }
    Ok(())
}

/// After a restore, internal application numbers skip 1,000,000, so that none is reused: tokens carry them, and an application
/// that was created after the backup has live tokens.
fn skip_numbers(connection: &Connection) -> Result<(), BackupError> {
    let highest = "SELECT max(ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'applications'), 0),
                   ifnull((SELECT max(number) FROM applications), 0), ifnull((SELECT max(application) FROM grants), 0))";
    let highest: i64 = connection.query_row(highest, [], |row| row.get(0))?;
    let next = highest.checked_add(i64::from(SKIPPED_NUMBERS)).filter(|next| *next < i64::from(u32::MAX));
    let next = next.ok_or(BackupError::Numbers(highest))?;
    // The row does not exist before the first application.
    connection.execute("DELETE FROM sqlite_sequence WHERE name = 'applications'", [])?;
    connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('applications', ?)", [next])?;
    Ok(())
}

/// Moves the present database away with its WAL, which holds part of it; all of it, or nothing.
fn set_aside(data_dir: &Path, database: &Path) -> Result<Option<PathBuf>, RestoreError> {
    if fs::metadata(database).map_or(0, |metadata| metadata.len()) == 0 {
        return Ok(None);
    }
    let free = (1..).map(|n| data_dir.join(format!("before-restore-{n}"))).find(|place| !place.exists());
    let free = free.ok_or_else(|| io::Error::other("no name is free for the present database"));
    let place = free.map_err(at(data_dir))?;
    DirBuilder::new().mode(0o700).create(&place).map_err(at(&place))?;
    File::open(&place).and_then(|opened| give_to_owner_of(data_dir, &opened)).map_err(at(&place))?;
    for suffix in KEPT {
        let name = format!("{DATABASE}{suffix}");
        match fs::rename(data_dir.join(&name), place.join(&name)) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                put_back(data_dir, &place);
                return Err(RestoreError::Io { path: place.join(&name), source });
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(Some(place))
}

/// Undoes [`set_aside`]. A file that cannot be moved back stays in `place`, where the operator finds it.
fn put_back(data_dir: &Path, place: &Path) {
    for suffix in KEPT {
        let name = format!("{DATABASE}{suffix}");
        let _ = fs::rename(place.join(&name), data_dir.join(&name));
    }
    // It stays if it is not empty.
    let _ = fs::remove_dir(place);
}
