//! The programs of PostgreSQL: found or installed, and run by a user other than root.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

/// The directory of the server's programs, which are installed where they are missing.
pub fn programs() -> PathBuf {
    find().unwrap_or_else(|| {
        let _ = std::io::stderr().write_all(b"installing the package postgresql\n");
        let install = "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy postgresql";
        let _ = Command::new("sh").args(["-c", install]).stdout(Stdio::null()).status();
        find().expect("these tests need PostgreSQL: install the package postgresql (Debian, Ubuntu)")
    })
}

fn find() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut found: Vec<PathBuf> = versions
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .filter(|programs| programs.join("initdb").exists())
        .collect();
    found.sort();
    found.pop()
}
