//! Laws of the limit of open files.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;

use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};

use crate::certificates;
use northgate_testkit::eventually;
use northgate_testkit::northgate::{Northgate, northgate};

/// The limit that many systems have for services that ask for nothing.
const FEW: (&str, &str) = ("NOFILE", "256");

async fn silent(from: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, from), 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

fn curl(server: &Northgate, url: &str) -> String {
    let output = server.output(Command::new("curl").args([
        "-sSk",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "-m",
        "20",
        url,
    ]));
    String::from_utf8(output.stdout).unwrap()
}

fn open_files(server: &Northgate) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count()
}

/// Silent connections to the public listener used up all descriptors: `/health/live` did not answer, so that the process was
/// restarted, certificates were not reloaded, and backups failed.
#[tokio::test]
async fn silent_connections_leave_descriptors_to_the_private_listener_and_the_files() {
    let settings = [
        FEW,
        ("NORTHGATE_LIMITS_HANDSHAKE_TIME", "10m"),
        certificates::BOTH[0],
        certificates::BOTH[1],
        certificates::BOTH[2],
    ];
    let server = Northgate::start_in(certificates::home(), &settings);
    let mut held = Vec::new();
    for number in 0..400_u32 {
        held.push(silent(2 + (number % 200) as u8, server.public).await);
    }
    eventually("the connections are accepted", async || open_files(&server) >= 144).await;
    assert_eq!(curl(&server, &format!("http://{}/health/live", server.private)), "200");
    certificates::write(server.home.path(), "ecdsa", &rcgen::PKCS_ECDSA_P256_SHA256);
    server.signal("-HUP");
    let line = "new TLS certificates are in use";
    eventually(line, async || server.log().contains(line)).await;
    server.tell(&["backup", "backup.db"]);
    assert!(server.home.path().join("backup.db").exists());
    server.tell(&["app", "list"]);
    // Silent connections give way to one that speaks.
    assert_eq!(curl(&server, &format!("https://{}/", server.public)), "404");
    assert!(open_files(&server) < 256);
}

/// On the private listener, connections are limited as well.
#[tokio::test]
async fn silent_connections_to_the_private_listener_give_way_too() {
    let server = Northgate::start(&[FEW]);
    let mut held = Vec::new();
    for _ in 0..300 {
        held.push(silent(1, server.private).await);
    }
    assert_eq!(curl(&server, &format!("http://{}/health/live", server.private)), "200");
    assert_eq!(curl(&server, &format!("https://{}/", server.public)), "404");
    assert!(open_files(&server) < 256);
}

#[test]
fn too_few_descriptors_stop_the_start_with_what_is_needed() {
    let home: TempDir = tempfile::tempdir().unwrap();
    let output = northgate(home.path()).env("NOFILE", "80").args(["serve", "--dev"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    let sentence = "the limit of open files is 80, and at least 96 are needed: raise it (LimitNOFILE in systemd, ulimit -n elsewhere)";
    assert!(said.contains(sentence), "{said}");
}

#[test]
fn a_start_says_how_many_connections_fit() {
    let home: TempDir = tempfile::tempdir().unwrap();
    let mut command = northgate(home.path());
    // The address is taken and there is no certificate, so that the start ends here.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    command.env("NOFILE", "1024").args(["serve", "--listen", &address]);
    let said = String::from_utf8_lossy(&command.output().unwrap().stderr).into_owned();
    assert!(
        said.contains("fewer connections than limits.connections fit into the limit of open files"),
        "{said}"
    );
    assert!(
        said.contains("public=720") && said.contains("private=240") && said.contains("per_source=180"),
        "{said}"
    );
}
