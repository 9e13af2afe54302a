//! A sync that fails: the kernel has dropped what it could not write and calls it clean, so that the next sync succeeds
//! and means nothing. Durability is claimed again only for what was written anew to a file that was opened anew.

use std::collections::HashMap;

use super::failing::{Trouble, until};
use super::log::{self, Call};
use northgate_testkit::chance::Chance;
use northgate_testkit::fault_shim::{ALWAYS, DATABASE, EIO, Plan, SYNC, WAL};

#[test]
fn after_a_sync_of_the_log_failed_once_nothing_that_is_answered_is_lost_with_the_power() {
    for from in 1..=2 {
        power_is_lost_after(Plan { calls: SYNC, files: WAL, action: EIO, from, times: 1 }, 0);
    }
}

#[test]
fn after_all_syncs_failed_for_a_while_nothing_that_is_answered_is_lost_with_the_power() {
    for files in [WAL, WAL | DATABASE] {
        power_is_lost_after(Plan { calls: SYNC, files, action: EIO, from: 1, times: ALWAYS }, 3);
    }
}

/// The log keeps what a checkpoint could not bring to the disk, and the next one writes it again.
#[test]
fn after_a_sync_of_the_database_failed_in_a_checkpoint_nothing_that_is_answered_is_lost_with_the_power() {
    let mut chance = Chance::from_env("NORTHGATE_FAULTS_SEED");
    let mut trouble = Trouble::prepare();
    trouble.shim.inject(Plan { calls: SYNC, files: DATABASE, action: EIO, from: 1, times: 1 });
    for syncs in 1..=2 {
        until(|| trouble.shim.seen() >= syncs);
        trouble.promises.refresh(&mut trouble.child, 0).unwrap();
    }
    log::lose_power(trouble.data_dir.path(), &log::read(&trouble.shim.log()), &mut chance);
    trouble.check();
}

fn power_is_lost_after(plan: Plan, tries: u32) {
    let mut chance = Chance::from_env("NORTHGATE_FAULTS_SEED");
    let mut trouble = Trouble::prepare();
    trouble.shim.inject(plan);
    for _ in 0..plan.from {
        trouble.promises.try_login(&mut trouble.child).unwrap();
    }
    if tries > 0 {
        trouble.wait_for_tries(tries);
    }
    trouble.shim.clear();
    for _ in 0..3 {
        trouble.refresh_at_last(0);
        trouble.refresh_at_last(1);
    }
    let calls = log::read(&trouble.shim.log());
    assert!(calls.iter().any(|call| call.name == "sync" && call.failed), "no sync failed");
    check_that_no_file_is_trusted_again(&calls);
    log::lose_power(trouble.data_dir.path(), &calls, &mut chance);
    trouble.check();
}

/// Once a sync of an open file failed, no later one of the same open file may be relied on.
fn check_that_no_file_is_trusted_again(calls: &[Call]) {
    let mut distrusted = HashMap::new();
    for call in calls {
        match (call.name.as_str(), call.failed) {
            ("open", false) => drop(distrusted.remove(&call.fd)),
            ("sync", true) => drop(distrusted.insert(call.fd, call.file.clone())),
            ("sync", false) => {
                assert!(distrusted.get(&call.fd) != Some(&call.file), "{} is trusted again", call.file);
            }
            _ => {}
        }
    }
}
