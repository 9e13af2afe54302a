//! The kill campaign: one store lives through thousands of kills, each in another call on its files, and through losses of power in
//! which the disk forgets what was not synced. It can be stopped at any time, and goes on where it was.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use northgate_testkit::chance::Chance;
use northgate_testkit::fault_shim::{DATABASE, OPEN, Plan, SYNC, Shim, TEAR, TRUNCATE, UNLINK, WAL, WRITE};

use super::child::{Child, Gone};
use super::log::{self, Call};
use super::promises::Promises;

/// Stores side by side; children mostly wait for the disk.
const STORES: u32 = 4;

/// A child that no call has killed by then is killed from outside.
const OPERATIONS: u64 = 40;

/// Live grants of a store, at most.
const GRANTS: usize = 6;

/// Calls of a start and some operations: most kills fall between the first one and this.
const CALLS: u64 = 90;

/// With `NORTHGATE_KILLS` cycles in all, in the directory `NORTHGATE_KILLS_DIR`: `tests/kills/run` sets both.
#[test]
#[ignore = "takes minutes: tests/kills/run"]
fn a_store_keeps_its_promises_over_thousands_of_kills_and_losses_of_power() {
    // A test has no configuration to take it from.
    #[allow(clippy::disallowed_methods)]
    let given = |name| std::env::var(name).ok();
    let cycles = given("NORTHGATE_KILLS").map_or(400, |count| count.parse().unwrap());
    let temporary = tempfile::tempdir().unwrap();
    let directory = given("NORTHGATE_KILLS_DIR").map_or(temporary.path().to_owned(), PathBuf::from);
    let chance = Chance::from_env("NORTHGATE_KILLS_SEED");
    thread::scope(|scope| {
        for number in 0..STORES {
            let (home, chance) = (directory.join(number.to_string()), chance.numbered(number));
            scope.spawn(move || Campaign::resume(home).run(cycles / STORES, &chance));
        }
    });
}

/// One store and what it owes.
struct Campaign {
    home: PathBuf,
    cycle: u32,
    losses_of_power: u32,
    promises: Promises,
    /// All calls since the disk was last known to have everything.
    calls: Vec<Call>,
}

impl Campaign {
    fn resume(home: PathBuf) -> Campaign {
        fs::create_dir_all(home.join("data")).unwrap();
        let state = fs::read_to_string(home.join("state")).unwrap_or_default();
        let mut counts = state.lines().next().unwrap_or("0 0").split(' ').map(|count| count.parse().unwrap());
        let (cycle, losses_of_power) = (counts.next().unwrap(), counts.next().unwrap());
        let promises = Promises::parse(state.lines().skip(1));
        let calls = log::read(&fs::read_to_string(home.join("calls")).unwrap_or_default());
        Campaign { home, cycle, losses_of_power, promises, calls }
    }

    fn run(&mut self, cycles: u32, chance: &Chance) {
        while self.cycle < cycles {
            self.live_and_die(&mut chance.numbered(self.cycle));
            self.cycle += 1;
            self.save();
        }
        println!("{}: {} kills, {} losses of power", self.home.display(), self.cycle, self.losses_of_power);
    }

    fn live_and_die(&mut self, chance: &mut Chance) {
        let shim = Shim::prepare();
        let calls = WRITE | SYNC | TRUNCATE | UNLINK | OPEN;
        let from = 1 + chance.up_to(CALLS) as u32;
        shim.inject(Plan { calls, files: DATABASE | WAL, action: TEAR, from, times: 1 });
        let mut child = Child::start(&self.data(), &shim);
        // It was killed, or had nothing left to do.
        let _: Result<(), Gone> = self.live(&mut child, chance);
        child.kill();
        let seen = shim.log();
        append(&self.home.join("calls"), &seen);
        self.calls.extend(log::read(&seen));
        if chance.one_in(3) {
            log::lose_power(&self.data(), &self.calls, chance);
            self.calls.clear();
            fs::write(self.home.join("calls"), "").unwrap();
            self.losses_of_power += 1;
        }
    }

    fn live(&mut self, child: &mut Child, chance: &mut Chance) -> Result<(), Gone> {
        assert_eq!(child.ask(&["open"])?, ["done"]);
        self.promises.ensure(child)?;
        self.promises.hold(child)?;
        for _ in 0..1 + chance.up_to(OPERATIONS) {
            let grants = self.promises.grants();
            match chance.up_to(9) {
                0..3 if grants < GRANTS => self.promises.login(child)?,
                3..5 if grants > 1 => self.promises.logout(child, chance.below(grants))?,
                _ if grants > 0 => self.promises.refresh(child, chance.below(grants))?,
                _ => self.promises.login(child)?,
            }
        }
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    fn save(&self) {
        let text = format!("{} {}\n{}", self.cycle, self.losses_of_power, self.promises.text());
        fs::write(self.home.join("next"), text).unwrap();
        fs::rename(self.home.join("next"), self.home.join("state")).unwrap();
    }
}

fn append(file: &Path, text: &str) {
    use std::io::Write;
    let opened = fs::OpenOptions::new().create(true).append(true).open(file);
    opened.unwrap().write_all(text.as_bytes()).unwrap();
}
