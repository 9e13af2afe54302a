//! Processes that end with the tests, however those end.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::wait_until;

/// Runs a program until our end of its standard input is gone, and then sends it a signal.
const RUN: &str = r#"
    trap '' INT
    signal=$1
    shift
    "$@" &
    echo $! >"$0"
    cat >/dev/null
    kill -"$signal" $! 2>/dev/null
    wait
"#;

pub struct ProcessGuard {
    holder: Child,
    pid: String,
    signal: &'static str,
}

impl ProcessGuard {
    /// Starts a program that writes to `NAME.log` in `folder`; `signal` ends it, whatever it is doing.
    pub fn start(program: &Command, folder: &Path, name: &str, signal: &'static str) -> ProcessGuard {
        let log = fs::OpenOptions::new().create(true).append(true).open(folder.join(format!("{name}.log")));
        ProcessGuard::start_with_log(program, folder, name, signal, log.unwrap().into())
    }

    /// The same, with another standard error. What it prints to standard output is dropped.
    pub fn start_with_log(
        program: &Command,
        folder: &Path,
        name: &str,
        signal: &'static str,
        log: Stdio,
    ) -> ProcessGuard {
        let pid_file = folder.join(format!("{name}.pid"));
        let _ = fs::remove_file(&pid_file);
        let mut holder = Command::new("sh");
        holder
            .args(["-c", RUN])
            .arg(&pid_file)
            .arg(signal)
            .arg(program.get_program())
            .args(program.get_args());
        for (key, value) in program.get_envs() {
            holder.env(key, value.unwrap());
        }
        holder.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        let holder = holder.spawn().unwrap();
        let mut pid = String::new();
        wait_until("the process writes its id", || {
            pid = fs::read_to_string(&pid_file).unwrap_or_default();
            pid.ends_with('\n')
        });
        let pid = pid.trim().to_owned();
        ProcessGuard { holder, pid, signal }
    }

    /// Sends a signal, and waits until the program has ended by itself.
    pub fn end_by_itself(self, signal: &str, within: Duration) {
        let sent = Command::new("kill").args([&format!("-{signal}"), &self.pid]).status();
        assert!(sent.unwrap().success());
        let began = Instant::now();
        while self.is_up() {
            assert!(began.elapsed() < within, "it does not stop by itself");
            // Not `wait_until`: the deadline is what the caller tests.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether it has not ended.
    pub fn is_up(&self) -> bool {
        let mut kill = Command::new("kill");
        kill.args(["-0", &self.pid]).stderr(Stdio::null()).status().unwrap().success()
    }

    /// It is gone when this returns.
    pub fn end(self) {
        drop(self);
    }
}

impl Drop for ProcessGuard {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = Command::new("kill")
            .args([&format!("-{}", self.signal), &self.pid])
            .stderr(Stdio::null())
            .status();
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}
