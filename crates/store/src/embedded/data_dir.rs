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
    file: File,
}

/// Closing the file would not do: a process that another thread starts meanwhile has it open too, until it runs its program.
impl Drop for Lock {
    fn drop(&mut self) {
        // It fails only where there is nothing to let go of.
        let _ = self.file.unlock();
    }
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
    Ok(Lock { file })
}

/// SQLite gives its other files the mode of the database file, which it would make readable to all.
fn make_private(database: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(database).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The copy stands for the one that a child has between fork and exec.
    #[test]
    fn a_directory_that_is_let_go_is_free_at_once_while_a_child_still_has_its_file_open() {
        let dir = tempfile::tempdir().unwrap();
        let held = lock(dir.path()).unwrap();
        let _of_the_child = held.file.try_clone().unwrap();
        assert!(matches!(lock(dir.path()), Err(DataDirError::InUse { .. })));
        drop(held);
        assert!(lock(dir.path()).is_ok());
    }
}
