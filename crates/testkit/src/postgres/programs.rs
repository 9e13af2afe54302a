//! The programs of PostgreSQL: found or installed, and run by a user other than root.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::packages;

/// A folder for each version that is installed.
const VERSIONS: &str = "/usr/lib/postgresql";

/// PostgreSQL refuses to run as root.
pub fn as_nobody_special(dir: &Path) -> Command {
    let whoami = Command::new("id").arg("-u").output().unwrap();
    if whoami.stdout.trim_ascii() != b"0" {
        return Command::new("env");
    }
    assert!(Command::new("chown").args(["-R", "postgres"]).arg(dir).status().unwrap().success());
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    command
}

/// Names another directory with `initdb` and `postgres`, for a test of another version: `tests/postgres-versions/run`.
const OTHER: &str = "NORTHGATE_TEST_POSTGRES";

/// The directory of the server's programs: of the version under test.
pub fn programs() -> PathBuf {
    // A test has no configuration to take it from.
    #[allow(clippy::disallowed_methods)]
    let other = std::env::var_os(OTHER);
    other.map_or_else(debian_programs, PathBuf::from)
}

/// The programs of Debian's version, which are installed where they are missing. Its clients work with every version.
pub fn debian_programs() -> PathBuf {
    packages::debian_package("postgresql", VERSIONS);
    find().expect("the package postgresql has the programs of a server")
}

fn find() -> Option<PathBuf> {
    let versions = std::fs::read_dir(VERSIONS).ok()?;
    let mut found: Vec<PathBuf> = versions
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|programs| programs.join("initdb").exists())
        .collect();
    found.sort();
    found.pop()
}
