//! Laws of the command line on another machine than the server's: a URL, the authorities to trust and a token are all it needs.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use northgate_testkit::northgate::{Northgate, northgate};
use northgate_testkit::wait_until;
use serde_json::Value;
use tempfile::TempDir;

/// A server whose private listener is on all addresses, with TLS.
struct Exposed {
    home: TempDir,
    port: String,
    server: Child,
}

impl Exposed {
    fn start() -> Exposed {
        let home = tempfile::tempdir().unwrap();
        let make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost \
                    -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:localhost \
                    -keyout key.pem -out cert.pem";
        let made = Command::new("/bin/bash").args(["-c", make]).current_dir(home.path()).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let mut serve = northgate(home.path());
        serve.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "0.0.0.0:0"]);
        serve.envs([("NORTHGATE_TLS_CERTIFICATES", "cert.pem"), ("NORTHGATE_TLS_KEYS", "key.pem")]);
        let server = serve.stderr(Stdio::null()).spawn().unwrap();
        let address = home.path().join("northgate-data/admin-address");
        wait_until("the listeners are open", || address.exists());
        let port = fs::read_to_string(address).unwrap().trim_end().rsplit(':').next().unwrap().to_owned();
        Exposed { home, port, server }
    }

    fn file(&self, name: &str) -> String {
        self.home.path().join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Exposed {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A command on a machine that has none of the server's files.
fn elsewhere(here: &Path, arguments: &[&str]) -> Output {
    northgate(here).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn a_url_an_authority_and_a_token_are_enough() {
    let server = Exposed::start();
    let here = tempfile::tempdir().unwrap();
    let url = format!("https://localhost:{}", server.port);
    let (authority, token) = (server.file("cert.pem"), server.file("northgate-data/admin-token"));
    let create = ["app", "create", "meters", "--server", &url, "--ca", &authority, "--token-file", &token];
    let created = elsewhere(here.path(), &create);
    assert!(created.status.success(), "{created:?}");
    let list =
        ["--server", &url, "--ca", &authority, "--token-file", &token, "--output", "json", "app", "list"];
    let listed: Value = serde_json::from_slice(&elsewhere(here.path(), &list).stdout).unwrap();
    assert_eq!(listed["applications"][0]["name"], "meters");
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn a_server_that_no_authority_vouches_for_gets_no_token() {
    let server = Exposed::start();
    let here = tempfile::tempdir().unwrap();
    let token = server.file("northgate-data/admin-token");
    for (host, authority) in [("localhost", None), ("127.0.0.1", Some(server.file("cert.pem")))] {
        let url = format!("https://{host}:{}", server.port);
        let mut list = vec!["app", "list", "--server", &url, "--token-file", &token];
        list.extend(authority.iter().flat_map(|file| ["--ca", file]));
        let output = elsewhere(here.path(), &list);
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains("certificate"), "{}", said(&output));
    }
}

#[test]
fn a_token_is_never_sent_in_clear_to_another_machine_and_a_missing_one_is_named() {
    let here = tempfile::tempdir().unwrap();
    let output = elsewhere(here.path(), &["status", "--server", "http://192.0.2.1:8744"]);
    assert!(said(&output).contains("in clear"), "{}", said(&output));
    let output = elsewhere(here.path(), &["status", "--server", "https://192.0.2.1:8744"]);
    assert!(said(&output).contains("--token-file"), "{}", said(&output));
}

#[test]
fn errors_are_json_where_that_is_asked_for() {
    let server = Northgate::start(&[]);
    for (command, code, error) in [
        (&["app", "show", "nowhere", "--json"][..], 1, "unknown-application"),
        (&["app", "delete", "nowhere", "--output", "json"], 1, "failed"),
        (&["app", "list", "--frobnicate", "--json"], 2, "wrong-usage"),
        (&["app", "create", "a ", "--json"], 2, "wrong-usage"),
    ] {
        let output = server.run(command);
        assert_eq!(output.status.code(), Some(code), "{command:?}");
        let members: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(members["error"], error, "{command:?}");
        assert!(members["detail"].is_string() && output.stdout.is_empty(), "{members}");
    }
}
