//! Builds `fault_shim.c`, puts it under a child, and tells it which calls are to fail.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::{cache, repository};

/// Calls, as bits of `Plan::calls`.
pub const WRITE: u32 = 1;
pub const SYNC: u32 = 2;
pub const TRUNCATE: u32 = 4;
pub const UNLINK: u32 = 8;
pub const OPEN: u32 = 16;
/// An open that makes a file.
pub const CREATE: u32 = 32;
/// A write beyond the end of a file.
pub const GROW: u32 = 64;
/// A file is mapped into memory.
pub const MAP: u32 = 128;

/// Files, as bits of `Plan::files`.
pub const DATABASE: u32 = 1;
pub const WAL: u32 = 2;
/// Any other file of the store.
pub const BESIDE: u32 = 4;

/// What happens to a call: one of these, or it fails with an errno.
pub const EIO: u32 = 5;
pub const ENOSPC: u32 = 28;
/// The process dies in the call; of a write the first half is done.
pub const TEAR: u32 = 1001;
/// The call does not return until the plan is cleared, as on a file system whose server has gone away. The tests of the server
/// use it, which share this file.
pub const HANG: u32 = 1002;

pub const ALWAYS: u32 = u32::MAX;

/// Which calls go wrong, and how.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub calls: u32,
    pub files: u32,
    pub action: u32,
    /// The first one, from 1.
    pub from: u32,
    /// How many from there.
    pub times: u32,
}

/// The faults of one child.
pub struct Shim {
    directory: tempfile::TempDir,
    plan: File,
}

impl Shim {
    pub fn prepare() -> Shim {
        let directory = tempfile::tempdir().unwrap();
        let open =
            OpenOptions::new().read(true).write(true).create_new(true).open(directory.path().join("plan"));
        let plan = open.unwrap();
        plan.set_len(24).unwrap();
        Shim { directory, plan }
    }

    pub fn put_under(&self, child: &mut Command) {
        child.env("LD_PRELOAD", library()).env("NORTHGATE_FAULTS", self.directory.path());
    }

    /// From now on; counting begins anew.
    pub fn inject(&self, plan: Plan) {
        self.clear();
        let words = [plan.calls, plan.files, plan.action, plan.from, plan.times, 0];
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        // The calls last: without them nothing is counted.
        self.plan.write_all_at(&bytes[4..], 4).unwrap();
        self.plan.write_all_at(&bytes[..4], 0).unwrap();
    }

    pub fn clear(&self) {
        self.plan.write_all_at(&0_u32.to_ne_bytes(), 0).unwrap();
    }

    /// How many calls the plan has counted.
    pub fn seen(&self) -> u32 {
        let mut word = [0; 4];
        self.plan.read_exact_at(&mut word, 20).unwrap();
        u32::from_ne_bytes(word)
    }

    /// All calls on the database, in order.
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

/// The shim as a library, compiled once by each process.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let source = repository("crates/testkit/src/fault_shim.c");
        let build = cache();
        let (library, unfinished) =
            (build.join("shim.so"), build.join(format!("shim-{}", std::process::id())));
        let compiled =
            Command::new("cc").args(["-O1", "-shared", "-fPIC", "-o"]).arg(&unfinished).arg(source).status();
        assert!(compiled.unwrap().success(), "the shim does not compile");
        // Another process may be using the one that is there.
        fs::rename(unfinished, &library).unwrap();
        library
    })
}
