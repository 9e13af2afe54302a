//! The volume (file system) of the data directory.

use std::io;
use std::path::Path;

use nix::sys::statvfs::statvfs;

/// Size and room of a volume. Both are 0 on file systems that state neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    pub size_bytes: u64,
    /// What this process may still write: without the blocks that the file system keeps for root.
    pub available_bytes: u64,
}

impl Volume {
    /// The volume that `path` is on (statvfs(3)).
    ///
    /// # Errors
    /// The operating system's, for instance where `path` is missing.
    pub fn of(path: &Path) -> io::Result<Volume> {
        let found = statvfs(path)?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.fragment_size() as u64);
        Ok(Volume {
            size_bytes: bytes(found.blocks() as u64),
            available_bytes: bytes(found.blocks_available() as u64),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_available_bytes_are_a_part_of_the_size_and_a_missing_directory_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let volume = Volume::of(dir.path()).unwrap();
        assert!(volume.available_bytes <= volume.size_bytes, "{volume:?}");
        assert!(volume.size_bytes > 0);
        assert!(Volume::of(&dir.path().join("missing")).is_err());
    }
}
