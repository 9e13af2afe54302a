//! Signals at every moment: during the start, while it serves, and during a stop that takes its time.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::bare::{Bare, named_pipe};
use northgate_testkit::northgate::northgate;

/// Signals that tools send for reasons that must not end a token service.
const HARMLESS: [&str; 10] =
    ["-HUP", "-USR1", "-USR2", "-PIPE", "-ALRM", "-VTALRM", "-PROF", "-29", "-XFSZ", "-HUP"];

/// A start that waits in `server`: nothing harmless ends it, and a stop does.
fn is_ended_by_a_stop_only(server: &mut Bare) {
    HARMLESS.iter().for_each(|signal| server.signal(signal));
    assert_eq!(server.stopped(), 0);
}

// A certificate hook sent SIGHUP right after the boot, while a million applications were read, and the service was down.
#[test]
fn no_signal_but_a_stop_ends_a_start_that_waits_for_a_file() {
    for (variable, file) in [
        ("NORTHGATE_CONFIG", "northgate.toml"),
        ("NORTHGATE_KEYRING", "keyring.toml"),
        ("NORTHGATE_TLS_CERTIFICATES", "cert.pem"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let pipe = named_pipe(home.path(), file);
        // Both ends are held here, so that the server's reading begins and never ends.
        let _held = OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
        let settings = [(variable, file), ("NORTHGATE_TLS_KEYS", "key.pem")];
        let settings = if variable.contains("TLS") { &settings[..] } else { &settings[..1] };
        let mut server = Bare::spawn(home, settings, Stdio::null());
        server.waits_for(&pipe);
        is_ended_by_a_stop_only(&mut server);
    }
}

#[test]
fn no_signal_but_a_stop_ends_a_start_that_waits_for_the_database() {
    let database = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://northgate@{}/northgate?sslmode=disable", database.local_addr().unwrap());
    let home = tempfile::tempdir().unwrap();
    let settings = [("NORTHGATE_DATABASE_URL", url.as_str()), ("NORTHGATE_DATABASE_CONNECT_TIMEOUT", "1m")];
    let mut server = Bare::spawn(home, &settings, Stdio::null());
    // It is let in and hears nothing more.
    let _connection = database.accept().unwrap();
    is_ended_by_a_stop_only(&mut server);
}

#[test]
fn a_start_goes_on_whatever_signals_come_from_its_first_moment_to_its_last() {
    let home = tempfile::tempdir().unwrap();
    let pipe = named_pipe(home.path(), "northgate.toml");
    let mut server = Bare::spawn(home, &[("NORTHGATE_CONFIG", "northgate.toml")], Stdio::null());
    server.handles_signals();
    HARMLESS.iter().for_each(|signal| server.signal(signal));
    fs::write(pipe, "[log]\nlevel = 'debug'\n").unwrap();
    let address = server.home.path().join("northgate-data/admin-address");
    while !address.exists() {
        server.signal("-HUP");
        assert!(!server.has_ended());
    }
    assert_eq!(server.get("/health/live"), r#"{"status":"ok"}"#);
    HARMLESS.iter().for_each(|signal| server.signal(signal));
    assert_eq!(server.get("/health/live"), r#"{"status":"ok"}"#);
    assert_eq!(server.stopped(), 0);
}

// While the program is loaded no handler can stand: a SIGHUP in that millisecond ended the service. systemd holds a reload back
// until it hears that the start is over.
#[test]
fn the_service_manager_hears_that_requests_are_served_and_not_before() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_nonblocking(true).unwrap();
    let pipe = named_pipe(home.path(), "northgate.toml");
    let settings = [("NORTHGATE_CONFIG", "northgate.toml"), ("NOTIFY_SOCKET", path.to_str().unwrap())];
    let mut server = Bare::spawn(home, &settings, Stdio::null());
    server.handles_signals();
    let mut message = [0; 64];
    assert!(manager.recv(&mut message).is_err(), "ready before its configuration is read");

    fs::write(pipe, "").unwrap();
    let mut length = 0;
    server.until("the service manager is told", |_| {
        length = manager.recv(&mut message).unwrap_or(0);
        length > 0
    });
    assert_eq!(std::str::from_utf8(&message[..length]), Ok("READY=1\n"));
    assert_eq!(server.get("/health/live"), r#"{"status":"ok"}"#);
    assert_eq!(server.stopped(), 0);
}

/// A request on the private listener that its client does not finish.
fn half_a_request(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = "POST /oauth2/introspect HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n\r\ntoken=";
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[test]
fn a_second_request_to_stop_ends_the_server_at_once() {
    let patient = [("NORTHGATE_LIMITS_STOP_TIME", "1h"), ("NORTHGATE_LIMITS_BODY_TIME", "10m")];
    for (signal, code) in [("-TERM", 143), ("-INT", 130), ("-QUIT", 131)] {
        let mut server = Bare::spawn(tempfile::tempdir().unwrap(), &patient, Stdio::null());
        let address = server.private();
        server.get("/health/live");
        let _request = half_a_request(&address);
        server.signal("-TERM");
        // The stop has begun, and waits for the request.
        server.until("no more connections are taken", |_| TcpStream::connect(&address).is_err());
        while !server.has_ended() {
            server.signal(signal);
        }
        assert_eq!(server.ended().code(), Some(code));
    }
}

// `timeout` signals its process and then the group of it: that is one request.
#[test]
fn one_request_that_arrives_twice_is_one() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new("timeout");
    command.args(["--preserve-status", "-s", "TERM", "1000", northgate_testkit::program()]);
    let mut server = Bare::spawn_as(&mut command, home, &[], Stdio::null());
    server.get("/health/live");
    assert_eq!(server.stopped(), 0);
}

/// Makes the database larger than all the buffers of a connection.
fn fill(home: &Path) {
    let fill = "import sqlite3; c = sqlite3.connect('northgate-data/northgate.db'); \
                c.execute('CREATE TABLE filler (bytes)'); \
                c.execute('INSERT INTO filler VALUES (zeroblob(33554432))'); c.commit()";
    let filled = Command::new("python3").args(["-c", fill]).current_dir(home).output().unwrap();
    assert!(filled.status.success(), "{filled:?}");
}

// An unread download, an unfinished request and a gateway waiting for the feed each delayed the stop.
#[test]
fn a_stop_has_a_bound_whatever_clients_do_not_do() {
    let mut server = Bare::spawn(tempfile::tempdir().unwrap(), &[], Stdio::null());
    server.get("/health/live");
    assert_eq!(server.stopped(), 0);
    let home = std::mem::replace(&mut server.home, tempfile::tempdir().unwrap());
    fill(home.path());

    let mut server = Bare::spawn(home, &[("NORTHGATE_LIMITS_STOP_TIME", "1s")], Stdio::null());
    let address = server.private();
    server.get("/health/live");
    let _request = half_a_request(&address);
    let mut silent = TcpStream::connect(&address).unwrap();
    silent.write_all(b"GET /revocations?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let token = fs::read_to_string(server.home.path().join("northgate-data/admin-token")).unwrap();
    let mut download = TcpStream::connect(&address).unwrap();
    let request = format!(
        "GET /admin/v1/backup HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        token.trim()
    );
    download.write_all(request.as_bytes()).unwrap();
    // The answer has begun, and the rest of it is not read.
    download.read_exact(&mut [0; 100]).unwrap();
    assert_eq!(server.stopped(), 0);
}

// The files of a certificate were on a server that had gone away: the thread that read them held up the stop for ever.
#[test]
fn a_stop_does_not_wait_for_a_certificate_that_cannot_be_read() {
    let home = tempfile::tempdir().unwrap();
    let settings = [("NORTHGATE_TLS_RELOAD_EVERY", "1s")];
    let mut server = Bare::spawn(home, &settings, Stdio::null());
    server.get("/health/live");
    let tls = server.home.path().join("northgate-data/tls");
    let pipe = named_pipe(&tls, "pipe.pem");
    let _held = OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    fs::rename(&pipe, tls.join("cert.pem")).unwrap();
    server.waits_for(&tls.join("cert.pem"));
    assert_eq!(server.stopped(), 0);
}

#[test]
fn the_port_that_the_system_chose_is_the_one_that_is_said() {
    let mut server = Bare::spawn(tempfile::tempdir().unwrap(), &[], Stdio::null());
    let private = server.private();
    server.get("/health/live");
    let printed = server.printed();
    assert!(printed.contains(&format!("its operator on http://{private}.")), "{printed}");
    let public = printed.split("https://").nth(1).unwrap().split([' ', '/']).next().unwrap();
    let port = public.strip_prefix("localhost:").unwrap();
    assert_ne!(port, "0");
    let metadata = format!("https://{public}/.well-known/oauth-authorization-server");
    let metadata = Command::new("curl").args(["-sSk", &metadata]).output().unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    assert_eq!(metadata["issuer"], format!("https://localhost:{port}"));
    // The command line finds the server.
    server.command(&["app", "list"]);
    assert_eq!(server.stopped(), 0);
    let missing = tempfile::tempdir().unwrap();
    let list = ["app", "list", "--admin-listen", "127.0.0.1:0", "--data-dir", "."];
    fs::write(missing.path().join("admin-token"), "0123456789abcdef\n").unwrap();
    assert!(
        Command::new("chmod")
            .args(["600", "admin-token"])
            .current_dir(missing.path())
            .status()
            .unwrap()
            .success()
    );
    let said = northgate(missing.path()).args(list).output().unwrap();
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("the port of admin_listen is 0"), "{said}");
}
