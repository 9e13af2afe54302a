//! Owners and modes of the data directory and its files: private to one user.

use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, getegid, geteuid, getgroups};

/// Reason why a data directory is not private and cannot be made so.
#[derive(Debug, thiserror::Error)]
pub enum ExposedError {
    #[error(
        "{} belongs to the user {owner}, who can read and replace what is in it: give it to the user of this process \
         with `chown`, or use another --data-dir",
        .path.display()
    )]
    ForeignOwner { path: PathBuf, owner: u32 },
    #[error(
        "others can use the directory {} (its mode is {mode:03o}), and it is not Northgate's alone: make a directory in \
         it for this server, and name that one with --data-dir",
        .path.display()
    )]
    Shared { path: PathBuf, mode: u32 },
    #[error("{} is open to others (its mode is {mode:03o}) and cannot be made private", .path.display())]
    Fixed {
        path: PathBuf,
        mode: u32,
        #[source]
        source: io::Error,
    },
    #[error("cannot look at {}", .path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Prefixes of the files and directories that this crate makes in a data directory. Secrets are not among them: the reader of the
/// keyring refuses an exposed one, since hiding it afterwards would not help.
const OURS: [&str; 4] = ["northgate.db", "northgate.lock", "backup.tmp", "before-restore-"];

/// One of these shows that a directory is a data directory.
const SIGNS: [&str; 5] = ["northgate.db", "northgate.lock", "keyring.toml", "keyring.key", "admin-token"];

const STICKY: u32 = 0o1000;

/// Removes the rights of group and others from the directory and our files in it, and logs it.
pub fn make_private(directory: &Path) -> Result<(), ExposedError> {
    let io = |source| ExposedError::Io { path: directory.to_owned(), source };
    let found = fs::metadata(directory).map_err(io)?;
    check_owner(directory, &found, None)?;
    let is_ours = geteuid().is_root() || found.uid() == geteuid().as_raw();
    if !is_ours {
        check_shared(directory, &found)?;
    } else if found.mode() & 0o077 != 0 {
        check_purpose(directory, &found)?;
        close(directory, &found)?;
    }
    for entry in fs::read_dir(directory).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name();
        if !OURS.iter().any(|ours| name.as_encoded_bytes().starts_with(ours.as_bytes())) {
            continue;
        }
        // Not the target of a symbolic link: opening a link is refused.
        let found_in_it = match entry.metadata() {
            // Removed in the meantime.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            found_in_it => found_in_it.map_err(io)?,
        };
        if found_in_it.is_symlink() {
            continue;
        }
        check_owner(&entry.path(), &found_in_it, Some(&found))?;
        close(&entry.path(), &found_in_it)?;
    }
    Ok(())
}

/// The owner must be this user or root; for root, the owner of the directory as well.
fn check_owner(path: &Path, found: &Metadata, directory: Option<&Metadata>) -> Result<(), ExposedError> {
    let us = geteuid();
    let is_trusted = match directory {
        None => us.is_root(),
        Some(directory) => us.is_root() && found.uid() == directory.uid(),
    };
    if is_trusted || found.uid() == us.as_raw() || found.uid() == Uid::from_raw(0).as_raw() {
        return Ok(());
    }
    Err(ExposedError::ForeignOwner { path: path.to_owned(), owner: found.uid() })
}

/// A volume of Kubernetes belongs to root and to a group of the process, which may write to it.
fn check_shared(directory: &Path, found: &Metadata) -> Result<(), ExposedError> {
    let mode = found.mode() & 0o777;
    if mode & 0o002 != 0 || (mode & 0o020 != 0 && !is_own_group(found.gid())) {
        return Err(ExposedError::Shared { path: directory.to_owned(), mode });
    }
    Ok(())
}

/// Refuses a directory with files of others, such as `/tmp` or a home: making it private would lock them out.
fn check_purpose(directory: &Path, found: &Metadata) -> Result<(), ExposedError> {
    let io = |source| ExposedError::Io { path: directory.to_owned(), source };
    let is_empty = fs::read_dir(directory).map_err(io)?.next().is_none();
    let is_a_data_dir = is_empty || SIGNS.iter().any(|sign| directory.join(sign).symlink_metadata().is_ok());
    if found.mode() & STICKY == 0 && is_a_data_dir {
        return Ok(());
    }
    Err(ExposedError::Shared { path: directory.to_owned(), mode: found.mode() & 0o777 })
}

/// Whether this process is in the group, which may be one of its supplementary groups.
pub fn is_own_group(group: u32) -> bool {
    let others = getgroups().unwrap_or_default();
    getegid().as_raw() == group || others.contains(&Gid::from_raw(group))
}

fn close(path: &Path, found: &Metadata) -> Result<(), ExposedError> {
    let mode = found.mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode & !0o077))
        .map_err(|source| ExposedError::Fixed { path: path.to_owned(), mode: mode & 0o777, source })?;
    tracing::warn!(
        path = %path.display(),
        mode = format!("{:03o}", mode & 0o777),
        "other users had rights on this part of the data directory; they were removed"
    );
    Ok(())
}

/// Gives a file that root creates to the owner of `like`: the file that it replaces, or the directory that it lies in. The server
/// of that user has to open it.
pub fn give_to_owner_of(like: &Path, file: &File) -> io::Result<()> {
    let owner = fs::metadata(like)?;
    if geteuid().is_root() && file.metadata()?.uid() != owner.uid() {
        fchown(file, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}
