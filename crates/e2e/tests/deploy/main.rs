//! Laws of the files in `deploy`: each is read by the program that it is for.

// A test that panics has said what is wrong; clippy knows that for test functions, not for what they lean on.
#![allow(clippy::unwrap_used)]

mod helm;
mod image;
mod packages;
mod release;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn deploy(file: &str) -> PathBuf {
    northgate_testkit::repository("deploy").join(file)
}

/// What the command says on both outputs, if it is content.
fn content(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

/// As JSON, through a parser of YAML that Debian has.
fn compose() -> serde_json::Value {
    northgate_testkit::packages::debian_package(
        "python3-yaml",
        "/usr/lib/python3/dist-packages/yaml/__init__.py",
    );
    let read = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))";
    // Debian's own: another one may not see Debian's packages.
    let said =
        content(Command::new("/usr/bin/python3").args(["-c", read]).arg(deploy("cluster/compose.yaml")));
    serde_json::from_str(&said).unwrap()
}

#[test]
fn haproxy_takes_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["northgate-1".to_owned()]).unwrap();
    let (authority, file) = (dir.path().join("ca.pem"), dir.path().join("haproxy.cfg"));
    fs::write(&authority, made.cert.pem()).unwrap();
    let text = fs::read_to_string(deploy("cluster/haproxy.cfg")).unwrap();
    fs::write(&file, text.replace("/etc/haproxy/northgate-ca.pem", authority.to_str().unwrap())).unwrap();
    content(Command::new(northgate_testkit::packages::debian("haproxy")).args(["-c", "-f"]).arg(file));
}

#[test]
fn systemd_takes_both_units() {
    northgate_testkit::packages::debian_package("systemd", "/usr/bin/systemd-analyze");
    let dir = tempfile::tempdir().unwrap();
    for unit in ["systemd/northgate.service", "cluster/northgate.service"] {
        let text = fs::read_to_string(deploy(unit)).unwrap();
        let file = dir.path().join("northgate.service");
        assert!(text.contains("ExecStart=/usr/local/bin/northgate serve"), "{unit}");
        fs::write(&file, text.replace("/usr/local/bin/northgate", northgate_testkit::program())).unwrap();
        let said = content(Command::new("/usr/bin/systemd-analyze").args(["verify", "--man=no"]).arg(&file));
        assert!(!said.contains("northgate.service"), "{unit}: {said}");
    }
}

// A core dump has the keys and secrets of the process in it.
#[test]
fn no_unit_and_no_container_writes_a_core_dump() {
    for unit in ["systemd/northgate.service", "cluster/northgate.service"] {
        let text = fs::read_to_string(deploy(unit)).unwrap();
        let (_, service) = text.split_once("\n[Service]\n").unwrap();
        let service = service.split("\n[").next().unwrap();
        let limits: Vec<_> = service.lines().filter_map(|line| line.strip_prefix("LimitCORE=")).collect();
        assert_eq!(limits, ["0"], "{unit}");
    }
    let compose = compose();
    for (name, service) in compose["services"].as_object().unwrap() {
        if name.starts_with("northgate") {
            assert_eq!(service["ulimits"]["core"], 0, "{name}");
        }
    }
}

#[test]
fn northgate_takes_the_settings_of_a_node_and_of_compose() {
    let mut settings: Vec<(String, String)> = fs::read_to_string(deploy("cluster/node.env"))
        .unwrap()
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).unwrap())
        .collect();
    let check = |settings: &[(String, String)]| {
        // The files that the settings name are not on this machine.
        let mut command = Command::new(northgate_testkit::program());
        let output = command.args(["config", "check"]).envs(settings.iter().cloned()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let said = check(&settings);
    assert!(said.contains("/etc/northgate/keyring.key"), "{said}");
    assert!(said.contains("proxies.protocol = \"on\""), "{said}");
    settings.clear();
    let compose = compose();
    for (key, value) in compose["services"]["northgate-1"]["environment"].as_object().unwrap() {
        settings.push((key.clone(), value.as_str().unwrap().to_owned()));
    }
    let said = check(&settings);
    assert!(
        said.contains("/run/northgate/keyring.key") && said.contains("proxies.protocol = \"on\""),
        "{said}"
    );
    // Both ends of the PROXY protocol, or none: a node closes what comes without its header.
    let balancer = fs::read_to_string(deploy("cluster/haproxy.cfg")).unwrap();
    assert!(balancer.contains("default-server send-proxy-v2 "), "{balancer}");
    let address = compose["services"]["haproxy"]["networks"]["default"]["ipv4_address"].as_str().unwrap();
    assert!(said.contains(&format!("proxies.trusted = [\"{address}\"]")), "{said}");
}

#[test]
fn postgresql_takes_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let programs = northgate_testkit::postgres::programs::programs();
    fs::copy(deploy("cluster/postgresql.conf"), dir.path().join("northgate.conf")).unwrap();
    let mut init = northgate_testkit::postgres::programs::as_nobody_special(dir.path());
    content(init.arg(programs.join("initdb")).args(["-A", "trust", "--no-sync", "-D"]).arg(&data));
    let include = format!("include '{}'\n", dir.path().join("northgate.conf").display());
    fs::write(data.join("postgresql.conf"), include).unwrap();
    let mut show = northgate_testkit::postgres::programs::as_nobody_special(dir.path());
    let said = content(
        show.arg(programs.join("postgres")).arg("-D").arg(&data).args(["-C", "synchronous_standby_names"]),
    );
    assert_eq!(said.trim(), "*");
}

#[test]
fn compose_names_only_what_is_there() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    let balancer = fs::read_to_string(deploy("cluster/haproxy.cfg")).unwrap();
    for node in ["northgate-1", "northgate-2", "northgate-3"] {
        assert!(
            services.contains_key(node) && balancer.contains(&format!("{node}:8743 port 8744")),
            "{node}"
        );
    }
    for (name, service) in services {
        for needed in service["depends_on"].as_object().into_iter().flat_map(|needed| needed.keys()) {
            assert!(services.contains_key(needed), "{name} needs {needed}");
        }
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let source = volume.as_str().unwrap().split(':').next().unwrap();
            // What the README's first step makes is not in the repository.
            let is_there = match source.strip_prefix("./") {
                None => compose["volumes"].as_object().unwrap().contains_key(source),
                Some(file) => file.starts_with("secrets/") || deploy("cluster").join(file).exists(),
            };
            assert!(is_there, "{name}: {source}");
        }
    }
    for script in ["database-init.sh", "standby.sh"] {
        content(Command::new("bash").arg("-n").arg(deploy("cluster").join(script)));
    }
    let image = fs::read_to_string(deploy("cluster/Dockerfile")).unwrap();
    let file = services["northgate-1"]["build"]["dockerfile"].as_str().unwrap();
    assert!(deploy("..").join(file).exists());
    assert!(image.contains("\nUSER 8743:8743\n") && image.matches("\nFROM ").count() == 2, "{image}");
}
