//! The program itself, as a process of its own, in a directory and on ports of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread;

use tempfile::TempDir;

use crate::program;

/// A server that was started with `serve --dev` in [`Northgate::home`], so that its data is in `northgate-data` there.
pub struct Northgate {
    pub public: SocketAddr,
    pub private: SocketAddr,
    pub home: TempDir,
    server: Child,
}

/// Environment variables beside those that name the listeners; PUBLIC_PORT in a value is the port of the public one.
pub type Settings<'s> = &'s [(&'s str, &'s str)];

impl Northgate {
    /// A new installation.
    pub fn start(settings: Settings) -> Northgate {
        Northgate::start_in(tempfile::tempdir().unwrap(), settings)
    }

    /// A new installation of a process that takes no rights away from the files that it makes.
    pub fn start_without_umask() -> Northgate {
        let bare = |home: &Path| {
            let mut command = Command::new("/bin/bash");
            command.args(["-c", r#"umask 0; exec "$0" "$@""#, program()]);
            command.current_dir(home).env_clear();
            command
        };
        Northgate::start_by(tempfile::tempdir().unwrap(), &[], bare)
    }

    /// Returns when both listeners have been opened; requests wait until they are served.
    pub fn start_in(home: TempDir, settings: Settings) -> Northgate {
        Northgate::start_by(home, settings, |home| bare(home, &[]))
    }

    /// Started by [`SERVICE_USER`]; only root can become that user.
    pub fn start_as_service(home: TempDir) -> Northgate {
        Northgate::start_by(home, &[], northgate_of_service)
    }

    /// Another program than the one under test, such as the previous release.
    pub fn start_of(program: &Path, home: TempDir, settings: Settings) -> Northgate {
        Northgate::start_by(home, settings, |home| bare_of(program, home, &[]))
    }

    fn start_by(home: TempDir, settings: Settings, bare: impl Fn(&Path) -> Command) -> Northgate {
        loop {
            let (public, private) = free_ports();
            let mut command = bare(home.path());
            let port = public.port().to_string();
            command.envs(settings.iter().map(|(name, value)| (name, value.replace("PUBLIC_PORT", &port))));
            command.args(["serve", "--dev", "--listen", &public.to_string()]);
            command.args(["--admin-listen", &private.to_string()]);
            let output = fs::File::create(home.path().join("stdout")).unwrap();
            let mut server = command.stdout(output).stderr(Stdio::piped()).spawn().unwrap();
            match until_it_serves(&mut server, &home.path().join("log")) {
                Ok(()) => return Northgate { public, private, home, server },
                // Another process took the port between our choosing and our opening it.
                Err(said) if said.contains("is in use: another server") => {}
                Err(said) => panic!("{said}"),
            }
        }
    }

    /// What was printed for people. The first request that is answered comes after it.
    pub fn printed(&self) -> String {
        self.output(Command::new("curl").args(["-sS", &format!("http://{}/health/live", self.private)]));
        fs::read_to_string(self.home.path().join("stdout")).unwrap()
    }

    /// What the server has logged since it serves.
    pub fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap()
    }

    /// A command of the same installation.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.output(northgate(self.home.path()).args(arguments).args([
            "--data-dir",
            "northgate-data",
            "--admin-listen",
            &self.private.to_string(),
        ]))
    }

    /// What a command printed that must succeed.
    pub fn tell(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs `command` where the server was started.
    pub fn output(&self, command: &mut Command) -> Output {
        command.current_dir(self.home.path()).output().unwrap()
    }

    pub fn pid(&self) -> String {
        self.server.id().to_string()
    }

    pub fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.pid()]).status().unwrap().success());
    }

    /// Ends it with this signal and leaves what it leaves.
    pub fn end(mut self, signal: &str) -> (TempDir, ExitStatus) {
        self.signal(signal);
        let status = self.server.wait().unwrap();
        let left = std::mem::replace(&mut self.home, tempfile::tempdir().unwrap());
        (left, status)
    }
}

impl Drop for Northgate {
    fn drop(&mut self) {
        // A test that failed has left it running; one that ended it has not.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The program, to be run in `home` without anything of our own environment.
pub fn northgate(home: &Path) -> Command {
    bare(home, &[])
}

/// A user without rights of its own, as a service has.
pub const SERVICE_USER: u32 = 65_534;

/// The program run by [`SERVICE_USER`], from a copy in `home`, which that user can reach.
pub fn northgate_of_service(home: &Path) -> Command {
    let copy = home.join("northgate");
    if !copy.exists() {
        fs::copy(program(), &copy).unwrap();
    }
    let user = SERVICE_USER.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]).arg(copy);
    command.current_dir(home).env_clear();
    command
}

// A write beyond a limit on file sizes is to fail, as on a disk that is full, and not to end the process. The variable NOFILE is
// the limit of open files.
fn bare(home: &Path, settings: Settings) -> Command {
    bare_of(Path::new(program()), home, settings)
}

fn bare_of(program: &Path, home: &Path, settings: Settings) -> Command {
    let mut command = Command::new("/bin/bash");
    command.args(["-c", r#"trap "" XFSZ; ulimit -n ${NOFILE:-$(ulimit -n)}; exec "$0" "$@""#]).arg(program);
    command.current_dir(home).env_clear().envs(settings.iter().copied());
    command
}

/// Two ports without a listener.
fn free_ports() -> (SocketAddr, SocketAddr) {
    let free = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (one, other) = (free(), free());
    (one.local_addr().unwrap(), other.local_addr().unwrap())
}

/// Reads the log until it says so, and copies the rest to `rest`; returns all of the log if it never does.
fn until_it_serves(server: &mut Child, rest: &Path) -> Result<(), String> {
    let mut log = BufReader::new(server.stderr.take().unwrap());
    let mut said = String::new();
    while log.read_line(&mut said).unwrap() > 0 {
        if said.contains(" serving ") {
            let mut rest = fs::File::create(rest).unwrap();
            thread::spawn(move || std::io::copy(&mut log, &mut rest));
            return Ok(());
        }
    }
    Err(said)
}
