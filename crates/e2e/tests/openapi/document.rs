//! The document itself: where it is, whether it is valid, and which paths it names on which listener.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use northgate_testkit::venv::venv;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listener {
    Public,
    Private,
}

/// Those that OpenAPI 3.1 has a word for, but for TRACE, which generators of clients do not know.
pub const METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// The methods of a path on a listener.
pub type Paths = BTreeMap<(Listener, String), BTreeSet<String>>;

pub fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.yaml")
}

/// A Python that has schemathesis and what else reads such documents.
pub fn python() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/openapi");
    venv("openapi", &here.join("requirements.txt"))
}

pub fn read() -> Value {
    let to_json = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
    let output = Command::new(python()).args(["-c", to_json]).arg(path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Everything that the document names.
pub fn paths() -> Paths {
    let document = read();
    let mut paths = Paths::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = METHODS.iter().filter(|method| item.get(method.to_lowercase()).is_some());
        let methods: BTreeSet<String> = methods.map(|method| (*method).to_owned()).collect();
        let servers = item.get("servers").unwrap_or(&document["servers"]).as_array().unwrap();
        for server in servers {
            paths.insert((listener(server), path.clone()), methods.clone());
        }
    }
    paths
}

/// The one that a server of the document is, by its usual port.
fn listener(server: &Value) -> Listener {
    let url = server["url"].as_str().unwrap();
    let is_public = url.ends_with(":{port}") && server["variables"]["port"]["default"] == "8743";
    match url.rsplit(':').next() {
        Some("8744") => Listener::Private,
        Some("8743") => Listener::Public,
        _ if is_public => Listener::Public,
        other => panic!("{other:?} is the port of neither listener"),
    }
}

#[test]
fn the_document_is_valid() {
    let mut validator = Command::new(python());
    let output = validator.args(["-m", "openapi_spec_validator"]).arg(path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
