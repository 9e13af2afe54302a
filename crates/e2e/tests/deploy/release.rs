//! Everything that a release consists of, made of the program under test.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use northgate_testkit::{cache, packages, program, repository};

use crate::content;

/// As `deploy/release` does it, for a machine with these habits.
fn make(output: &Path, habits: &[(&str, &str)], umask: &str) {
    for (package, file) in
        [("binutils", "/usr/bin/strip"), ("buildah", "/usr/bin/buildah"), ("rpm", "/usr/bin/rpmbuild")]
    {
        packages::debian_package(package, file);
    }
    let mut release = Command::new("bash");
    release.args(["-c", r#"umask "$1"; shift; exec "$@""#, "bash", umask]).arg(repository("deploy/release"));
    // The time of a commit: those of another clone are the same.
    content(
        release
            .arg(program())
            .arg(output)
            .env("SOURCE_DATE_EPOCH", "1700000000")
            .envs(habits.iter().copied()),
    );
}

fn names(folder: &Path) -> BTreeSet<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_release_is_complete_and_another_machine_makes_the_same_bytes_of_the_same_program() {
    let folder = tempfile::Builder::new().tempdir_in(cache()).unwrap();
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    make(&first, &[], "022");
    make(&second, &[("TZ", "Asia/Shanghai"), ("LANG", "C.UTF-8")], "077");
    let version = env!("CARGO_PKG_VERSION");
    let expected = [
        "SHA256SUMS".to_owned(),
        format!("northgate_{version}_amd64.deb"),
        format!("northgate-{version}-1.x86_64.rpm"),
        format!("northgate_{version}_image.tar"),
        format!("northgate-chart-{version}.tgz"),
        format!("northgate-{version}-linux-x86_64.tar.gz"),
        format!("northgate-{version}.debug"),
        format!("northgate-{version}.sbom.json"),
    ];
    assert_eq!(names(&first), expected.into_iter().collect());
    content(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&first));
    let sums = |folder: &Path| fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    assert_eq!(sums(&first), sums(&second));

    let sbom: Value =
        serde_json::from_slice(&fs::read(first.join(format!("northgate-{version}.sbom.json"))).unwrap())
            .unwrap();
    assert_eq!(sbom["bomFormat"], "CycloneDX");
    let named = |name: &str| sbom["components"].as_array().unwrap().iter().any(|one| one["name"] == name);
    // What the program links, and not what builds or tests it.
    assert!(["rustls", "northgate-core", "rusqlite"].into_iter().all(named), "{sbom}");
    assert!(!named("proptest") && !named("cc"), "{sbom}");
}

/// A chart whose version is not that of the program would run the image of another release.
#[test]
fn the_chart_the_changelog_and_the_description_of_the_api_are_of_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let chart = fs::read_to_string(repository("deploy/helm/northgate/Chart.yaml")).unwrap();
    assert!(chart.contains(&format!("\nversion: {version}\nappVersion: {version}\n")), "{chart}");
    let api = fs::read_to_string(repository("docs/openapi.yaml")).unwrap();
    assert!(api.contains(&format!("\n  version: {version}\n")), "docs/openapi.yaml has another version");
    let changes = fs::read_to_string(repository("CHANGELOG.md")).unwrap();
    assert!(changes.contains(&format!("\n## {version}")), "no notes of {version}");
}
