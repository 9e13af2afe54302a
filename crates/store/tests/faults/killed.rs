//! A process that is killed in any of its calls on the database, and a machine that loses its power then.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::child::{Child, Gone};
use super::log;
use super::promises::Promises;
use northgate_testkit::chance::Chance;
use northgate_testkit::fault_shim::{DATABASE, OPEN, Plan, SYNC, Shim, TEAR, TRUNCATE, UNLINK, WAL, WRITE};

/// Children mostly wait for the idle moment in which the store folds.
const AT_A_TIME: usize = 8;

/// Between two looks at whether something has come about.
const POLL: Duration = Duration::from_millis(5);

/// First commits, folding, checkpoints, a stop and another start are all in the script; each of its calls is the last
/// one of one child.
#[test]
fn a_process_that_is_killed_in_any_call_on_its_files_keeps_what_it_answered() {
    let chance = Chance::from_env("NORTHGATE_FAULTS_SEED");
    let (next, is_over) = (AtomicU32::new(1), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    let call = next.fetch_add(1, Ordering::SeqCst);
                    if !is_killed_in(call, &mut chance.numbered(call)) {
                        is_over.store(true, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let calls = next.load(Ordering::SeqCst);
    println!("killed in each of some {} calls", calls - 1);
    assert!(calls > 60, "the script hardly came to write anything");
}

/// Tells whether the script came as far as this call.
fn is_killed_in(call: u32, chance: &mut Chance) -> bool {
    let (data_dir, shim) = (tempfile::tempdir().unwrap(), Shim::prepare());
    let calls = WRITE | SYNC | TRUNCATE | UNLINK | OPEN;
    shim.inject(Plan { calls, files: DATABASE | WAL, action: TEAR, from: call, times: 1 });
    let (mut child, mut promises) = (Child::start(data_dir.path(), &shim), Promises::default());
    let is_killed = script(&mut child, &mut promises).is_err();
    child.kill();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let without_power = copy(data_dir.path());
    runtime.block_on(promises.check(data_dir.path()));
    log::lose_power(without_power.path(), &log::read(&shim.log()), chance);
    runtime.block_on(promises.check(without_power.path()));
    is_killed
}

fn script(child: &mut Child, promises: &mut Promises) -> Result<(), Gone> {
    child.ask(&["open"])?;
    promises.create(child)?;
    promises.login(child)?;
    promises.refresh(child, 0)?;
    promises.login(child)?;
    promises.login(child)?;
    promises.logout(child, 2)?;
    promises.refresh(child, 1)?;
    // Idle moments: the sweep writes the rows, removes the journal, and the WAL is copied.
    while child.ask(&["journal"])? != ["0"] {
        // Not `wait_until`: a child that was killed ends the script by `?`, and is killed after a bounded number of calls.
        std::thread::sleep(POLL);
    }
    promises.refresh(child, 0)?;
    promises.refresh(child, 0)?;
    promises.logout(child, 1)?;
    child.ask(&["open"])?;
    promises.refresh(child, 0)?;
    child.ask(&["stop"])?;
    Ok(())
}

/// The files as they are, for another fate.
fn copy(data_dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in ["northgate.db", "northgate.db-wal", "northgate.db-journal"] {
        if let Ok(bytes) = std::fs::read(data_dir.join(file)) {
            std::fs::write(copy.path().join(file), bytes).unwrap();
        }
    }
    copy
}
