//! schemathesis asks a running server whatever the document says that may be asked, and what it says that may not, and
//! holds each answer to it. Each part of the document has a server of its own: a run against the admin API deletes what
//! the others need.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::document::{self, Listener};
use northgate_testkit::northgate::Northgate;

/// What stands in the document, each bound of it, anything, and one question after the other.
const ALL: &str = "examples,coverage,fuzzing,stateful";

/// What is asked in one run.
struct Part {
    listener: Listener,
    tags: &'static [&'static str],
    phases: &'static str,
    dialect: &'static str,
}

#[test]
fn applications_are_answered_as_documented() {
    let tags = &["Application API", "OAuth 2.0"];
    ask(&Part { listener: Listener::Public, tags, phases: ALL, dialect: "intl" });
}

#[test]
fn applications_are_answered_as_documented_in_the_chinese_dialect() {
    let (tags, phases) = (&["Application API"], "examples,coverage");
    ask(&Part { listener: Listener::Public, tags, phases, dialect: "cn" });
}

#[test]
fn gateways_and_whoever_looks_after_it_are_answered_as_documented() {
    // Nothing there makes what another question is about.
    let (tags, phases) = (&["Gateways", "Operation"], "examples,coverage,fuzzing");
    ask(&Part { listener: Listener::Private, tags, phases, dialect: "intl" });
}

#[test]
fn the_operator_is_answered_as_documented() {
    ask(&Part { listener: Listener::Private, tags: &["Admin API"], phases: ALL, dialect: "intl" });
}

fn ask(part: &Part) {
    let server = Northgate::start(&[
        ("NORTHGATE_API_DIALECT", part.dialect),
        ("NORTHGATE_API_V3_LOGIN", "on"),
        // Most of what is asked is wrong, and shall be looked at all the same.
        ("NORTHGATE_LIMITS_FAILURES_PER_SOURCE", "0"),
        ("NORTHGATE_LIMITS_FAILURES_PER_APPLICATION", "0"),
    ]);
    let known = Known::new(&server);
    fs::write(server.home.path().join("openapi.yaml"), known.in_examples()).unwrap();
    let url = match part.listener {
        Listener::Public => format!("https://{}", server.public),
        Listener::Private => format!("http://{}", server.private),
    };
    let mut schemathesis = Command::new(document::python().with_file_name("st"));
    schemathesis
        .arg("--config-file")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi/schemathesis.toml"));
    schemathesis.args(["run", "openapi.yaml", "--no-color", "--url", &url, "--phases", part.phases]);
    schemathesis.args(part.tags.iter().flat_map(|tag| ["--include-tag", tag]));
    schemathesis.args(["--report", "json", "--report-json-path", "report.json"]);
    known.tell(&mut schemathesis);
    let output = server.output(&mut schemathesis);
    let heard = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{heard}\n{}", String::from_utf8_lossy(&output.stderr));
    let report = fs::read(server.home.path().join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["operations"]["tested"], report["operations"]["selected"]);
    assert_each_succeeded(&report);
}

/// A run in which everything is refused would find nothing wrong.
fn assert_each_succeeded(report: &Value) {
    let operations = report["valid_rates"].as_object().unwrap();
    assert_eq!(operations.len() as u64, report["operations"]["selected"].as_u64().unwrap());
    for (operation, phases) in operations {
        let accepted = phases.as_object().unwrap().values().map(|phase| phase["accepted"].as_u64().unwrap());
        assert!(accepted.sum::<u64>() > 0, "{operation} was never answered with success: {phases}");
    }
}

/// What exists on the server, for operations that need it.
struct Known {
    app_id: String,
    secret: String,
    /// Of one login the token that calls are made with, of another one what examples use up.
    access_token: String,
    spent_access_token: String,
    refresh_token: String,
    admin_token: String,
}

impl Known {
    fn new(server: &Northgate) -> Known {
        // The applications of the examples of the admin API: one to be deleted, and one with the secret and the credential 1.
        server.tell(&["app", "create", "Meters", "--app-id", "meters-0"]);
        server.tell(&["app", "create", "Meters", "--app-id", "meters-1"]);
        server.tell(&["app", "credential", "add", "meters-1", "--subject", "CN=another"]);
        let created = server.tell(&["app", "create", "Caller", "--json"]);
        let created: Value = serde_json::from_str(&created).unwrap();
        let (app_id, secret) = (text(&created, "appId"), text(&created, "secret"));
        let login = || {
            let url = format!("https://{}/iocm/app/sec/v1.1.0/login", server.public);
            let form = format!("appId={app_id}&secret={secret}");
            let output = server.output(Command::new("curl").args(["-sSk", "--data", &form, &url]));
            let pair: Value = serde_json::from_slice(&output.stdout).unwrap();
            (text(&pair, "accessToken"), text(&pair, "refreshToken"))
        };
        let ((access_token, refresh_token), (spent_access_token, _)) = (login(), login());
        let admin_token = server.home.path().join("northgate-data/admin-token");
        let admin_token = fs::read_to_string(admin_token).unwrap().trim().to_owned();
        Known { app_id, secret, access_token, spent_access_token, refresh_token, admin_token }
    }

    /// The document, with examples that this server answers with success.
    fn in_examples(&self) -> String {
        let examples = [
            ("2CBkP0zdqVo8iNdhShe9e6kVEEOe", &self.app_id),
            ("ngs_an-example-of-a-secret", &self.secret),
            ("AQIAAQ-an-example-of-a-refresh-token", &self.refresh_token),
            ("AQEAAQ-an-example-of-an-access-token", &self.spent_access_token),
        ];
        let mut document = fs::read_to_string(document::path()).unwrap();
        for (example, real) in examples {
            assert!(document.contains(example), "the document has no {example}");
            document = document.replace(example, real);
        }
        document
    }

    /// The variables of `schemathesis.toml`.
    fn tell(&self, command: &mut Command) {
        command.env("APP_ID", &self.app_id).env("SECRET", &self.secret);
        command.env("ACCESS_TOKEN", &self.access_token).env("ADMIN_TOKEN", &self.admin_token);
    }
}

fn text(object: &Value, member: &str) -> String {
    object[member].as_str().unwrap_or_else(|| panic!("no {member} in {object}")).to_owned()
}
