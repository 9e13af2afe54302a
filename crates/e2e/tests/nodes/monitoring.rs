//! The files in `deploy/monitoring`, with Prometheus' own tool and the metrics of running servers.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use northgate_testkit::northgate::Northgate;
use northgate_testkit::{packages, repository};

use crate::installation::Installation;

fn promtool() -> Command {
    packages::debian_package("prometheus", "/usr/bin/promtool");
    let mut promtool = Command::new("/usr/bin/promtool");
    promtool.current_dir(repository("deploy/monitoring"));
    promtool
}

fn metrics(server: &Northgate) -> String {
    let url = format!("http://{}/metrics", server.private);
    let answer = Command::new("curl").args(["-sSf", &url]).output().unwrap();
    String::from_utf8(answer.stdout).unwrap()
}

/// The names of the samples that a server shows.
fn names(metrics: &str) -> BTreeSet<String> {
    let samples = metrics.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

/// The names of metrics in a text with expressions.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let of_ours = |word: &&str| word.starts_with("northgate_") || word.starts_with("process_");
    words.filter(of_ours).map(str::to_owned).collect()
}

/// The expressions of a dashboard, anywhere in it.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("expr").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| expressions(member, found));
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_of_the_alerts_and_the_dashboard_is_shown_by_a_server_of_one_kind() {
    let embedded = Northgate::start(&[]);
    let installation = Installation::of(1).await;
    let mut shown = names(&metrics(&embedded));
    shown.extend(names(&metrics(&installation.nodes[0])));
    let file = |name: &str| fs::read_to_string(repository("deploy/monitoring").join(name)).unwrap();
    let mut found = Vec::new();
    expressions(&serde_json::from_str(&file("dashboard.json")).unwrap(), &mut found);
    assert!(found.len() > 16, "{found:?}");
    let mut wanted = named(&found.join(" "));
    wanted.extend(named(&file("alerts.yaml")));
    let missing: Vec<&String> = wanted.difference(&shown).collect();
    assert!(missing.is_empty(), "no server shows {missing:?}");
}

#[test]
fn prometheus_takes_the_metrics_the_alerts_and_the_tests_of_the_alerts() {
    let server = Northgate::start(&[]);
    let mut check = promtool();
    let mut check =
        check.args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    check.stdin.take().unwrap().write_all(metrics(&server).as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for arguments in [["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]] {
        let output = promtool().args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }
}
