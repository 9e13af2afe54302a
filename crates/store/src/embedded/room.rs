//! Free room on a volume, checked before a copy of the database is written to it.

use std::path::{Path, PathBuf};

use super::volume::Volume;

/// The volume cannot take a file of this size.
#[derive(Debug, thiserror::Error)]
#[error(
    "{purpose} needs {} KiB in {}, whose volume has {} KiB free: free {} KiB there, or use another volume",
    kibibytes(*.needed), .directory.display(), .free / 1024, kibibytes(.needed - .free)
)]
pub struct NoRoom {
    purpose: &'static str,
    directory: PathBuf,
    /// In bytes.
    needed: u64,
    /// In bytes, never more than `needed`.
    free: u64,
}

/// Rounded up: freeing that much is enough.
fn kibibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1024)
}

/// Checks that the volume of `directory` has `needed` bytes free. The check saves a wait; it reserves nothing. A volume of
/// unknown size passes.
pub fn check_room(purpose: &'static str, directory: &Path, needed: u64) -> Result<(), NoRoom> {
    match Volume::of(directory) {
        Ok(Volume { size_bytes: 1.., available_bytes: free }) if free < needed => {
            Err(NoRoom { purpose, directory: directory.to_owned(), needed, free })
        }
        // Writing to the directory names what is wrong with it.
        Ok(_) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_does_not_fit_is_refused_with_what_it_needs_and_what_is_free() {
        let dir = tempfile::tempdir().unwrap();
        check_room("a file", dir.path(), 1).unwrap();
        let said = check_room("a file", dir.path(), u64::MAX).unwrap_err().to_string();
        assert!(said.starts_with("a file needs 18014398509481984 KiB in /"), "{said}");
        assert!(said.contains(" KiB free: free "), "{said}");
    }

    #[test]
    fn a_directory_that_is_not_there_is_left_to_the_writer() {
        check_room("a file", Path::new("/nowhere/at/all"), u64::MAX).unwrap();
    }
}
