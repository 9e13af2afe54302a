//! The data directory: private to one user, and locked by one process.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use super::contents::Contents;
use super::identity::{Identity, Inode, Lost};
use super::permissions::{self, ExposedError};
use super::volume::Volume;

/// The database file in the data directory.
pub const DATABASE: &str = "northgate.db";
const LOCK: &str = "northgate.lock";

/// The smallest volume that the database, its WAL and one copy for a backup fit on: docs/operating/data-directory.md.
const SMALLEST_VOLUME: u64 = 16 << 20;

/// The byte of the database file that is locked. SQLite locks others, far below it.
const LOCKED_BYTE: i64 = 1 << 62;

/// Reason why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    #[error(
        "the data directory {} is in use by {owner}: stop it first, or give this one another --data-dir",
        .path.display()
    )]
    InUse { path: PathBuf, owner: String },
    #[error(
        "the volume of the data directory {} has {} KiB, and Northgate needs {} KiB: use a larger volume",
        .path.display(), .bytes / 1024, SMALLEST_VOLUME / 1024
    )]
    TooSmall { path: PathBuf, bytes: u64 },
    #[error("{} is not a regular file: name the directory that holds the real one with --data-dir", .0.display())]
    NotAFile(PathBuf),
    #[error(transparent)]
    Exposed(#[from] ExposedError),
    #[error(
        "{} belongs to the user {owner}, and this process runs as the user {}: give it to that user with `chown`",
        .path.display(), nix::unistd::geteuid()
    )]
    Denied { path: PathBuf, owner: u32 },
    #[error("cannot open {}", .path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot use the data directory {}", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// The lock of the data directory; the operating system releases it when the process ends, however it ends.
///
/// The lock that counts is on the database file itself: it moves with the file, and no process can take it away. The lock file
/// names the process, and keeps out versions that know no other lock.
pub(crate) struct Lock {
    file: File,
    database: Contents,
    identity: Identity,
}

/// Unlocks explicitly: a process that another thread starts meanwhile has the files open too, until it runs its program.
impl Drop for Lock {
    fn drop(&mut self) {
        // Both fail only where no lock is held.
        let _ = lock_byte(self.database.file(), libc::F_UNLCK);
        let _ = self.file.unlock();
    }
}

impl Lock {
    /// The identity of the opened database file.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The path of the database file.
    pub fn database_path(&self) -> &Path {
        self.identity.database()
    }

    /// The detection of foreign writes, through which checkpoints run.
    pub fn contents(&self) -> &Contents {
        &self.database
    }

    /// Checks that the paths still lead to the opened files, and that no other program has written to the database.
    pub fn check(&self, files: &Identity) -> Result<(), Lost> {
        files.check_database()?;
        if self.database.are_foreign() {
            return Err(Lost::Overwritten(self.database_path().to_owned()));
        }
        files.check_wal()
    }
}

/// Creates the directory if it is missing (mode 0700), makes it private, and locks it.
pub(crate) fn lock(path: &Path) -> Result<Lock, DataDirError> {
    let io = |source| DataDirError::Io { path: path.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
    check_volume(path)?;
    permissions::make_private(path)?;
    let mut file = create(&path.join(LOCK), path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // The process number helps the operator, but is not needed.
            let _ = file.read_to_string(&mut owner);
            return Err(in_use(path, format!("the process {}", owner.trim())));
        }
        Err(TryLockError::Error(source)) => return Err(io(source)),
    }
    // SQLite gives its other files the mode of the database file, which it would make readable to all.
    let database = create(&path.join(DATABASE), path)?;
    match lock_byte(&database, libc::F_WRLCK) {
        Ok(()) => {}
        Err(Errno::EAGAIN | Errno::EACCES) => {
            return Err(in_use(
                path,
                "another process, from which its northgate.lock was removed".to_owned(),
            ));
        }
        Err(error) => return Err(io(error.into())),
    }
    // In place and without a change of its length: on a full disk a file that shrinks finds no room to grow again. The process
    // number helps, but is not needed.
    let _ = file.write_all_at(format!("{:<10}\n", std::process::id()).as_bytes(), 0);
    let opened = Inode::of(&database.metadata().map_err(io)?);
    Ok(Lock { file, database: Contents::of(database), identity: Identity::new(path.join(DATABASE), opened) })
}

fn in_use(path: &Path, owner: String) -> DataDirError {
    DataDirError::InUse { path: path.to_owned(), owner }
}

/// Opens a file of the data directory, private and never through a symbolic link.
fn create(file: &Path, directory: &Path) -> Result<File, DataDirError> {
    let io = |source| unopened(file, directory, source);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let opened = match options.open(file) {
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return Err(DataDirError::NotAFile(file.to_owned()));
        }
        opened => opened.map_err(io)?,
    };
    if !opened.metadata().map_err(io)?.is_file() {
        return Err(DataDirError::NotAFile(file.to_owned()));
    }
    permissions::give_to_owner_of(directory, &opened).map_err(io)?;
    Ok(opened)
}

/// Names the file or directory that keeps this user from opening `file`, if it belongs to another user.
fn unopened(file: &Path, directory: &Path, source: io::Error) -> DataDirError {
    let us = nix::unistd::geteuid().as_raw();
    let foreign = [file, directory].into_iter().find_map(|path| {
        let owner = path.symlink_metadata().ok()?.uid();
        (owner != us).then(|| DataDirError::Denied { path: path.to_owned(), owner })
    });
    match foreign {
        Some(denied) if source.kind() == io::ErrorKind::PermissionDenied => denied,
        _ => DataDirError::File { path: file.to_owned(), source },
    }
}

/// Rejects a volume on which the first hours end in a full disk. A volume of unknown size passes.
fn check_volume(path: &Path) -> Result<(), DataDirError> {
    let volume = Volume::of(path).map_err(|source| DataDirError::Io { path: path.to_owned(), source })?;
    match volume.size_bytes {
        0 | SMALLEST_VOLUME.. => Ok(()),
        bytes => Err(DataDirError::TooSmall { path: path.to_owned(), bytes }),
    }
}

/// A lock of the open file, not of the process: closing another descriptor of the file does not release it.
fn lock_byte(file: &File, kind: libc::c_int) -> Result<(), Errno> {
    let lock = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: LOCKED_BYTE,
        l_len: 1,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_OFD_SETLK(&lock)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// The copies stand for the descriptors that a child has between fork and exec.
    #[test]
    fn a_directory_that_is_let_go_is_free_at_once_while_a_child_still_has_its_files_open() {
        let dir = tempfile::tempdir().unwrap();
        let held = lock(dir.path()).unwrap();
        let _of_the_child = (held.file.try_clone().unwrap(), held.database.file().try_clone().unwrap());
        assert!(matches!(lock(dir.path()), Err(DataDirError::InUse { .. })));
        drop(held);
        assert!(lock(dir.path()).is_ok());
    }

    /// Regression: the lock was on a file beside the database. Without that file a second server started, and one refresh token
    /// got two successors.
    #[test]
    fn the_lock_moves_with_the_database_and_outlives_the_lock_file() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let _held = lock(dir.path()).unwrap();
        fs::remove_file(dir.path().join(LOCK)).unwrap();
        assert!(matches!(lock(dir.path()), Err(DataDirError::InUse { .. })));
        fs::rename(dir.path().join(DATABASE), other.path().join(DATABASE)).unwrap();
        assert!(matches!(lock(other.path()), Err(DataDirError::InUse { .. })));
    }

    #[test]
    fn no_file_is_created_or_opened_through_a_symbolic_link() {
        for name in [LOCK, DATABASE] {
            let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let target = elsewhere.path().join("target");
            symlink(&target, dir.path().join(name)).unwrap();
            let refusal = lock(dir.path()).err().unwrap().to_string();
            assert!(refusal.contains(name) && refusal.contains("is not a regular file"), "{refusal}");
            assert!(!target.exists());
        }
    }

    #[test]
    fn a_pipe_in_the_place_of_a_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let made = std::process::Command::new("mkfifo").arg(dir.path().join(LOCK)).status();
        assert!(made.unwrap().success());
        assert!(matches!(lock(dir.path()), Err(DataDirError::NotAFile(_))));
    }

    #[test]
    fn a_directory_and_files_that_others_can_use_are_made_private() {
        let dir = tempfile::tempdir().unwrap();
        drop(lock(dir.path()).unwrap());
        let (database, lock_file) = (dir.path().join(DATABASE), dir.path().join(LOCK));
        fs::create_dir(dir.path().join("before-restore-1")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let open_up =
            |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        for exposed in [0o777, 0o750, 0o701] {
            open_up(dir.path(), exposed);
            open_up(&dir.path().join("before-restore-1"), exposed);
            open_up(&database, exposed & 0o666);
            open_up(&lock_file, exposed & 0o666);
            drop(lock(dir.path()).unwrap());
            assert_eq!((mode(dir.path()), mode(&dir.path().join("before-restore-1"))), (0o700, 0o700));
            assert_eq!((mode(&database), mode(&lock_file)), (0o600, 0o600));
        }
    }
}
