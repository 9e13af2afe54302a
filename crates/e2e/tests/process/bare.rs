//! A server whose standard error, files and moment of the start are the test's own business. Its ports are the system's.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use tempfile::TempDir;

use northgate_testkit::northgate::Settings;
use northgate_testkit::wait_until;

/// Where Linux shows the signals that a process catches; SIGHUP is the first.
const HANGUP_BIT: u64 = 1;

pub struct Bare {
    pub home: TempDir,
    process: Child,
}

impl Bare {
    pub fn spawn(home: TempDir, settings: Settings, stderr: impl Into<Stdio>) -> Bare {
        let mut command = Command::new(northgate_testkit::program());
        Bare::spawn_as(&mut command, home, settings, stderr)
    }

    /// By another command that becomes the server.
    pub fn spawn_as(
        command: &mut Command,
        home: TempDir,
        settings: Settings,
        stderr: impl Into<Stdio>,
    ) -> Bare {
        command.args(["serve", "--dev", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.current_dir(home.path()).env_clear().envs(settings.iter().copied());
        let stdout = fs::File::create(home.path().join("stdout")).unwrap();
        // Of an earlier server.
        let _ = fs::remove_file(address(home.path()));
        let process = command.stdout(stdout).stderr(stderr).spawn().unwrap();
        Bare { home, process }
    }

    /// What was printed for people.
    pub fn printed(&self) -> String {
        fs::read_to_string(self.home.path().join("stdout")).unwrap()
    }

    /// The address of the private listener, when the listeners are open.
    pub fn private(&mut self) -> String {
        let file = address(self.home.path());
        self.until("the listeners are open", |_| file.exists());
        fs::read_to_string(file).unwrap().trim_end().to_owned()
    }

    /// What the private listener answers.
    pub fn get(&mut self, path: &str) -> String {
        let url = format!("http://{}{path}", self.private());
        let answer = Command::new("curl").args(["-sS", &url]).output().unwrap();
        String::from_utf8(answer.stdout).unwrap()
    }

    /// A number in the metrics.
    pub fn metric(&mut self, name: &str) -> u64 {
        let metrics = self.get("/metrics");
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in {metrics}")).parse().unwrap()
    }

    /// A command of the same installation.
    pub fn command(&self, arguments: &[&str]) {
        let mut command = Command::new(northgate_testkit::program());
        command.args(arguments).args(["--admin-listen", "127.0.0.1:0"]).env_clear();
        let done = command.current_dir(self.home.path()).output().unwrap();
        assert!(done.status.success(), "{arguments:?}: {done:?}");
    }

    /// Returns when the handlers of the signals stand.
    pub fn handles_signals(&mut self) {
        let status = PathBuf::from(format!("/proc/{}/status", self.process.id()));
        self.until("the handlers of the signals stand", |_| {
            let status = fs::read_to_string(&status).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
            u64::from_str_radix(caught.trim(), 16).unwrap() & HANGUP_BIT > 0
        });
    }

    /// Returns when it has this file open.
    pub fn waits_for(&mut self, file: &Path) {
        let open = PathBuf::from(format!("/proc/{}/fd", self.process.id()));
        self.until("it waits for the file", |_| {
            let open = fs::read_dir(&open).unwrap().flatten();
            open.flat_map(|one| fs::read_link(one.path())).any(|one| one == file)
        });
    }

    pub fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([name, &self.process.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    pub fn has_ended(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    /// How it ended, by itself.
    pub fn ended(&mut self) -> ExitStatus {
        self.until("it ends", Bare::has_ended);
        self.process.wait().unwrap()
    }

    /// Its exit code after SIGTERM.
    pub fn stopped(&mut self) -> i32 {
        self.signal("-TERM");
        let status = self.ended();
        status.code().unwrap_or_else(|| panic!("ended by the signal {:?}", status.signal()))
    }

    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Bare) -> bool) {
        wait_until(what, || holds(self));
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // A test that failed has left it running; one that ended it has not.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A pipe with a name.
pub fn named_pipe(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    assert!(Command::new("mkfifo").args(["-m", "600"]).arg(&path).status().unwrap().success());
    path
}

fn address(home: &Path) -> PathBuf {
    home.join("northgate-data/admin-address")
}
