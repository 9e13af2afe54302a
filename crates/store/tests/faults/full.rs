//! A disk on which nothing can be created or grow: no free inode, no free block.

use std::fs;

use super::child::Child;
use super::failing::{Trouble, until};
use northgate_testkit::fault_shim::{ALWAYS, BESIDE, CREATE, DATABASE, ENOSPC, GROW, MAP, Plan, WAL};

const FULL: Plan =
    Plan { calls: CREATE | GROW, files: DATABASE | WAL | BESIDE, action: ENOSPC, from: 1, times: ALWAYS };

/// A clean stop removed the WAL and its index, and a start on a full disk could not create them: it ended with "disk I/O error",
/// although readers were promised to be served.
#[test]
fn after_a_clean_stop_on_a_full_disk_it_starts_and_serves_readers() {
    let mut trouble = Trouble::prepare();
    trouble.child.ask(&["stop"]).unwrap();
    readers_are_served_until_there_is_room(trouble);
}

/// An earlier version removed the WAL at its stop, and so does sqlite3.
#[test]
fn a_database_without_a_wal_is_served_to_readers_on_a_full_disk() {
    let mut trouble = Trouble::prepare();
    trouble.child.ask(&["stop"]).unwrap();
    fs::remove_file(trouble.data_dir.path().join("northgate.db-wal")).unwrap();
    readers_are_served_until_there_is_room(trouble);
}

/// The WAL still holds commits, which do not all find room in the database file.
#[test]
fn after_a_kill_on_a_full_disk_it_starts_and_serves_readers() {
    let mut trouble = Trouble::prepare();
    trouble.shim.inject(FULL);
    trouble.restart();
    trouble.shim.clear();
    trouble.child.ask(&["open"]).unwrap();
    trouble.promises.refresh(&mut trouble.child, 0).unwrap();
    trouble.restart();
    readers_are_served_until_there_is_room(trouble);
}

fn readers_are_served_until_there_is_room(mut trouble: Trouble) {
    let before = trouble.promises.before_last(0).refresh.clone();
    trouble.shim.inject(FULL);
    assert_eq!(trouble.child.ask(&["open"]).unwrap(), ["done"]);
    let Trouble { child, promises, .. } = &mut trouble;
    assert_eq!(child.ask(&["failing"]).unwrap(), ["true"]);
    assert_eq!(child.ask(&["verify", &promises.last(0).access]).unwrap(), ["good"]);
    assert_eq!(promises.try_login(child).unwrap(), ["unavailable"]);
    assert_eq!(promises.try_refresh(child, 1).unwrap(), ["unavailable"]);
    // A refresh that was answered before is answered again.
    assert_eq!(promises.present(child, &before).unwrap()[2], promises.last(0).refresh);
    trouble.shim.clear();
    trouble.wait_until_over();
    let Trouble { child, promises, .. } = &mut trouble;
    promises.refresh(child, 0).unwrap();
    promises.login(child).unwrap();
    trouble.check();
}

/// The index of the WAL was a mapped file with holes where blocks have 1 KiB, and a write into a hole on a full disk is a SIGBUS.
#[test]
fn no_file_is_ever_mapped() {
    let mut trouble = Trouble::prepare();
    trouble.shim.inject(Plan { calls: MAP, action: ENOSPC, ..FULL });
    let Trouble { child, promises, shim, data_dir } = &mut trouble;
    promises.refresh(child, 0).unwrap();
    // Idle moments fold and checkpoint.
    until(|| child.ask(&["journal"]).unwrap() == ["0"]);
    child.ask(&["open"]).unwrap();
    promises.refresh(child, 0).unwrap();
    child.ask(&["backup", &data_dir.path().join("copy.db").display().to_string()]).unwrap();
    assert_eq!(shim.seen(), 0, "{}", shim.log());
    assert!(!data_dir.path().join("northgate.db-shm").exists());
    trouble.check();
}

impl Trouble {
    /// Kills the child, and starts another one, which is still to open the store.
    fn restart(&mut self) {
        let next = Child::start(self.data_dir.path(), &self.shim);
        std::mem::replace(&mut self.child, next).kill();
    }
}
