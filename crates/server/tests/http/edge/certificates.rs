//! Laws of certificates: which one a client gets, and how they are replaced.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Arc;

use northgate_server::config::tls::{MinimumTls, TlsSettings};
use northgate_server::tls::{Reload, Tls, dev, keep_fresh, trust};
use rustls::pki_types::UnixTime;
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ClientConfig};
use tokio::sync::watch;

use crate::edge::running::{Running, request, seeds, tls, tls_settings};
use crate::support::identity::{Identity, provider};

#[tokio::test]
async fn a_replaced_certificate_is_served_to_new_connections_and_old_ones_stay() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Identity::ecdsa(), Identity::ecdsa());
    let tls = tls(vec![first.write(folder.path(), "server")]);
    let running = Running::start(Some(tls.clone()), &[]).await;
    let mut old = running.answered(first.trusting()).await.unwrap();

    second.write(folder.path(), "server");
    assert_eq!(tls.reload(UnixTime::now()), Reload::Replaced);

    assert!(running.answered(second.trusting()).await.is_ok());
    assert!(running.answered(first.trusting()).await.is_err());
    assert!(request(&mut old, "/").await.unwrap().ends_with("here"));
}

#[tokio::test]
async fn a_bad_new_certificate_leaves_the_old_one_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let first = Identity::ecdsa();
    let files = first.write(folder.path(), "server");
    let tls = tls(vec![files.clone()]);
    let running = Running::start(Some(tls.clone()), &[]).await;
    let complaint = || {
        assert_eq!(tls.reload(UnixTime::now()), Reload::Unchanged);
        let [note] = &tls.notes(UnixTime::now())[..] else { panic!("one note") };
        let kept = "a TLS certificate was not taken, the one that was read before stays in use: ";
        note.text.strip_prefix(kept).unwrap().replace(folder.path().to_str().unwrap(), "…")
    };

    std::fs::write(&files.chain, "").unwrap();
    assert_eq!(complaint(), "…/server.pem is empty");
    std::fs::write(&files.chain, Identity::ecdsa().chain).unwrap();
    assert_eq!(complaint(), "…/server.key is not the key of a certificate in …/server.pem");
    Identity::ended().write(folder.path(), "server");
    assert_eq!(complaint(), "the certificate in …/server.pem expired at 2016-01-01T00:00:00Z");
    std::fs::write(&files.key, "").unwrap();
    assert_eq!(complaint(), "…/server.key is empty");
    std::fs::remove_file(&files.key).unwrap();
    assert_eq!(complaint(), "…/server.key could not be read: No such file or directory (os error 2)");

    assert!(running.answered(first.trusting()).await.is_ok());
}

#[test]
fn files_that_are_written_again_unchanged_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::ecdsa();
    let tls = tls(vec![identity.write(folder.path(), "server")]);
    let before = tls.server();
    identity.write(folder.path(), "server");
    assert_eq!(tls.reload(UnixTime::now()), Reload::Unchanged);
    assert!(Arc::ptr_eq(&before, &tls.server()));
}

/// Kubernetes and certbot replace a link, not the file.
#[tokio::test]
async fn a_link_that_points_elsewhere_is_a_new_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Identity::ecdsa(), Identity::ecdsa());
    for (identity, version) in [(&first, "v1"), (&second, "v2")] {
        std::fs::create_dir(folder.path().join(version)).unwrap();
        identity.write(&folder.path().join(version), "server");
    }
    symlink("v1", folder.path().join("live")).unwrap();
    let mut files = first.write(&folder.path().join("live"), "server");
    files.chain = folder.path().join("live/server.pem");
    let tls = tls(vec![files]);
    let running = Running::start(Some(tls.clone()), &[]).await;

    symlink("v2", folder.path().join("next")).unwrap();
    std::fs::rename(folder.path().join("next"), folder.path().join("live")).unwrap();
    assert_eq!(tls.reload(UnixTime::now()), Reload::Replaced);
    assert!(running.answered(second.trusting()).await.is_ok());
}

#[tokio::test]
async fn a_hangup_reloads_the_certificates_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Identity::ecdsa(), Identity::ecdsa());
    let day = std::time::Duration::from_secs(86_400);
    let files = first.write(folder.path(), "server");
    let settings = TlsSettings { reload_every: day, ..tls_settings(vec![files]) };
    let tls = Arc::new(Tls::load(settings, seeds(1)).unwrap());
    let running = Running::start(Some(tls.clone()), &[]).await;
    let hangups = watch::Sender::new(0);
    tokio::spawn(keep_fresh(vec![tls], hangups.subscribe()));

    second.write(folder.path(), "server");
    hangups.send_replace(1);
    while running.answered(second.trusting()).await.is_err() {}
}

#[test]
fn a_certificate_that_is_over_does_not_stop_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let tls = tls(vec![Identity::ended().write(folder.path(), "server")]);
    assert_eq!(tls.expiries()[0].not_after_s, Some(1_451_606_400));
    let [note] = &tls.notes(UnixTime::now())[..] else { panic!("one note") };
    assert!(note.is_urgent && note.text.contains("ended at 2016-01-01T00:00:00Z"), "{note:?}");
}

#[tokio::test]
async fn a_client_that_knows_only_rsa_gets_the_rsa_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (rsa, ecdsa) = (Identity::rsa(), Identity::ecdsa());
    let files = vec![rsa.write(folder.path(), "rsa"), ecdsa.write(folder.path(), "ecdsa")];
    let running = Running::start(Some(tls(files)), &[]).await;
    let served = async |client: ClientConfig| {
        let stream = running.answered(Arc::new(client)).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].clone()
    };

    // By its cipher suites, which in TLS 1.2 name the kind of key.
    let mut old = provider();
    old.cipher_suites.retain(|suite| suite.suite() == CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256);
    let old = rsa.trusting_with(old, &[&TLS12]).with_no_client_auth();
    assert_eq!(served(old).await, rsa.certificate());

    // By its signature schemes.
    let mut rsa_only = provider();
    let schemes = rsa_only.signature_verification_algorithms.mapping;
    let rsa_schemes = schemes.iter().filter(|(scheme, _)| format!("{scheme:?}").starts_with("RSA"));
    rsa_only.signature_verification_algorithms.mapping = rsa_schemes.copied().collect::<Vec<_>>().leak();
    let rsa_only = rsa.trusting_with(rsa_only, &[&TLS13]).with_no_client_auth();
    assert_eq!(served(rsa_only).await, rsa.certificate());

    // A client that supports both gets the cheaper one.
    for version in rustls::ALL_VERSIONS {
        let both = ecdsa.trusting_with(provider(), &[version]).with_no_client_auth();
        assert_eq!(served(both).await, ecdsa.certificate());
    }
}

#[tokio::test]
async fn a_client_below_the_minimum_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::ecdsa();
    let files = identity.write(folder.path(), "server");
    let settings = TlsSettings { minimum: MinimumTls::Tls13, ..tls_settings(vec![files]) };
    let tls = Arc::new(Tls::load(settings, seeds(1)).unwrap());
    let running = Running::start(Some(tls), &[]).await;
    assert!(running.answered(identity.trusting_version(&TLS12)).await.is_err());
    assert!(running.answered(identity.trusting_version(&TLS13)).await.is_ok());
}

#[tokio::test]
async fn the_development_certificate_is_made_once_and_kept_private() {
    let data_dir = tempfile::tempdir().unwrap();
    let files = dev::certificate(data_dir.path()).unwrap();
    let chain = std::fs::read(&files.chain).unwrap();
    assert_eq!(std::fs::metadata(&files.key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(dev::certificate(data_dir.path()).unwrap(), files);
    assert_eq!(std::fs::read(&files.chain).unwrap(), chain);

    let running = Running::start(Some(tls(vec![files.clone()])), &[]).await;
    assert!(running.answered(trust::only(&files.chain).unwrap()).await.is_ok());
}
