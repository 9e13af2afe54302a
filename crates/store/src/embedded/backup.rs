//! Backup: a consistent copy of the live database.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::O_NOFOLLOW;

use super::data_dir::Lock;
use super::identity::Lost;
use super::schema;

/// Reason why a backup was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CopyError {
    #[error("SQLite could not copy the database")]
    Sqlite(#[from] rusqlite::Error),
    #[error("could not write the copy")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Lost(#[from] Lost),
}

/// Writes a consistent, compact copy to the new file `to` (mode 0600), and makes it durable.
pub(crate) fn copy(directory: &Lock, to: &Path) -> Result<(), CopyError> {
    // SQLite opens the file by its path: it must be the file that is served.
    directory.identity().check_database()?;
    let connection = schema::connect(directory.database_path())?;
    directory.identity().check_database()?;
    // SQLite fills an empty file and keeps its mode.
    let file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(O_NOFOLLOW).open(to)?;
    // One read transaction: it sees one moment, and delays no writer.
    connection.execute("VACUUM INTO ?", [to.to_string_lossy()])?;
    Ok(file.sync_all()?)
}
