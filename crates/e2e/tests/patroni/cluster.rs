//! Three etcd, two PostgreSQL run by Patroni, and a PgBouncer beside each: the very files of `deploy/cluster`, with other addresses.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use northgate_testkit::ports::free_port;
use northgate_testkit::postgres::programs::{as_nobody_special, debian_programs};
use northgate_testkit::process_guard::ProcessGuard;
use northgate_testkit::{packages, wait_until};

use super::house::Access;

pub struct Cluster {
    machines: Vec<Machine>,
    // After the machines, which report their end to it.
    _etcd: Vec<ProcessGuard>,
    _poolers: Vec<ProcessGuard>,
}

/// A database machine.
struct Machine {
    name: &'static str,
    dir: PathBuf,
    postgres: u16,
    pooler: u16,
    rest: u16,
    patroni: Option<ProcessGuard>,
}

impl Cluster {
    /// Returns when the standby is synchronous.
    pub fn start(dir: &Path) -> Cluster {
        packages::debian_package("etcd-server", "/usr/bin/etcd");
        packages::debian_package("patroni", "/usr/bin/patroni");
        packages::debian_package("python3-etcd", "/usr/share/doc/python3-etcd");
        let dir = dir.join("databases");
        fs::create_dir(&dir).unwrap();
        let (etcd, addresses) = start_etcd(&dir);
        let machine = |name| Machine {
            name,
            dir: dir.clone(),
            postgres: free_port(),
            pooler: free_port(),
            rest: free_port(),
            patroni: None,
        };
        let mut machines = vec![machine("db-1"), machine("db-2")];
        for machine in &mut machines {
            machine.configure(&addresses);
        }
        let mut cluster = Cluster { machines, _etcd: etcd, _poolers: Vec::new() };
        // The first to come is the primary.
        cluster.machines[0].start();
        wait_until("Patroni makes the first primary", || cluster.machines[0].is("primary"));
        cluster.machines[1].start();
        cluster.until_standby(1);
        cluster._poolers = cluster.machines.iter().map(Machine::start_pooler).collect();
        cluster
    }

    /// How a node reaches the databases: directly, or through the poolers.
    pub fn access(&self, is_pooled: bool) -> Access {
        let port = |machine: &Machine| if is_pooled { machine.pooler } else { machine.postgres };
        Access {
            ports: [port(&self.machines[0]), port(&self.machines[1])],
            login: "northgate:change-me",
            database: "northgate",
        }
    }

    /// Makes the standby the primary by Patroni's own switch-over.
    pub fn switch_over(&self) {
        let (from, to) = (self.primary(), 1 - self.primary());
        let body = format!(
            r#"{{"leader": "{}", "candidate": "{}"}}"#,
            self.machines[from].name, self.machines[to].name
        );
        let url = format!("http://127.0.0.1:{}/switchover", self.machines[from].rest);
        let said = Command::new("curl").args(["-sS", "-d", &body, &url]).output().unwrap();
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.contains("Successfully switched over"), "{said}");
        wait_until("the candidate is the primary", || self.machines[to].is("primary"));
    }

    /// Kills Patroni and PostgreSQL of the primary; returns its place when the standby has been promoted.
    pub fn kill_primary(&mut self) -> usize {
        let lost = self.primary();
        self.machines[lost].kill();
        wait_until("the standby is promoted", || self.machines[1 - lost].is("primary"));
        lost
    }

    /// Starts Patroni on a machine that was lost; returns when its PostgreSQL is the synchronous standby.
    pub fn bring_back(&mut self, lost: usize) {
        self.machines[lost].start();
        self.until_standby(lost);
    }

    pub fn until_standby(&self, place: usize) {
        wait_until("the standby is synchronous", || self.machines[place].is("synchronous"));
    }

    /// The place of the primary.
    pub fn primary(&self) -> usize {
        self.machines.iter().position(|machine| machine.is("primary")).expect("a primary")
    }
}

impl Machine {
    /// Whether Patroni says so of its PostgreSQL.
    fn is(&self, role: &str) -> bool {
        let mut curl = Command::new("curl");
        curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "2"]);
        let output = curl.arg(format!("http://127.0.0.1:{}/{role}", self.rest)).output().unwrap();
        output.stdout == b"200"
    }

    fn configure(&self, etcd: &[(String, String)]) {
        let home = self.home();
        fs::create_dir(&home).unwrap();
        let (home, programs) = (home.display().to_string(), debian_programs().display().to_string());
        let at = |port: u16| format!("127.0.0.1:{port}");
        let mut replaced = vec![
            ("name: db-1".to_owned(), format!("name: {}", self.name)),
            ("0.0.0.0:8008".to_owned(), at(self.rest)),
            ("db-1:8008".to_owned(), at(self.rest)),
            ("0.0.0.0:5432".to_owned(), at(self.postgres)),
            ("db-1:5432".to_owned(), at(self.postgres)),
            ("/var/lib/postgresql/17/northgate".to_owned(), format!("{home}/data")),
            ("/usr/lib/postgresql/17/bin".to_owned(), programs),
            ("/var/lib/postgresql/pgpass".to_owned(), format!("{home}/pgpass")),
            ("/etc/patroni/patroni-init.sh".to_owned(), format!("{home}/patroni-init.sh")),
            // Without certificates, on this machine alone, and without a device that resets it.
            ("hostssl".to_owned(), "host".to_owned()),
            ("10.0.0.0/24".to_owned(), "127.0.0.1/32".to_owned()),
            ("mode: automatic".to_owned(), "mode: 'off'".to_owned()),
            (
                "wal_keep_size: 2GB".to_owned(),
                format!(
                    "wal_keep_size: 256MB\n        unix_socket_directories: {home}\n        fsync: 'off'"
                ),
            ),
        ];
        replaced.extend_from_slice(etcd);
        fs::write(self.home().join("patroni.yml"), place("patroni.yml", &replaced)).unwrap();
        let script = self.home().join("patroni-init.sh");
        fs::write(&script, place("patroni-init.sh", &[])).unwrap();
        assert!(Command::new("chmod").arg("755").arg(script).status().unwrap().success());
        let users = format!("{home}/userlist.txt");
        fs::write(&users, "\"northgate\" \"change-me\"\n").unwrap();
        let replaced = [
            ("port=5432".to_owned(), format!("port={}", self.postgres)),
            ("listen_addr = *".to_owned(), "listen_addr = 127.0.0.1".to_owned()),
            ("listen_port = 6432".to_owned(), format!("listen_port = {}", self.pooler)),
            ("/etc/pgbouncer/userlist.txt".to_owned(), users),
        ];
        fs::write(self.home().join("pgbouncer.ini"), place("pgbouncer.ini", &replaced)).unwrap();
    }

    fn start(&mut self) {
        let mut patroni = as_nobody_special(&self.dir);
        patroni.arg("/usr/bin/patroni").arg(self.home().join("patroni.yml"));
        self.patroni = Some(ProcessGuard::start(&patroni, &self.dir, self.name, "TERM"));
    }

    fn start_pooler(&self) -> ProcessGuard {
        let mut pooler = as_nobody_special(&self.dir);
        pooler.arg(packages::debian("pgbouncer")).arg("-q").arg(self.home().join("pgbouncer.ini"));
        ProcessGuard::start(&pooler, &self.dir, &format!("{}-pgbouncer", self.name), "KILL")
    }

    /// As if the machine had lost its power.
    fn kill(&mut self) {
        self.patroni.take().unwrap().end_by_itself("KILL", Duration::from_secs(10));
        let pid = fs::read_to_string(self.home().join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap();
        // All its processes end at once, and nothing is written any more.
        assert!(Command::new("kill").args(["-QUIT", pid]).status().unwrap().success());
    }

    fn home(&self) -> PathBuf {
        self.dir.join(self.name)
    }
}

/// Three etcd, and by what the names of their client ports are replaced.
fn start_etcd(dir: &Path) -> (Vec<ProcessGuard>, Vec<(String, String)>) {
    let ports: Vec<(u16, u16)> = (0..3).map(|_| (free_port(), free_port())).collect();
    let names =
        |port: u16, number: usize, at: u16| (format!("etcd-{number}:{port}"), format!("127.0.0.1:{at}"));
    let clients: Vec<_> =
        (1..).zip(&ports).map(|(number, (client, _))| names(2379, number, *client)).collect();
    let peers: Vec<_> = (1..).zip(&ports).map(|(number, (_, peer))| names(2380, number, *peer)).collect();
    let start = |(number, (client, peer)): (usize, &(u16, u16))| {
        let own = [
            ("ETCD_NAME=etcd-1".to_owned(), format!("ETCD_NAME=etcd-{number}")),
            ("URLS=http://etcd-1:2379".to_owned(), format!("URLS=http://127.0.0.1:{client}")),
            ("URLS=http://etcd-1:2380".to_owned(), format!("URLS=http://127.0.0.1:{peer}")),
            ("0.0.0.0:2379".to_owned(), format!("127.0.0.1:{client}")),
            ("0.0.0.0:2380".to_owned(), format!("127.0.0.1:{peer}")),
            ("/var/lib/etcd/northgate".to_owned(), format!("{}/etcd-{number}", dir.display())),
        ];
        let text = place("etcd.env", &own.into_iter().chain(peers.clone()).collect::<Vec<_>>());
        let mut etcd = Command::new("/usr/bin/etcd");
        etcd.envs(
            text.lines().filter(|line| line.starts_with("ETCD_")).filter_map(|line| line.split_once('=')),
        );
        ProcessGuard::start(&etcd, dir, &format!("etcd-{number}"), "KILL")
    };
    ((1..).zip(&ports).map(start).collect(), clients)
}

/// A file of `deploy/cluster` in which everything that is replaced stands.
fn place(file: &str, replaced: &[(String, String)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/cluster").join(file);
    replaced.iter().fold(fs::read_to_string(path).unwrap(), |text, (from, to)| {
        assert!(text.contains(from), "deploy/cluster/{file} has no {from:?}");
        text.replace(from, to)
    })
}
