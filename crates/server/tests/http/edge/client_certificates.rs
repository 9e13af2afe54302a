//! Laws of client certificates.

use northgate_server::config::tls::ClientCertificates;
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;

use crate::edge::running::{Running, asking};
use crate::support::identity::{Identity, provider};

async fn running(server: &Identity, client_certificates: ClientCertificates) -> (Running, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let tls = asking(server.write(folder.path(), "server"), client_certificates);
    (Running::start(Some(tls), &[]).await, folder)
}

#[tokio::test]
async fn a_requested_client_certificate_may_be_over_or_missing() {
    let (server, ended) = (Identity::ecdsa(), Identity::ended());
    let (running, _folder) = running(&server, ClientCertificates::Request { authorities: None }).await;
    for version in [&TLS12, &TLS13] {
        let stream = running.answered(server.trusting_as(&ended, version)).await.unwrap();
        assert!(stream.get_ref().1.negotiated_cipher_suite().is_some());
        assert!(running.answered(server.trusting_version(version)).await.is_ok());
    }
}

#[tokio::test]
async fn a_requested_client_certificate_may_be_rsa() {
    let (server, rsa) = (Identity::ecdsa(), Identity::rsa());
    let (running, _folder) = running(&server, ClientCertificates::Request { authorities: None }).await;
    for version in [&TLS12, &TLS13] {
        assert!(running.answered(server.trusting_as(&rsa, version)).await.is_ok());
    }
}

/// OpenSSL made such certificates for a long time unless asked for extensions, and rustls refuses them.
#[tokio::test]
async fn a_requested_client_certificate_may_be_of_version_1() {
    let (server, old) = (Identity::ecdsa(), Identity::rsa());
    let (running, _folder) = running(&server, ClientCertificates::Request { authorities: None }).await;
    for version in [&TLS12, &TLS13] {
        let client = server.trusting_with(provider(), &[version]);
        let client = client.with_client_cert_resolver(old.showing(old.certificate_of_version_1()));
        assert!(running.answered(client.into()).await.is_ok());
    }
}

/// A client that presents another's certificate holds another key than the one in it.
#[tokio::test]
async fn a_requested_client_certificate_must_be_the_clients_own() {
    let (server, ended) = (Identity::ecdsa(), Identity::ended());
    let (running, _folder) = running(&server, ClientCertificates::Request { authorities: None }).await;
    for version in [&TLS12, &TLS13] {
        let thief = server.trusting_with(provider(), &[version]);
        let thief = thief.with_client_cert_resolver(Identity::ecdsa().showing(ended.certificate()));
        assert!(running.answered(thief.into()).await.is_err());
    }
}

#[tokio::test]
async fn a_required_client_certificate_must_lead_to_the_authority() {
    let (server, authority) = (Identity::ecdsa(), Identity::authority());
    let folder = tempfile::tempdir().unwrap();
    let authorities = authority.write(folder.path(), "ca").chain;
    let (running, _folder) = running(&server, ClientCertificates::Require { authorities }).await;
    let (known, unknown) = (Identity::signed_by(&authority), Identity::signed_by(&Identity::authority()));
    for version in [&TLS12, &TLS13] {
        assert!(running.answered(server.trusting_as(&known, version)).await.is_ok());
        assert!(running.answered(server.trusting_as(&unknown, version)).await.is_err());
        assert!(running.answered(server.trusting_version(version)).await.is_err());
    }
}
