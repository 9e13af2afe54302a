//! Laws of a reload: all that can be taken over is, at once and as a whole, and an operator hears the rest by name.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use northgate_testkit::northgate::Northgate;
use northgate_testkit::wait_until;

use crate::bare::Bare;

fn start(configuration: &str) -> Northgate {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("northgate.toml"), configuration).unwrap();
    Northgate::start_in(home, &[("NORTHGATE_CONFIG", "northgate.toml")])
}

fn configure(server: &Northgate, configuration: &str) {
    fs::write(server.home.path().join("northgate.toml"), configuration).unwrap();
}

/// The status of a refresh whose body has `size` bytes and is not one.
fn status_of_a_body(server: &Northgate, size: usize) -> String {
    let url = format!("https://{}/iocm/app/sec/v1.1.0/refreshToken", server.public);
    let mut curl = Command::new("curl");
    curl.args(["-sk", "-o", "body", "-w", "%{http_code}", "-H", "Content-Type: application/json"]);
    let answer = server.output(curl.args(["-d", &"x".repeat(size), &url]));
    String::from_utf8(answer.stdout).unwrap()
}

/// The serial number of the certificate that a new connection gets.
fn certificate(server: &Northgate) -> String {
    let script = format!(
        "openssl s_client -connect {} </dev/null 2>/dev/null | openssl x509 -noout -serial",
        server.public
    );
    let answer = server.output(Command::new("/bin/bash").args(["-c", &script]));
    String::from_utf8(answer.stdout).unwrap()
}

#[test]
fn a_reload_takes_over_limits_logging_policies_and_the_paths_of_certificates() {
    let server = start("[log]\nlevel = 'info'\n");
    server.tell(&["status"]);
    assert_eq!(status_of_a_body(&server, 2000), "400");
    let first = certificate(&server);
    let make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost \
                -addext subjectAltName=DNS:localhost -keyout new.key -out new.pem";
    assert!(server.output(Command::new("/bin/bash").args(["-c", make])).status.success());

    configure(
        &server,
        "[log]\nlevel = 'debug'\nformat = 'json'\n[limits]\nbody = '1KiB'\n[policy]\nmax_grants = 7\n\
         [tls]\ncertificates = ['new.pem']\nkeys = ['new.key']\n",
    );
    let shown = server.tell(&["config", "check", "--diff"]);
    assert_eq!(status_of_a_body(&server, 2000), "400", "a look changes nothing");
    let told = server.tell(&["reload"]);

    assert_eq!(told, shown);
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(
        lines,
        [
            "limits.body: \"16KiB\" -> \"1KiB\"",
            "log.format: \"text\" -> \"json\"",
            "log.level: \"info\" -> \"debug\"",
            "policy.max_grants: 32 -> 7",
            "tls.certificates: [] -> [\"new.pem\"]",
            "tls.keys: [] -> [\"new.key\"]",
        ]
    );
    assert_eq!(status_of_a_body(&server, 2000), "413");
    assert_ne!(certificate(&server), first);
    wait_until("a line of the log is JSON", || server.log().lines().any(|line| line.starts_with('{')));
    assert_eq!(server.tell(&["reload"]), "nothing changed\n");
}

#[test]
fn a_hangup_reloads_as_the_command_does() {
    let server = start("");
    server.tell(&["status"]);
    configure(&server, "[limits]\nbody = '1KiB'\n");
    server.signal("-HUP");
    wait_until("the new bound is in force", || status_of_a_body(&server, 2000) == "413");
    assert!(server.log().contains("the configuration was reloaded"), "{}", server.log());
    assert!(server.log().contains("limits.body"), "{}", server.log());
}

#[test]
fn a_setting_that_is_read_at_the_start_is_named_until_the_restart() {
    let server = start("");
    configure(&server, "[limits]\nthreads = 3\nbody = '1KiB'\n");
    let told = server.tell(&["reload"]);
    assert!(told.contains("limits.body: \"16KiB\" -> \"1KiB\"\n"), "{told}");
    assert!(told.contains("limits.threads: 0 -> 3  (needs a restart)\n"), "{told}");
    assert_eq!(server.tell(&["reload"]), "limits.threads: 0 -> 3  (needs a restart)\n");
    wait_until("the log names it", || server.log().contains("limits.threads"));
}

#[test]
fn a_broken_configuration_changes_nothing_and_each_fault_of_it_is_named() {
    let server = start("");
    let broken = "[limits]\nbody = '1KiB'\nbodytime = '1s'\n[policy]\naccess_lifetime = 'soon'\n[tls]\ncertificates = ['gone.pem']\nkeys = ['gone.key']\n";
    for command in [&["reload"][..], &["config", "check", "--diff"]] {
        configure(&server, broken);
        let output = server.run(command);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        for fault in ["nothing changed", "bodytime", "policy.access_lifetime"] {
            assert!(said.contains(fault), "{fault} is not in {said}");
        }
        configure(
            &server,
            "[limits]\nbody = '1KiB'\n[tls]\ncertificates = ['gone.pem']\nkeys = ['gone.key']\n",
        );
        let said = String::from_utf8(server.run(command).stderr).unwrap();
        assert!(said.contains("nothing changed") && said.contains("gone.pem"), "{said}");
    }
    assert_eq!(status_of_a_body(&server, 2000), "400", "the bound that stood before");
    server.signal("-HUP");
    wait_until("the log says why", || server.log().contains("the configuration was not reloaded"));
    assert_eq!(status_of_a_body(&server, 2000), "400");
}

#[test]
fn the_default_of_a_policy_changes_for_applications_that_follow_it() {
    let server = start("");
    let printed = server.printed();
    let application = printed.split_whitespace().find(|word| word.len() == 28).unwrap_or_default().to_owned();
    let login = |server: &Northgate| {
        let secret = printed.split_whitespace().find(|word| word.starts_with("ngs_")).unwrap_or_default();
        let url = format!("https://{}/iocm/app/sec/v1.1.0/login", server.public);
        let secret = secret.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-');
        let body = format!("appId={application}&secret={secret}");
        let answer = server.output(Command::new("curl").args(["-sk", "-d", &body, &url]));
        String::from_utf8(answer.stdout).unwrap()
    };
    assert!(login(&server).contains("\"expiresIn\":3600"), "{}", login(&server));
    configure(&server, "[policy]\naccess_lifetime = '10m'\n");
    server.tell(&["reload"]);
    assert!(login(&server).contains("\"expiresIn\":600"), "{}", login(&server));
}

#[test]
fn the_service_manager_hears_when_a_reload_begins_and_ends() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    let mut server = Bare::spawn(home, &[("NOTIFY_SOCKET", path.to_str().unwrap())], Stdio::null());
    let next = || {
        let mut message = [0; 128];
        let length = manager.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    };
    assert_eq!(next(), "READY=1\n");
    server.signal("-HUP");
    let (state, time) =
        next().split_once('\n').map(|(state, time)| (state.to_owned(), time.to_owned())).unwrap();
    assert_eq!(state, "RELOADING=1");
    let time = time.trim_end().strip_prefix("MONOTONIC_USEC=").unwrap().to_owned();
    assert!(time.parse::<u64>().is_ok(), "{time}");
    assert_eq!(next(), "READY=1\n");
    assert_eq!(server.stopped(), 0);
}
