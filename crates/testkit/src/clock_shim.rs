//! Builds `clock_shim.c`, which sets the clock of a child off by what a file holds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::{cache, repository};

/// The library for `LD_PRELOAD`. The variable `CLOCK_OFFSET` names the file with the offset: see [`set`].
pub fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let (source, library) =
            (repository("crates/testkit/src/clock_shim.c"), cache().join("clock_shim.so"));
        // Other test programs may build it, too: each gives it its name when it is complete.
        let built = cache().join(format!("clock_shim-{}.so", std::process::id()));
        let mut compile = Command::new("cc");
        let compiled = compile.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&built).arg(source).status();
        assert!(compiled.unwrap().success(), "clock_shim.c does not compile");
        fs::rename(built, &library).unwrap();
        library
    })
}

/// Sets the clocks of the processes with this file off by so much from now on.
pub fn set(file: &Path, offset_ms: i64) {
    use std::io::Write;
    // Written in place: the processes have mapped the file.
    let mut file = fs::OpenOptions::new().create(true).write(true).truncate(false).open(file).unwrap();
    file.write_all(&offset_ms.to_ne_bytes()).unwrap();
}
