//! A data directory that is removed, moved or replaced under a server that runs.
//!
//! It went on answering into deleted files, and another server started beside it: one refresh token got two successors.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::child::Child;
use super::failing::{Trouble, until};
use northgate_testkit::fault_shim::Shim;

/// A server on `root/data`, which is a directory, and its promises.
struct Served {
    root: tempfile::TempDir,
    trouble: Trouble,
}

impl Served {
    fn prepare() -> Served {
        let trouble = Trouble::prepare();
        Served { root: tempfile::tempdir().unwrap(), trouble }
    }

    fn data(&self) -> &Path {
        self.trouble.data_dir.path()
    }

    fn database(&self) -> PathBuf {
        self.data().join("northgate.db")
    }

    fn wal(&self) -> PathBuf {
        self.data().join("northgate.db-wal")
    }

    fn elsewhere(&self) -> PathBuf {
        self.root.path().join("elsewhere")
    }

    /// The very next write is refused, before anybody looks; readers go on.
    fn refuses_writes(&mut self) {
        let Trouble { child, promises, .. } = &mut self.trouble;
        assert_eq!(promises.try_refresh(child, 0).unwrap(), ["unavailable"]);
        assert_eq!(promises.try_login(child).unwrap(), ["unavailable"]);
        assert_eq!(child.ask(&["lost"]).unwrap(), ["true"]);
        assert_eq!(child.ask(&["failing"]).unwrap(), ["true"]);
        assert_eq!(child.ask(&["verify", &promises.last(0).access]).unwrap(), ["good"]);
    }

    /// Without a write, an idle moment notices it.
    fn notices(&mut self) {
        until(|| self.trouble.child.ask(&["lost"]).unwrap() == ["true"]);
    }

    fn goes_on(&mut self) {
        self.trouble.wait_until_over();
        assert_eq!(self.trouble.child.ask(&["lost"]).unwrap(), ["false"]);
        let Trouble { child, promises, .. } = &mut self.trouble;
        promises.refresh(child, 0).unwrap();
        promises.login(child).unwrap();
    }
}

/// What a second server says on that directory.
fn second(data_dir: &Path) -> String {
    let shim = Shim::prepare();
    let mut child = Child::start(data_dir, &shim);
    let answer = child.ask(&["open"]).unwrap().join(" ");
    child.kill();
    answer
}

#[test]
fn a_directory_that_was_removed_is_noticed_and_takes_no_writes() {
    let mut served = Served::prepare();
    fs::remove_dir_all(served.data()).unwrap();
    served.refuses_writes();
    assert_eq!(second(served.data()), "done");
    served.refuses_writes();
}

#[test]
fn a_directory_that_was_moved_takes_no_writes_lets_no_second_server_in_and_goes_on_when_it_is_back() {
    let mut served = Served::prepare();
    fs::rename(served.data(), served.elsewhere()).unwrap();
    served.refuses_writes();
    let refused = second(&served.elsewhere());
    assert!(refused.contains("is in use by the process"), "{refused}");
    fs::remove_file(served.elsewhere().join("northgate.lock")).unwrap();
    let refused = second(&served.elsewhere());
    assert!(refused.contains("is in use by another process"), "{refused}");
    fs::rename(served.elsewhere(), served.data()).unwrap();
    served.goes_on();
    served.trouble.check();
}

#[test]
fn a_directory_that_was_replaced_by_its_own_copy_takes_no_writes() {
    let mut served = Served::prepare();
    copy_all(served.data(), &served.elsewhere());
    fs::remove_dir_all(served.data()).unwrap();
    copy_all(&served.elsewhere(), served.data());
    served.notices();
    served.refuses_writes();
    // The copy is an installation that another server may use; this one never writes to it.
    assert_eq!(second(served.data()), "done");
    served.refuses_writes();
}

#[test]
fn a_symbolic_link_that_leads_elsewhere_is_noticed() {
    let mut served = Served::prepare();
    served.trouble.child.ask(&["stop"]).unwrap();
    fs::rename(served.data(), served.elsewhere()).unwrap();
    symlink(served.elsewhere(), served.data()).unwrap();
    assert_eq!(served.trouble.child.ask(&["open"]).unwrap(), ["done"]);
    let other = served.root.path().join("other");
    copy_all(&served.elsewhere(), &other);
    fs::remove_file(served.data()).unwrap();
    symlink(&other, served.data()).unwrap();
    served.refuses_writes();
    fs::remove_file(served.data()).unwrap();
    symlink(served.elsewhere(), served.data()).unwrap();
    served.goes_on();
}

#[test]
fn a_database_file_that_was_moved_removed_or_replaced_takes_no_writes() {
    for replace in [false, true] {
        let mut served = Served::prepare();
        let moved = served.root.path().join("northgate.db");
        fs::rename(served.database(), &moved).unwrap();
        if replace {
            fs::copy(&moved, served.database()).unwrap();
        }
        served.refuses_writes();
        // The lock went along with the file.
        let refused = second(served.root.path());
        assert!(refused.contains("is in use by another process"), "{refused}");
        fs::rename(&moved, served.database()).unwrap();
        served.goes_on();
        served.trouble.check();
    }
}

/// The file is the same, and what is in it is not: a checkpoint would have mixed the pages of two databases.
#[test]
fn a_database_that_was_copied_over_takes_no_writes_and_is_what_the_next_start_opens() {
    let mut served = Served::prepare();
    let copy = served.root.path().join("copy.db");
    let Trouble { child, promises, .. } = &mut served.trouble;
    child.ask(&["backup", &copy.display().to_string()]).unwrap();
    promises.refresh(child, 1).unwrap();
    fs::copy(&copy, served.database()).unwrap();
    served.refuses_writes();
    let database = served.database();
    let Trouble { child, promises, .. } = &mut served.trouble;
    child.ask(&["stop"]).unwrap();
    assert_eq!(fs::read(&copy).unwrap(), fs::read(database).unwrap());
    assert_eq!(child.ask(&["open"]).unwrap(), ["done"]);
    assert_eq!(child.ask(&["verify", &promises.last(0).access]).unwrap(), ["good"]);
    assert_eq!(child.ask(&["failing"]).unwrap(), ["false"]);
}

/// The lock that counts is on the database.
#[test]
fn without_its_lock_file_the_server_goes_on_and_no_second_one_starts() {
    let served = Served::prepare();
    fs::remove_file(served.data().join("northgate.lock")).unwrap();
    for _ in 0..2 {
        let refused = second(served.data());
        assert!(refused.contains("is in use by another process"), "{refused}");
    }
    let Trouble { mut child, mut promises, .. } = served.trouble;
    assert_eq!(child.ask(&["failing"]).unwrap(), ["false"]);
    promises.refresh(&mut child, 0).unwrap();
}

/// What was answered from a removed WAL was gone after the next start.
#[test]
fn a_wal_that_was_removed_takes_no_writes_and_loses_nothing() {
    let mut served = Served::prepare();
    fs::remove_file(served.wal()).unwrap();
    served.refuses_writes();
    // All that it held is in the database file now, so that a new one begins.
    served.goes_on();
    served.trouble.check();
}

#[test]
fn a_wal_that_was_replaced_is_never_read() {
    let mut served = Served::prepare();
    let other = Trouble::prepare();
    fs::remove_file(served.wal()).unwrap();
    fs::copy(other.data_dir.path().join("northgate.db-wal"), served.wal()).unwrap();
    served.refuses_writes();
    served.notices();
    fs::remove_file(served.wal()).unwrap();
    served.goes_on();
    served.trouble.check();
}

fn copy_all(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.unwrap().success());
}
