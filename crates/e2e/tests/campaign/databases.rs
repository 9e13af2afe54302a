//! Two PostgreSQL servers: a primary and its standby, which change places.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::link::{Link, Mode};
use super::volume::Volume;
use northgate_testkit::postgres::programs::{as_nobody_special, programs};
use northgate_testkit::process_guard::ProcessGuard;
use northgate_testkit::wait_until;

/// Whom the nodes are to the servers.
pub const ROLE: &str = "nodes";
/// Of 30 that three nodes want.
const FEW: u32 = 8;

pub struct Databases {
    dir: PathBuf,
    volume: Volume,
    programs: PathBuf,
    ports: [u16; 2],
    processes: [Option<ProcessGuard>; 2],
    primary: usize,
    /// To each server, for the replication of the other one.
    replication: [Link; 2],
}

impl Databases {
    /// A primary and a synchronous standby in a folder below `dir`.
    pub async fn start(dir: &Path, ports: [u16; 2]) -> Databases {
        let dir = dir.join("databases");
        let volume = Volume::mount(&dir);
        let replication = [Link::to(ports[0]).await, Link::to(ports[1]).await];
        let mut databases = Databases {
            dir,
            volume,
            programs: programs(),
            ports,
            processes: [None, None],
            primary: 0,
            replication,
        };
        databases.run(
            "initdb",
            &["-U", "northgate", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            0,
        );
        databases.spawn(0);
        // Superusers have every privilege, and no limit of connections.
        databases.sql(&format!("CREATE ROLE {ROLE} LOGIN; ALTER DATABASE postgres OWNER TO {ROLE}"));
        databases.bring_standby();
        databases.wait_for_standby(true);
        databases
    }

    /// The servers' ports; which is the primary is for a node to find out.
    pub fn ports(&self) -> [u16; 2] {
        self.ports
    }

    /// The primary, by its place among the ports.
    pub fn primary(&self) -> usize {
        self.primary
    }

    /// The disk that both servers are on.
    pub fn volume(&self) -> &Volume {
        &self.volume
    }

    /// Starts the servers that have ended because they could not write.
    pub fn revive(&mut self) {
        for server in 0..2 {
            let is_up = self.processes[server].as_ref().is_some_and(ProcessGuard::is_up);
            if !is_up {
                drop(self.processes[server].take());
                self.spawn(server);
            }
        }
    }

    /// The link that the standby gets its changes through.
    pub fn replication(&self) -> &Link {
        &self.replication[self.primary]
    }

    /// Kills the primary at once: what it has not sent to anybody is lost with it.
    pub fn kill_primary(&mut self) {
        self.processes[self.primary].take().unwrap().end();
    }

    /// Makes the standby the primary, which writes without one until it has one again.
    pub fn promote(&mut self) {
        // What is on its way to the standby from the dead is lost as well.
        self.replication().set(Mode::Cut);
        self.primary = 1 - self.primary;
        assert_eq!(self.sql("SELECT pg_promote(true, 100)"), "t");
        self.replication[1 - self.primary].set(Mode::Pass);
    }

    /// Ends the server that was the primary before the last promotion.
    pub fn end_former_primary(&mut self) {
        drop(self.processes[1 - self.primary].take());
    }

    /// Waits until the standby has all that the primary, which takes no more writes, has answered.
    pub fn until_standby_is_level(&self) {
        self.until(
            "the standby has everything",
            "SELECT count(*) = 1 FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_flush_lsn()",
        );
    }

    /// Makes the server that is down a standby from a copy of the primary.
    pub fn bring_standby(&mut self) {
        let standby = 1 - self.primary;
        let _ = std::fs::remove_dir_all(self.data(standby));
        let port = self.replication().port.to_string();
        self.run(
            "pg_basebackup",
            &["-h", "127.0.0.1", "-p", &port, "-U", "northgate", "-R", "-c", "fast", "--no-sync"],
            standby,
        );
        self.spawn(standby);
        self.until(
            "the standby follows",
            "SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'",
        );
    }

    /// Whether a commit waits for the standby.
    pub fn wait_for_standby(&self, is_synchronous: bool) {
        let names = if is_synchronous { "*" } else { "" };
        self.sql(&format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'"));
        self.sql("SELECT pg_reload_conf()");
        let state = if is_synchronous { "sync" } else { "async" };
        self.until(
            "the primary takes the standby so",
            &format!("SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = '{state}'"),
        );
    }

    /// Whether the primary takes no writes, on sessions that are open as well.
    pub fn set_read_only(&self, is_so: bool) {
        let state = if is_so { "on" } else { "off" };
        self.sql(&format!("ALTER SYSTEM SET default_transaction_read_only = {state}"));
        self.sql("SELECT pg_reload_conf()");
    }

    /// Whether nodes may not insert grants.
    pub fn set_refused(&self, is_so: bool) {
        let (verb, to) = if is_so { ("REVOKE", "FROM") } else { ("GRANT", "TO") };
        self.sql(&format!("{verb} INSERT ON grants {to} {ROLE}"));
    }

    /// Uses up all assertions that nodes remember of an application; those expire after `lifetime`.
    pub fn fill_assertions(&self, app_id: &str, count: u32, lifetime: Duration) {
        self.sql(&format!(
            "INSERT INTO spent (application, digest, until_at, spender)
             SELECT number, decode(md5(used::text), 'hex'), extract(epoch FROM now()) * 1000 + {}, 0
             FROM applications, generate_series(1, {count}) AS used WHERE app_id = '{app_id}'",
            lifetime.as_millis()
        ));
    }

    /// Whether all nodes together get a few connections; those that are open end.
    pub fn set_short_of_connections(&self, is_so: bool) {
        let limit = if is_so { FEW.to_string() } else { "-1".to_owned() };
        self.sql(&format!("ALTER ROLE {ROLE} CONNECTION LIMIT {limit}"));
        if is_so {
            let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename";
            self.sql(&format!("{end} = '{ROLE}'"));
        }
    }

    fn spawn(&mut self, server: usize) {
        let port = self.ports[server].to_string();
        let mut postgres = as_nobody_special(&self.dir);
        postgres.arg(self.programs.join("postgres")).arg("-D").arg(self.data(server)).args(["-p", &port]);
        // Only processes end here, not machines: nothing needs to reach a disk.
        let socket = format!("unix_socket_directories={}", self.dir.display());
        let settings = [
            "listen_addresses=127.0.0.1",
            &socket,
            "fsync=off",
            "wal_keep_size=256MB",
            "wal_retrieve_retry_interval=200ms",
        ];
        settings.iter().for_each(|setting| {
            postgres.args(["-c", setting]);
        });
        self.processes[server] =
            Some(ProcessGuard::start(&postgres, &self.dir, &format!("postgres-{server}"), "QUIT"));
        let mut ready = Command::new(self.programs.join("pg_isready"));
        ready.args(["-q", "-h", "127.0.0.1", "-U", "northgate", "-d", "postgres", "-p", &port]);
        let started = format!("PostgreSQL starts: {}/postgres-{server}.log", self.dir.display());
        wait_until(&started, || ready.status().unwrap().success());
    }

    fn run(&self, program: &str, arguments: &[&str], server: usize) {
        let mut command = as_nobody_special(&self.dir);
        command.arg(self.programs.join(program)).arg("-D").arg(self.data(server)).args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn until(&self, what: &str, question: &str) {
        wait_until(what, || self.sql(question) == "t");
    }

    /// The one answer of the primary.
    fn sql(&self, statement: &str) -> String {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-XqAt", "-h", "127.0.0.1", "-U", "northgate", "-d", "postgres", "-c", statement, "-p"]);
        let output = psql.arg(self.ports[self.primary].to_string()).output().unwrap();
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn data(&self, server: usize) -> PathBuf {
        self.dir.join(format!("data-{server}"))
    }
}
