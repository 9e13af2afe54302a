//! A file system of a given size, so that a disk can be full.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// For two databases of a campaign with the WAL that they keep, and then some.
const SIZE_MIB: u64 = 2048;

/// Mounted in memory; unmounted when dropped.
pub struct Volume {
    path: PathBuf,
}

impl Volume {
    /// Mounts it at `path`, which is created. Only root may.
    pub fn mount(path: &Path) -> Volume {
        fs::create_dir(path).unwrap();
        let options = format!("size={SIZE_MIB}m");
        let output =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(path).output().unwrap();
        let reason = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "no file system can be mounted here, which needs root: {reason}");
        Volume { path: path.to_owned() }
    }

    /// Takes all room that is left.
    pub fn fill(&self) {
        let file = self.path.join("filler");
        File::create(&file).unwrap();
        for size in ["1G", "100M", "10M", "1M", "64K", "4K"] {
            let take = |offset: u64| {
                let mut fallocate = Command::new("fallocate");
                fallocate.args(["-o", &offset.to_string(), "-l", size]).arg(&file);
                fallocate.output().unwrap().status.success()
            };
            while take(fs::metadata(&file).unwrap().len()) {}
        }
    }

    /// Gives the room back.
    pub fn free(&self) {
        fs::remove_file(self.path.join("filler")).unwrap();
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Lazily, since a server that was just killed may still hold it.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}
