//! The house: three nodes, HAProxy before them, databases behind them, and links that can be cut.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::databases::{Databases, ROLE};
use super::node::{Node, Ports};
use northgate_testkit::packages;
use northgate_testkit::ports::free_port;
use northgate_testkit::process_guard::ProcessGuard;

/// By how much the nodes' clocks are off.
pub const CLOCKS_MS: [i64; 3] = [0, 3_000, -2_000];

pub struct House<D = Databases> {
    pub nodes: Vec<Node>,
    pub databases: D,
    pub balancer: u16,
    /// In PEM.
    pub certificate: String,
    _balancer: ProcessGuard,
    _dir: Dir,
}

/// How a node reaches the databases.
#[derive(Clone, Copy)]
pub struct Access {
    pub ports: [u16; 2],
    /// The role, and its password where it has one.
    pub login: &'static str,
    pub database: &'static str,
}

impl House {
    pub async fn build() -> House {
        let dir = Dir::new();
        let databases = Databases::start(dir.path(), [free_port(), free_port()]).await;
        let access = Access { ports: databases.ports(), login: ROLE, database: "postgres" };
        House::over(dir, databases, [access; 3]).await
    }
}

impl<D> House<D> {
    /// Over databases that run, with each node's way to them.
    pub async fn over(dir: Dir, databases: D, access: [Access; 3]) -> House<D> {
        let certificate = make_certificate(dir.path());
        let mut nodes = Vec::new();
        for (number, (clock_ms, access)) in CLOCKS_MS.into_iter().zip(access).enumerate() {
            let ports = Ports { public: free_port(), private: free_port() };
            nodes.push(Node::new(number + 1, dir.path(), ports, access, clock_ms).await);
        }
        nodes[0].set_up();
        nodes.iter_mut().for_each(Node::start);
        let balancer = free_port();
        let process = start_balancer(&dir.0, balancer, &nodes);
        House { nodes, databases, balancer, certificate, _balancer: process, _dir: dir }
    }

    /// How often a grant was found to have gone back and caught up.
    pub fn caught_up(&self) -> usize {
        let message = "behind its refresh token and has caught up";
        self.nodes.iter().map(|node| node.log().matches(message).count()).sum()
    }

    /// How often a close at the bound of closed grants has ended all tokens of its application.
    pub fn ended_all(&self) -> usize {
        let message = "all its tokens were revoked instead";
        self.nodes.iter().map(|node| node.log().matches(message).count()).sum()
    }

    /// How many requests found no room in a queue.
    pub fn turned_away(&self) -> usize {
        self.nodes.iter().map(|node| node.log().matches(r#""outcome":"busy""#).count()).sum()
    }

    /// What nodes said of things that must not happen.
    pub fn panics(&self) -> usize {
        self.nodes.iter().map(|node| node.log().matches("panicked").count()).sum()
    }
}

/// The very file of `deploy/cluster`, with other addresses, and plain health checks as on any loopback address.
fn start_balancer(dir: &Path, port: u16, nodes: &[Node]) -> ProcessGuard {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/cluster/haproxy.cfg");
    let mut text = fs::read_to_string(file).unwrap();
    let mut replace = |from: &str, to: &str| {
        assert!(text.contains(from), "deploy/cluster/haproxy.cfg has no {from:?}");
        text = text.replace(from, to);
    };
    // Two open files for each of them, which not every machine allows.
    replace("maxconn 20000", "maxconn 2000");
    replace("bind :8743", &format!("bind 127.0.0.1:{port}"));
    replace(" check-ssl verify required ca-file /etc/haproxy/northgate-ca.pem", "");
    for (number, node) in nodes.iter().enumerate() {
        let Ports { public, private } = node.links();
        let name = format!("northgate-{}", number + 1);
        replace(&format!("{name}:8743 port 8744"), &format!("127.0.0.1:{public} port {private}"));
    }
    fs::write(dir.join("haproxy.cfg"), text).unwrap();
    let mut command = Command::new(packages::debian("haproxy"));
    command.args(["-db", "-f"]).arg(dir.join("haproxy.cfg"));
    ProcessGuard::start(&command, dir, "haproxy", "KILL")
}

fn make_certificate(dir: &Path) -> String {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
    // The program rejects a file that others can read.
    let key = dir.join("key.pem");
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    assert!(Command::new("chmod").arg("600").arg(key).status().unwrap().success());
    made.cert.pem()
}

/// Removed at the end, unless something was wrong: then the logs in it are worth reading.
pub struct Dir(PathBuf);

impl Dir {
    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn new() -> Dir {
        let dir = std::env::temp_dir().join(format!("northgate-campaign-{}", std::process::id()));
        fs::create_dir(&dir).unwrap();
        Dir(dir)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
