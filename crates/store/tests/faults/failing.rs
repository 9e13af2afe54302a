//! A disk that is full or fails: nothing is promised, nothing shows, and it goes on by itself when the fault is over.

use super::child::Child;
use super::promises::Promises;
use northgate_testkit::fault_shim::{ALWAYS, DATABASE, EIO, ENOSPC, Plan, SYNC, Shim, TRUNCATE, WAL, WRITE};
use northgate_testkit::wait_until;

/// A child with two grants, and what it promised.
pub struct Trouble {
    pub data_dir: tempfile::TempDir,
    pub shim: Shim,
    pub child: Child,
    pub promises: Promises,
}

impl Trouble {
    pub fn prepare() -> Trouble {
        Trouble::prepare_in(tempfile::tempdir().unwrap())
    }

    pub fn prepare_in(data_dir: tempfile::TempDir) -> Trouble {
        let shim = Shim::prepare();
        let (mut child, mut promises) = (Child::start(data_dir.path(), &shim), Promises::default());
        child.ask(&["open"]).unwrap();
        promises.create(&mut child).unwrap();
        promises.login(&mut child).unwrap();
        promises.login(&mut child).unwrap();
        promises.refresh(&mut child, 0).unwrap();
        Trouble { data_dir, shim, child, promises }
    }

    /// Waits until the store has tried again so many times, and does not once call itself able to write.
    pub fn wait_for_tries(&mut self, tries: u32) {
        let enough = self.shim.seen() + tries;
        until(|| {
            assert_eq!(self.child.ask(&["failing"]).unwrap(), ["true"]);
            self.shim.seen() >= enough
        });
    }

    /// Waits until the store finds out that it can write, without being asked to.
    pub fn wait_until_over(&mut self) {
        until(|| self.child.ask(&["failing"]).unwrap() == ["false"]);
    }

    /// Refreshes the grant, asking again for as long as the store is unavailable.
    pub fn refresh_at_last(&mut self, grant: usize) {
        until(|| {
            let answer = self.promises.try_refresh(&mut self.child, grant).unwrap();
            answer != ["unavailable"]
        });
        // The answer that was just given, once more.
        self.promises.refresh(&mut self.child, grant).unwrap();
    }

    /// Kills the child, and holds the store to all that it answered.
    pub fn check(self) {
        self.child.kill();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(self.promises.check(self.data_dir.path()));
    }
}

#[track_caller]
pub fn until(is_so: impl FnMut() -> bool) {
    wait_until(&std::panic::Location::caller().to_string(), is_so);
}

#[test]
fn while_the_disk_is_full_nothing_is_promised_and_it_goes_on_by_itself() {
    nothing_is_promised_while(WRITE, ENOSPC);
}

#[test]
fn while_writing_fails_nothing_is_promised_and_it_goes_on_by_itself() {
    nothing_is_promised_while(WRITE, EIO);
}

#[test]
fn while_syncing_fails_nothing_is_promised_and_it_goes_on_by_itself() {
    nothing_is_promised_while(SYNC, EIO);
}

fn nothing_is_promised_while(calls: u32, errno: u32) {
    let mut trouble = Trouble::prepare();
    let before = trouble.promises.before_last(0).refresh.clone();
    let plan = Plan { calls, files: WAL | DATABASE, action: errno, from: 1, times: ALWAYS };
    trouble.shim.inject(plan);
    let Trouble { child, promises, .. } = &mut trouble;
    assert_eq!(promises.try_login(child).unwrap(), ["unavailable"]);
    assert_eq!(promises.try_refresh(child, 1).unwrap(), ["unavailable"]);
    assert_eq!(child.ask(&["logout", &promises.last(1).access]).unwrap(), ["unavailable"]);
    // Readers see what was durable before, and a refresh that was answered before is answered again.
    assert_eq!(child.ask(&["verify", &promises.last(1).access]).unwrap(), ["good"]);
    let again = promises.present(child, &before).unwrap();
    assert_eq!(again[2], promises.last(0).refresh);
    trouble.wait_for_tries(3);
    trouble.shim.clear();
    trouble.wait_until_over();
    let Trouble { child, promises, .. } = &mut trouble;
    promises.refresh(child, 1).unwrap();
    promises.login(child).unwrap();
    promises.logout(child, 0).unwrap();
    trouble.check();
}

#[test]
fn any_one_call_of_a_commit_may_fail() {
    std::thread::scope(|scope| {
        for errno in [ENOSPC, EIO] {
            scope.spawn(move || any_one_call_may_fail(errno));
        }
    });
}

fn any_one_call_may_fail(errno: u32) {
    let mut trouble = Trouble::prepare();
    let calls = WRITE | SYNC | TRUNCATE;
    for from in 1.. {
        trouble.shim.inject(Plan { calls, files: WAL | DATABASE, action: errno, from, times: 1 });
        let answer = trouble.promises.try_refresh(&mut trouble.child, 0).unwrap();
        let is_over = answer != ["unavailable"] && trouble.shim.seen() < from;
        trouble.shim.clear();
        trouble.refresh_at_last(0);
        if is_over {
            break;
        }
    }
    trouble.check();
}

#[test]
fn a_checkpoint_that_fails_stops_nobody() {
    let mut trouble = Trouble::prepare();
    let plan = Plan { calls: WRITE | SYNC | TRUNCATE, files: DATABASE, action: EIO, from: 1, times: ALWAYS };
    trouble.shim.inject(plan);
    // It is tried in idle moments.
    until(|| trouble.shim.seen() > 0);
    let Trouble { child, promises, .. } = &mut trouble;
    promises.refresh(child, 0).unwrap();
    promises.login(child).unwrap();
    trouble.check();
}

/// A batch that is larger than SQLite's cache is written before its commit. When that failed, SQLite rolled back, and
/// what came later in the batch was committed on its own, though all of the batch was answered as not done.
#[test]
fn a_large_batch_that_fails_half_way_leaves_nothing_behind() {
    const CROWD: usize = 1_500;
    let mut trouble = Trouble::prepare();
    for from in [2, 40, 200, 400, 600] {
        let plan = Plan { calls: WRITE, files: WAL | DATABASE, action: ENOSPC, from, times: 1 };
        trouble.shim.inject(plan);
        trouble.child.ask(&["crowd", &CROWD.to_string()]).unwrap();
        trouble.shim.clear();
        let before = trouble.child.ask(&["count"]).unwrap();
        trouble.child.ask(&["open"]).unwrap();
        assert_eq!(trouble.child.ask(&["count"]).unwrap(), before);
    }
    trouble.wait_until_over();
    trouble.child.ask(&["crowd", &CROWD.to_string()]).unwrap();
    assert_eq!(trouble.child.ask(&["count"]).unwrap(), [(CROWD + 1).to_string()]);
    trouble.check();
}
