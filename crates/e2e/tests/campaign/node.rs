//! One node: the real program as a process of its own, with a clock of its own.

use std::fs;
use std::io::{PipeReader, Write as _, pipe};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::closer::CLOSED_GRANTS;
use super::house::Access;
use super::link::{Link, Mode};
use northgate_testkit::clock_shim;
use northgate_testkit::process_guard::ProcessGuard;

/// The operator's, on all nodes.
pub const ADMIN_TOKEN: &str = "operator-of-the-campaign";

/// Steps that wait for the database. Logins find half of it, in two queues.
pub const QUEUE: usize = 64;
/// The capacity of a pipe without a reader.
const PIPE_HOLDS: usize = 65_536;
/// How long a stop takes at most: requests in progress, and a log without a reader.
const STOP_WITHIN: Duration = Duration::from_secs(40);

/// Whom client assertions are for (`aud`).
pub const ISSUER: &str = "https://northgate.example";

pub struct Node {
    name: String,
    dir: PathBuf,
    url: String,
    clock: PathBuf,
    /// Another version of the program than the one under test.
    is_other: bool,
    ports: Ports,
    process: Option<ProcessGuard>,
    /// To each database.
    databases: [Link; 2],
    /// From the balancer, and from gateways and the operator.
    public: Link,
    private: Link,
}

#[derive(Clone, Copy)]
pub struct Ports {
    pub public: u16,
    pub private: u16,
}

impl Node {
    /// Not started yet. `dir` has the keyring's key and `cert.pem`, `key.pem`.
    pub async fn new(number: usize, dir: &Path, ports: Ports, access: Access, clock_ms: i64) -> Node {
        let Access { ports: servers, login, database } = access;
        let databases = [Link::to(servers[0]).await, Link::to(servers[1]).await];
        let [one, other] = [&databases[0], &databases[1]].map(|link| format!("127.0.0.1:{}", link.port));
        let url = format!("postgres://{login}@{one},{other}/{database}?sslmode=disable");
        let (public, private) = (Link::to(ports.public).await, Link::to(ports.private).await);
        let name = format!("northgate-{number}");
        let (dir, clock, is_other) = (dir.to_owned(), dir.join(format!("{name}.clock")), false);
        let node = Node { name, dir, url, clock, is_other, ports, process: None, databases, public, private };
        node.set_clock(clock_ms);
        node
    }

    pub fn start(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log_path()).unwrap();
        self.start_with(log.into());
    }

    /// Starts it with a log without a reader: the pipe is full already. `stop` ends it.
    pub fn start_with_unread_log(&mut self) -> PipeReader {
        let (unread, mut full) = pipe().unwrap();
        full.write_all(&[b'\n'; PIPE_HOLDS]).unwrap();
        self.start_with(full.into());
        unread
    }

    fn start_with(&mut self, log: Stdio) {
        let mut serve =
            Command::new(if self.is_other { other_program() } else { northgate_testkit::program().into() });
        serve.args(["serve", "--database-url", &self.url, "--data-dir"]).arg(self.dir.join(&self.name));
        serve.args(["--listen", &format!("127.0.0.1:{}", self.ports.public)]);
        serve.args(["--admin-listen", &format!("127.0.0.1:{}", self.ports.private)]);
        serve.env("NORTHGATE_KEYRING_KEY", self.dir.join("keyring.key"));
        serve.env("NORTHGATE_TLS_CERTIFICATES", self.dir.join("cert.pem"));
        serve.env("NORTHGATE_TLS_KEYS", self.dir.join("key.pem"));
        serve.env("NORTHGATE_ADMIN_TOKEN", ADMIN_TOKEN);
        // As in deploy/cluster/node.env: the balancer states the clients.
        serve.env("NORTHGATE_PROXIES_TRUSTED", "127.0.0.1").env("NORTHGATE_PROXIES_PROTOCOL", "on");
        // Less than the balancer takes to see that a node is not ready, so that clients hear of it.
        serve.env("NORTHGATE_DATABASE_ANSWER_WITHIN", "1s");
        serve.env("NORTHGATE_LIMITS_CLOSED_GRANTS", CLOSED_GRANTS.to_string());
        serve.env("NORTHGATE_DATABASE_QUEUE", QUEUE.to_string());
        serve.env("NORTHGATE_OAUTH_ISSUER", ISSUER);
        // Replays are failures, and all of them come from one address.
        serve.env("NORTHGATE_LIMITS_FAILURES_PER_SOURCE", "0");
        serve.env("NORTHGATE_LIMITS_FAILURES_PER_APPLICATION", "0");
        serve.env("NORTHGATE_LOG_FORMAT", "json").env("NORTHGATE_LOG_REQUESTS", "failed");
        serve.env("LD_PRELOAD", clock_shim::library()).env("CLOCK_OFFSET", &self.clock);
        self.process = Some(ProcessGuard::start_with_log(&serve, &self.dir, &self.name, "KILL", log));
    }

    /// SIGTERM: it stops by itself, within `STOP_WITHIN`.
    pub fn stop(&mut self) {
        self.process.take().unwrap().end_by_itself("TERM", STOP_WITHIN);
    }

    /// `northgate migrate` and the key that all nodes have.
    pub fn set_up(&self) {
        let run = |arguments: &[&str]| {
            let mut command = Command::new(northgate_testkit::program());
            command.args(arguments).env("NORTHGATE_KEYRING_KEY", self.dir.join("keyring.key"));
            let output = command.output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        };
        run(&["migrate", "--database-url", &self.url]);
        run(&["keyring-key", "create"]);
    }

    /// SIGKILL: it is gone at once, whatever it was doing.
    pub fn kill(&mut self) {
        self.process.take().unwrap().end();
    }

    pub fn set_database_links(&self, mode: Mode) {
        self.databases.iter().for_each(|link| link.set(mode));
    }

    /// The way to one of the two servers.
    pub fn set_database_link(&self, server: usize, mode: Mode) {
        self.databases[server].set(mode);
    }

    /// Sets its clock off by so much from now on.
    pub fn set_clock(&self, offset_ms: i64) {
        clock_shim::set(&self.clock, offset_ms);
    }

    /// Stops it, and starts the version that it was not.
    pub fn upgrade(&mut self) {
        self.stop();
        self.is_other = !self.is_other;
        self.start();
    }

    /// The way from the balancer.
    pub fn set_public_link(&self, mode: Mode) {
        self.public.set(mode);
    }

    /// Where others reach it.
    pub fn links(&self) -> Ports {
        Ports { public: self.public.port, private: self.private.port }
    }

    /// What it wrote, over all its starts.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap()
    }

    fn log_path(&self) -> PathBuf {
        self.dir.join(format!("{}.log", self.name))
    }
}

/// The program of `NORTHGATE_CAMPAIGN_OTHER`, such as the previous release; without it the one under test.
fn other_program() -> PathBuf {
    // A test has no configuration to take it from.
    #[allow(clippy::disallowed_methods)]
    let given = std::env::var_os("NORTHGATE_CAMPAIGN_OTHER");
    given.map_or_else(|| northgate_testkit::program().into(), PathBuf::from)
}
