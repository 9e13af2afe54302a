//! Laws of `northgate config check`: it finds what would stop a start, all of it, and a start says the same.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use northgate_testkit::northgate::northgate;

use crate::certificates;

/// A home with a good configuration, to which `more` is added.
fn home(more: &str) -> TempDir {
    let home = certificates::home();
    let text = format!(
        "listen = '127.0.0.1:0'\nadmin_listen = '127.0.0.1:0'\n[tls]\ncertificates = ['ecdsa.pem']\nkeys = ['ecdsa.key']\n{more}"
    );
    fs::write(home.path().join("northgate.toml"), text).unwrap();
    home
}

fn check(home: &Path, variables: &[(&str, &str)]) -> Output {
    let mut check = northgate(home);
    check.args(["config", "check", "--json", "--config", "northgate.toml"]).envs(variables.iter().copied());
    check.output().unwrap()
}

/// The errors and the warnings, with the exit code.
fn found(output: &Output) -> (i32, Vec<String>, Vec<String>) {
    let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let texts = |name: &str| {
        let texts = found[name].as_array().unwrap().iter();
        texts.map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    (output.status.code().unwrap(), texts("errors"), texts("warnings"))
}

fn errors(home: &Path, variables: &[(&str, &str)]) -> Vec<String> {
    let (code, errors, _) = found(&check(home, variables));
    assert_eq!(code == 0, errors.is_empty());
    errors
}

#[test]
fn a_good_configuration_has_no_errors_and_the_check_leaves_nothing_behind() {
    let home = home("");
    let before = fs::read_dir(home.path()).unwrap().count();
    assert_eq!(found(&check(home.path(), &[])), (0, Vec::new(), Vec::new()));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), before);
}

#[test]
fn all_bad_settings_are_named_at_once() {
    let home = home(
        "[policy]\nmax_grant = 3\nretry_window = 'soon'\naccess_lifetime = '31d'\n[log]\nlevel = 'loud'\n",
    );
    let errors = errors(home.path(), &[("NORTHGATE_LIMITS_BODY", "many")]);
    for key in
        ["policy.max_grant ", "policy.retry_window", "policy.access_lifetime", "log.level", "limits.body"]
    {
        assert_eq!(errors.iter().filter(|error| error.starts_with(key)).count(), 1, "{key}: {errors:?}");
    }
    assert_eq!(errors.len(), 5, "{errors:?}");
}

#[test]
fn an_access_token_may_not_outlive_its_refresh_token() {
    let home = home("[policy]\naccess_lifetime = '2h'\nrefresh_lifetime = '1h'\n");
    let errors = errors(home.path(), &[]);
    assert!(errors[0].contains("at most policy.refresh_lifetime, which is 1h"), "{errors:?}");
}

#[test]
fn files_ports_database_and_data_directory_are_looked_at_all_together() {
    let home = home("");
    fs::copy(home.path().join("rsa.key"), home.path().join("ecdsa.key")).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let variables = [
        ("NORTHGATE_LISTEN", taken.as_str()),
        ("NORTHGATE_DATABASE_URL", "http://db"),
        ("NORTHGATE_DATA_DIR", "/proc/northgate"),
        ("NORTHGATE_TLS_CLIENT_CA", "nowhere.pem"),
    ];
    let errors = errors(home.path(), &variables).join("\n");
    for part in [
        "ecdsa.key is not the key of a certificate in ecdsa.pem",
        &format!("{taken} cannot be listened on (Address already in use"),
        "with --listen",
        "not a PostgreSQL URL",
        "cannot write in the data directory /proc/northgate",
    ] {
        assert!(errors.contains(part), "{part} is not in\n{errors}");
    }
}

#[test]
fn one_port_for_both_listeners_is_an_error() {
    let home = home("");
    let variables = [("NORTHGATE_LISTEN", "0.0.0.0:9321"), ("NORTHGATE_ADMIN_LISTEN", "127.0.0.1:9321")];
    let errors = errors(home.path(), &variables);
    assert!(errors[0].contains("both on port 9321"), "{errors:?}");
}

#[test]
fn a_misspelled_variable_is_a_warning_and_those_of_kubernetes_are_none() {
    let home = home("");
    let variables = [
        ("NORTHGATE_POLICY_MAX_GRANT", "3"),
        ("NORTHGATE_SERVICE_HOST", "10.0.0.1"),
        ("NORTHGATE_PORT_8743_TCP_ADDR", "10.0.0.1"),
    ];
    let (code, _, warnings) = found(&check(home.path(), &variables));
    let expected = "the variable NORTHGATE_POLICY_MAX_GRANT is not a setting and is ignored; the nearest one is \
                    NORTHGATE_POLICY_MAX_GRANTS";
    assert_eq!((code, warnings), (0, vec![expected.to_owned()]));
}

/// The user that owns the data directory runs the server; root, who checks, can read everything.
#[test]
fn a_file_that_the_owner_of_the_data_directory_cannot_read_is_an_error() {
    let home = home("");
    fs::create_dir(home.path().join("northgate-data")).unwrap();
    let owned =
        Command::new("chown").args(["65534:65534", "northgate-data"]).current_dir(home.path()).status();
    assert!(owned.unwrap().success(), "this test runs as root");
    let errors = errors(home.path(), &[]);
    assert!(errors[0].starts_with("ecdsa.key cannot be read by the user 65534"), "{errors:?}");
}

#[test]
fn a_start_without_certificates_says_what_to_set_and_in_json_where_the_log_is() {
    let home = tempfile::tempdir().unwrap();
    let mut serve = northgate(home.path());
    serve.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let output = serve.env("NORTHGATE_LIMITS_CONNECTIONS", "100").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.ends_with("set tls.certificates and tls.keys, or try it out with --dev\n"), "{said}");
    for bad in [("NORTHGATE_LOG_FORMAT", "json"), ("NORTHGATE_API_DIALECT", "klingon")] {
        let output = serve.env(bad.0, bad.1).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let line: Value =
            serde_json::from_str(said.lines().last().unwrap()).unwrap_or_else(|_| panic!("{said}"));
        assert_eq!(line["level"], "ERROR");
        assert!(line["message"].as_str().unwrap().starts_with("the server did not start: "), "{said}");
    }
}
