//! A Python with packages from PyPI for a test, kept beside what cargo builds.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{cache, packages};

/// Debian's, which has a package for each of its parts.
const PYTHON: &str = "/usr/bin/python3";

/// The Python of an environment that has what the file `requirements` lists, which names every version, also those of
/// what its packages need. It is made once for each text of that file.
pub fn venv(name: &str, requirements: &Path) -> PathBuf {
    let text = std::fs::read(requirements).unwrap_or_else(|error| panic!("{requirements:?}: {error}"));
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let folder = cache().join(format!("venv-{name}-{:016x}", hasher.finish()));
    // Two tests make it one after the other, also those of two programs; package managers want that as well.
    let turn = File::create(cache().join("venv.lock")).unwrap();
    turn.lock().unwrap();
    let (python, finished) = (folder.join("bin/python"), folder.join("finished"));
    if !finished.exists() {
        let _ = std::fs::remove_dir_all(&folder);
        install_python();
        run(Command::new(PYTHON).args(["-m", "venv"]).arg(&folder));
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"]);
        run(pip.arg(requirements));
        File::create(finished).unwrap();
    }
    python
}

/// Where it is missing, as root.
fn install_python() {
    let mut has_venv = Command::new(PYTHON);
    has_venv.args(["-c", "import ensurepip, venv"]);
    if has_venv.output().is_ok_and(|output| output.status.success()) {
        return;
    }
    packages::debian_package("python3-venv", "/usr/share/doc/python3-venv");
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let heard = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed, install what it needs: {heard}");
}
