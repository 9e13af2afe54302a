//! What is not ours, found or installed: Python with others' clients, Node with others' clients, and `openssl`.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use northgate_testkit::venv::venv;

/// Where the clients and the lists of their packages are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/standards")
}

/// Python with the packages of `requirements.txt`.
pub fn python() -> PathBuf {
    venv("standards", &folder().join("requirements.txt"))
}

/// Node, which is one of those packages.
pub fn node() -> PathBuf {
    python().with_file_name("node")
}

/// The folder `node_modules` with the packages of `package-lock.json`, made once for each text of it.
pub fn node_modules() -> PathBuf {
    let npm = python().with_file_name("npm");
    let lists =
        ["package.json", "package-lock.json"].map(|name| (name, std::fs::read(folder().join(name)).unwrap()));
    let mut hasher = DefaultHasher::new();
    lists.hash(&mut hasher);
    let temporary = northgate_testkit::cache();
    let home = temporary.join(format!("npm-standards-{:016x}", hasher.finish()));
    let turn = File::create(temporary.join("npm.lock")).unwrap();
    turn.lock().unwrap();
    if !home.join("finished").exists() {
        std::fs::create_dir_all(&home).unwrap();
        for (name, text) in lists {
            std::fs::write(home.join(name), text).unwrap();
        }
        let mut install = Command::new(npm);
        install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&home);
        let output = install.output().unwrap();
        assert!(output.status.success(), "`npm ci` failed: {output:?}");
        File::create(home.join("finished")).unwrap();
    }
    home.join("node_modules")
}

/// `openssl`, of the Debian package of that name.
pub fn openssl() -> PathBuf {
    northgate_testkit::packages::debian("openssl")
}
