//! The data directory: made for us alone, and used by one process at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The database file in the data directory.
pub const DATABASE: &str = "northgate.db";
const LOCK: &str = "northgate.lock";

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    #[error(
        "the data directory {} is in use by the process {owner}: stop it first, or give this one another --data-dir",
        .path.display()
    )]
    InUse { path: PathBuf, owner: String },
    #[error("cannot use the data directory {}", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Holds the data directory; the operating system lets go of it when the process ends, however it ends.
pub(crate) struct Lock {
    _file: File,
}

/// Makes the directory where it is missing (mode 0700) and takes hold of it.
pub(crate) fn lock(path: &Path) -> Result<Lock, DataDirError> {
    let io = |source| DataDirError::Io { path: path.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
    let open = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path.join(LOCK));
    let mut file = open.map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // Who it is helps, but is not needed.
            let _ = file.read_to_string(&mut owner);
            return Err(DataDirError::InUse { path: path.to_owned(), owner: owner.trim().to_owned() });
        }
        Err(TryLockError::Error(source)) => return Err(io(source)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(io)?;
    make_private(&path.join(DATABASE)).map_err(io)?;
    Ok(Lock { _file: file })
}

/// SQLite gives its other files the mode of the database file, which it would make readable to all.
fn make_private(database: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(database).map(drop)
}
