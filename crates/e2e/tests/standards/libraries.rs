//! Clients in Python and JavaScript, each of them a script that stops at the first thing that is not as its library and the
//! standard say.

use std::process::Command;

use crate::house::House;
use crate::tools;

/// Runs a client with all that it may need, and nothing else, in its environment; what it printed are the steps that it took.
#[track_caller]
fn drive(house: &House, command: &mut Command, steps: &[&str]) {
    let application = house.application("a client", &[]);
    // Of the two algorithms the one that every library knows.
    let signed = house.application("signed", &["--access-tokens", "jwt-es256"]);
    let bound = house.application("bound", &["--access-tokens", "jwt-eddsa", "--dpop", "required"]);
    command
        .env_clear()
        .env("ISSUER", &house.issuer)
        .env("CERTIFICATE", house.certificate())
        // Node's word for it.
        .env("NODE_EXTRA_CA_CERTS", house.certificate())
        .env("VERIFY", format!("http://{}/verify", house.server.private))
        .envs([("APP_ID", &application.id), ("SECRET", &application.secret)])
        .envs([("JWT_APP_ID", &signed.id), ("JWT_SECRET", &signed.secret)])
        .envs([("DPOP_APP_ID", &bound.id), ("DPOP_SECRET", &bound.secret)])
        .env("REFRESH_TOKEN", house.login(&application).refresh)
        .env("KEY", house.key(&application));
    let (certificate, key) = house.client_certificate(&application);
    command.env("CLIENT_CERTIFICATE", certificate).env("CLIENT_KEY", key);
    let output = house.server.output(command);
    let said = String::from_utf8_lossy(&output.stdout);
    let trouble = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "after\n{said}it failed:\n{trouble}");
    let taken: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("ok ")).collect();
    assert_eq!(taken, steps);
}

#[test]
fn authlib_gets_checks_refreshes_and_revokes_tokens_and_validates_signed_ones() {
    let house = House::new(&[("NORTHGATE_TLS_CLIENT_CERTIFICATES", "request")]);
    let mut client = Command::new(tools::python());
    let steps = [
        "client_secret",
        "private_key_jwt",
        "self_signed_tls_client_auth",
        "refresh_token",
        "errors",
        "signed_access_token",
    ];
    drive(&house, client.arg(tools::folder().join("authlib_client.py")), &steps);
}

#[test]
fn requests_oauthlib_gets_and_refreshes_tokens() {
    let house = House::new(&[]);
    let mut client = Command::new(tools::python());
    let steps = [
        "client_secret_basic",
        "client_secret_post",
        "scope",
        "call_on_the_platform",
        "refresh_token",
        "errors",
    ];
    drive(&house, client.arg(tools::folder().join("requests_oauthlib_client.py")), &steps);
}

#[test]
fn openid_client_gets_checks_refreshes_and_revokes_tokens_and_binds_them_to_a_key() {
    // The script plays a gateway without TLS, which says so.
    let house = House::new(&[("NORTHGATE_VERIFY_TRUSTED_HEADERS", "x-forwarded-proto")]);
    // A script finds its packages beside itself.
    let home = house.server.home.path();
    std::os::unix::fs::symlink(tools::node_modules(), home.join("node_modules")).unwrap();
    std::fs::copy(tools::folder().join("openid_client.mjs"), home.join("openid_client.mjs")).unwrap();
    let steps = [
        "metadata",
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "refresh_token",
        "errors",
        "dpop",
    ];
    drive(&house, Command::new(tools::node()).arg("openid_client.mjs"), &steps);
}

/// Five libraries looked at the path of OpenID Connect only and found nothing, and below an issuer with a path no endpoint
/// answered.
#[test]
fn libraries_that_know_the_issuer_alone_find_everything_also_below_a_path() {
    for path in ["", "/one/two"] {
        let house = House::below(path);
        let mut client = Command::new(tools::python());
        let steps = ["openid_configuration", "every_endpoint", "private_key_jwt", "python_jose"];
        drive(&house, client.arg(tools::folder().join("discovery_client.py")), &steps);
        let home = house.server.home.path();
        std::os::unix::fs::symlink(tools::node_modules(), home.join("node_modules")).unwrap();
        std::fs::copy(tools::folder().join("discovery_client.mjs"), home.join("discovery_client.mjs"))
            .unwrap();
        drive(&house, Command::new(tools::node()).arg("discovery_client.mjs"), &["openid", "oauth2"]);
    }
}
