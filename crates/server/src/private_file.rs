//! Private files: readable by their owner only, and replaced atomically, so that a crash leaves the old content or the new one.
//!
//! A path that is a symbolic link stays one: the file that it points to is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use northgate_store::embedded::give_to_owner_of;

use crate::exposure;

/// The most symbolic links that Linux follows.
const LINKS_MAX: usize = 40;

/// Reason why a private file was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum PrivateFileError {
    #[error(
        "{} can be read by others (its mode is {mode:03o}); they may have its content. \
         Make it private with `chmod 600 {}`",
        path.display(), path.display()
    )]
    Exposed { path: PathBuf, mode: u32 },
    #[error("could not read {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("could not write {}", path.display())]
    Unwritable {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

/// The text of the file; `None` where it does not exist. Refused where users other than its owner can read it.
pub fn read(path: &Path) -> Result<Option<String>, PrivateFileError> {
    let unreadable = |cause| PrivateFileError::Unreadable { path: path.to_owned(), cause };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(unreadable(cause)),
    };
    if let Some(mode) = exposure::of(&file.metadata().map_err(unreadable)?) {
        return Err(PrivateFileError::Exposed { path: path.to_owned(), mode });
    }
    io::read_to_string(file).map(Some).map_err(unreadable)
}

/// Replaces the file's content by `text`; durable when this returns.
pub fn write(path: &Path, text: &str) -> Result<(), PrivateFileError> {
    let unwritable = |cause| PrivateFileError::Unwritable { path: path.to_owned(), cause };
    let mut draft = Draft::create(path).map_err(unwritable)?;
    draft.write(text.as_bytes()).map_err(unwritable)?;
    draft.publish().map_err(unwritable)
}

/// A file without its final name. Dropped before it is published, it is removed.
pub struct Draft {
    file: File,
    written_at: PathBuf,
    path: PathBuf,
}

impl Draft {
    /// Creates an empty draft beside the file that `path` leads to, mode 0600. The draft of a process that crashed is
    /// overwritten.
    pub fn create(path: &Path) -> Result<Draft, io::Error> {
        let path = target(path)?;
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".tmp");
        let written_at = path.with_file_name(name);
        match fs::remove_file(&written_at) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            Ok(()) | Err(_) => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&written_at)?;
        let like = if path.exists() { &path } else { directory_of(&path) };
        give_to_owner_of(like, &file)?;
        Ok(Draft { file, written_at, path })
    }

    /// The directory that the file lies in.
    pub fn directory(&self) -> &Path {
        directory_of(&self.path)
    }

    /// Appends to the draft.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), io::Error> {
        self.file.write_all(bytes)
    }

    /// Renames the draft to its final name, in place of the previous file; durable when this returns.
    pub fn publish(self) -> Result<(), io::Error> {
        self.file.sync_all()?;
        fs::rename(&self.written_at, &self.path)?;
        // The new name is durable once its directory is.
        File::open(directory_of(&self.path))?.sync_all()
    }
}

/// A path without a parent names a file in the working directory.
fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After publication the draft does not exist any more; before it, a failure has no remedy.
        let _ = fs::remove_file(&self.written_at);
    }
}

/// Removes the file that `path` leads to; a link to it stays, so that the next write goes to the same place.
pub fn remove(path: &Path) -> Result<(), io::Error> {
    fs::remove_file(target(path)?)
}

/// The file that `path` leads to through symbolic links; it need not exist. Renaming a draft over a link would replace the link
/// and leave the file on the other volume unchanged.
fn target(path: &Path) -> Result<PathBuf, io::Error> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        match fs::read_link(&path) {
            // A relative link starts at its own directory; an absolute one replaces the whole path.
            Ok(next) => path = path.parent().unwrap_or(Path::new("")).join(next),
            // It is a file, or does not exist yet.
            Err(cause) if matches!(cause.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotFound) => {
                return Ok(path);
            }
            Err(cause) => return Err(cause),
        }
    }
    Err(io::Error::other(
        "there are more symbolic links in a row than the system follows: they lead in a circle",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("the file").permissions().mode() & 0o777
    }

    #[test]
    fn a_private_file_is_written_for_its_owner_alone_and_leaves_no_draft() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        write(&path, "one").expect("written");
        write(&path, "two").expect("written again");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(read(&path).expect("read").as_deref(), Some("two"));
        assert_eq!(fs::read_dir(dir.path()).expect("the directory").count(), 1);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_what_to_do() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        write(&path, "one").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("mode");
        let sentence = read(&path).expect_err("exposed").to_string();
        assert!(sentence.contains("its mode is 644") && sentence.contains("chmod 600"), "{sentence}");
    }

    #[test]
    fn an_unpublished_draft_leaves_the_file_as_it_was() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        write(&path, "one").expect("written");
        let mut draft = Draft::create(&path).expect("a draft");
        draft.write(b"half").expect("written");
        drop(draft);
        assert_eq!(read(&path).expect("read").as_deref(), Some("one"));
        assert_eq!(fs::read_dir(dir.path()).expect("the directory").count(), 1);
    }

    #[test]
    fn a_file_that_is_not_there_is_no_error() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(matches!(read(&dir.path().join("file")), Ok(None)));
    }

    // Regression: a keyring.toml on another volume was a link; a rotation put a file in its place, and the volume kept the old
    // keys.
    #[test]
    fn a_link_stays_a_link_and_the_file_behind_it_is_written() {
        let (dir, volume) =
            (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("another"));
        let (link, file) = (dir.path().join("file"), volume.path().join("elsewhere"));
        symlink(&file, dir.path().join("second")).expect("a link");
        symlink("second", &link).expect("a relative link to a link");
        for text in ["one", "two"] {
            write(&link, text).expect("written");
            assert_eq!(fs::read_to_string(&file).expect("the file"), text);
            assert_eq!(fs::read_link(&link).expect("still a link"), Path::new("second"));
        }
        assert_eq!(mode(&file), 0o600);
        assert_eq!(fs::read_dir(volume.path()).expect("the volume").count(), 1);
        remove(&link).expect("removed");
        assert!(!file.exists() && fs::read_link(&link).is_ok());
    }

    // Kubernetes mounts a secret as file -> ..data/file and ..data -> ..2026_11_25, and replaces ..data.
    #[test]
    fn a_file_behind_a_linked_directory_is_written_where_the_directory_is() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("..2026_11_25")).expect("made");
        symlink("..2026_11_25", dir.path().join("..data")).expect("a link");
        symlink("..data/file", dir.path().join("file")).expect("a link");
        write(&dir.path().join("file"), "one").expect("written");
        let written = fs::read_to_string(dir.path().join("..2026_11_25/file")).expect("the file");
        assert_eq!(written, "one");
        assert_eq!(fs::read_link(dir.path().join("file")).expect("a link"), Path::new("..data/file"));
    }

    #[test]
    fn links_in_a_circle_are_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        symlink("file", &path).expect("a link to itself");
        assert!(write(&path, "one").is_err());
    }
}
