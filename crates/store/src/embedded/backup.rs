//! Backup: a consistent copy of the live database.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::O_NOFOLLOW;
use rusqlite::Connection;

use super::data_dir::Lock;
use super::identity::Lost;
use super::room::{NoRoom, check_room};
use super::schema;

/// Reason why a backup was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error("SQLite could not copy the database")]
    Sqlite(#[from] rusqlite::Error),
    #[error("could not write the copy")]
    Io(#[from] io::Error),
    #[error("the volume is too full for a copy")]
    NoRoom(#[from] NoRoom),
    #[error(transparent)]
    Lost(#[from] Lost),
}

/// Writes a consistent, compact copy to the new file `to` (mode 0600), and makes it durable.
pub(crate) fn copy(directory: &Lock, to: &Path) -> Result<(), CopyError> {
    // SQLite opens the file by its path: it must be the file that is served.
    directory.identity().check_database()?;
    let connection = schema::connect(directory.database_path())?;
    directory.identity().check_database()?;
    if let Some(place) = to.parent() {
        check_room("a copy of the database", place, copied_size(&connection)?)?;
    }
    // SQLite fills an empty file and keeps its mode.
    let file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(O_NOFOLLOW).open(to)?;
    // One read transaction: it sees one moment, and delays no writer.
    connection.execute("VACUUM INTO ?", [to.to_string_lossy()])?;
    Ok(file.sync_all()?)
}

/// The bytes of a copy at most: all pages but the unused ones, which `VACUUM INTO` leaves out.
fn copied_size(connection: &Connection) -> Result<u64, rusqlite::Error> {
    let used = "SELECT (SELECT page_count FROM pragma_page_count) - (SELECT freelist_count FROM pragma_freelist_count)";
    let pages: u64 = connection.query_row(used, [], |row| row.get(0))?;
    let size: u64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    Ok(pages * size)
}
