//! The certificates of a running server, as clients see them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, SignatureAlgorithm};
use reqwest::{Certificate, Client};
use tempfile::TempDir;

use northgate_testkit::northgate::{Northgate, Settings};

pub const BOTH: Settings = &[
    ("NORTHGATE_TLS_CERTIFICATES", "rsa.pem,ecdsa.pem"),
    ("NORTHGATE_TLS_KEYS", "rsa.key,ecdsa.key"),
    // Only a signal shall be the reason to look.
    ("NORTHGATE_TLS_RELOAD_EVERY", "1h"),
];

/// Writes a new certificate for this machine with its key.
pub fn write(home: &Path, name: &str, algorithm: &'static SignatureAlgorithm) {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let key_file = home.join(format!("{name}.key"));
    fs::write(&key_file, key.serialize_pem()).unwrap();
    fs::set_permissions(key_file, Permissions::from_mode(0o600)).unwrap();
    fs::write(home.join(format!("{name}.pem")), certificate.pem()).unwrap();
}

pub fn home() -> TempDir {
    let home = tempfile::tempdir().unwrap();
    write(home.path(), "rsa", &PKCS_RSA_SHA256);
    write(home.path(), "ecdsa", &PKCS_ECDSA_P256_SHA256);
    home
}

/// A client of old age: TLS 1.2 with one cipher suite, and one certificate that it trusts.
fn curl(server: &Northgate, suite: &str, trusted: &str) -> Output {
    let url = format!("https://{}/", server.public);
    server.output(
        Command::new("curl")
            .args(["-sS", "--tls-max", "1.2", "--ciphers", suite])
            .args(["--cacert", trusted, &url]),
    )
}

fn modern(home: &Path, name: &str) -> Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let certificate = Certificate::from_pem(&fs::read(home.join(name)).unwrap()).unwrap();
    Client::builder().tls_built_in_root_certs(false).add_root_certificate(certificate).build().unwrap()
}

#[tokio::test]
async fn old_clients_get_the_rsa_certificate_and_others_the_ecdsa_one() {
    let server = Northgate::start_in(home(), BOTH);
    for (suite, trusted, is_served) in [
        ("ECDHE-RSA-AES128-GCM-SHA256", "rsa.pem", true),
        ("ECDHE-RSA-AES128-GCM-SHA256", "ecdsa.pem", false),
        ("ECDHE-ECDSA-AES128-GCM-SHA256", "ecdsa.pem", true),
        ("ECDHE-ECDSA-AES128-GCM-SHA256", "rsa.pem", false),
    ] {
        let output = curl(&server, suite, trusted);
        assert_eq!(output.status.success(), is_served, "{suite} {trusted}: {output:?}");
    }
    let url = format!("https://{}/", server.public);
    let modern = modern(server.home.path(), "ecdsa.pem");
    assert_eq!(modern.get(url).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_replaced_certificate_is_served_after_a_hangup_and_open_connections_stay() {
    let server = Northgate::start_in(home(), BOTH);
    let home = server.home.path();
    let url = format!("https://{}/", server.public);
    let old = modern(home, "ecdsa.pem");
    // Read to its end, so that the connection is kept for the next request.
    assert!(old.get(&url).send().await.unwrap().text().await.is_ok());

    write(home, "ecdsa", &PKCS_ECDSA_P256_SHA256);
    let new = || modern(home, "ecdsa.pem");
    assert!(new().get(&url).send().await.is_err());
    server.signal("-HUP");
    while new().get(&url).send().await.is_err() {}

    // The old client trusts the old certificate only, so that it can only be the connection that it has.
    assert_eq!(old.get(&url).send().await.unwrap().status(), 404);
    let fresh = curl(&server, "ECDHE-RSA-AES128-GCM-SHA256", "rsa.pem");
    assert!(fresh.status.success(), "{fresh:?}");
}
