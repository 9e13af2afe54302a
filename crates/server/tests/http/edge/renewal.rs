//! Laws of renewal: each certificate with its key by itself, in whatever form an authority or an editor left the files.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use northgate_server::config::tls::{CertificateFiles, ClientCertificates, TlsSettings};
use northgate_server::tls::{Reload, Tls};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{ClientConfig, RootCertStore};

use crate::edge::running::{Running, seeds, tls, tls_settings};
use crate::support::identity::{Identity, provider, write_key};

fn now() -> UnixTime {
    UnixTime::now()
}

/// What there is to know, with the folder as `…`.
fn notes(tls: &Tls, folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    tls.notes(now()).into_iter().map(|note| note.text.replace(folder, "…")).collect()
}

/// Why a start with these files is refused, with the folder as `…`.
fn refusal(files: &CertificateFiles, folder: &Path) -> String {
    let error = Tls::load(tls_settings(vec![files.clone()]), seeds(1)).unwrap_err();
    error.to_string().replace(folder.to_str().unwrap(), "…")
}

/// The certificates that a client gets.
async fn served(running: &Running, client: Arc<ClientConfig>) -> Vec<CertificateDer<'static>> {
    let stream = running.answered(client).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap().to_vec()
}

// A tool that renews writes the certificate and then the key. When it died in between, neither that pair nor the other one,
// which it had renewed, was taken, until the old certificates ended.
#[tokio::test]
async fn a_half_renewed_pair_keeps_its_old_certificate_and_does_not_hold_back_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let (rsa, ecdsa) = (Identity::rsa(), Identity::ecdsa());
    let files = [rsa.write(folder.path(), "rsa"), ecdsa.write(folder.path(), "ecdsa")];
    let tls = tls(files.to_vec());
    let running = Running::start(Some(Arc::clone(&tls)), &[]).await;

    let (new_rsa, new_ecdsa) = (Identity::rsa(), Identity::ecdsa());
    fs::write(&files[0].chain, &new_rsa.chain).unwrap();
    new_ecdsa.write(folder.path(), "ecdsa");
    assert_eq!(tls.reload(now()), Reload::Replaced);

    let rsa_only = |identity: &Identity| {
        let mut old = provider();
        let suite = rustls::CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256;
        old.cipher_suites.retain(|known| known.suite() == suite);
        Arc::new(identity.trusting_with(old, &[&rustls::version::TLS12]).with_no_client_auth())
    };
    assert_eq!(served(&running, new_ecdsa.trusting()).await, [new_ecdsa.certificate()]);
    assert_eq!(served(&running, rsa_only(&rsa)).await, [rsa.certificate()]);
    let expected = "a TLS certificate was not taken, the one that was read before stays in use: \
                    …/rsa.key is not the key of a certificate in …/rsa.pem";
    assert_eq!(notes(&tls, folder.path()), [expected]);
    let taken: Vec<bool> = tls.expiries().into_iter().map(|expiry| expiry.is_taken).collect();
    assert_eq!(taken, [false, true]);

    fs::write(&files[0].key, &new_rsa.key).unwrap();
    assert_eq!(tls.reload(now()), Reload::Replaced);
    assert_eq!(served(&running, rsa_only(&new_rsa)).await, [new_rsa.certificate()]);
    assert!(notes(&tls, folder.path()).is_empty());
}

#[tokio::test]
async fn a_start_between_the_two_files_of_a_renewal_serves_the_other_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (rsa, ecdsa) = (Identity::rsa(), Identity::ecdsa());
    let files = [rsa.write(folder.path(), "rsa"), ecdsa.write(folder.path(), "ecdsa")];
    fs::write(&files[0].key, Identity::rsa().key).unwrap();
    let tls = tls(files.to_vec());
    let running = Running::start(Some(Arc::clone(&tls)), &[]).await;
    assert_eq!(served(&running, ecdsa.trusting()).await, [ecdsa.certificate()]);
    let expected = "a TLS certificate was not taken, clients get the other certificates: \
                    …/rsa.key is not the key of a certificate in …/rsa.pem";
    assert_eq!(notes(&tls, folder.path()), [expected]);
    assert_eq!(tls.expiries()[0].not_after_s, None);

    rsa.write(folder.path(), "rsa");
    assert_eq!(tls.reload(now()), Reload::Replaced);
    assert!(notes(&tls, folder.path()).is_empty());
}

// Both kinds of client were given the certificate that had ended, since its signature costs less.
#[tokio::test]
async fn a_certificate_that_has_ended_gives_way_to_one_that_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let rsa = Identity::rsa();
    let files = vec![rsa.write(folder.path(), "rsa"), Identity::ended().write(folder.path(), "ecdsa")];
    let running = Running::start(Some(tls(files)), &[]).await;
    assert_eq!(served(&running, rsa.trusting()).await, [rsa.certificate()]);
}

#[tokio::test]
async fn broken_authorities_stay_those_that_were_read_and_hold_back_no_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Identity::ecdsa(), Identity::ecdsa());
    let authorities = folder.path().join("authorities.pem");
    fs::write(&authorities, Identity::authority().chain).unwrap();
    let client_certificates = ClientCertificates::Request { authorities: Some(authorities.clone()) };
    let certificates = vec![first.write(folder.path(), "server")];
    let settings = TlsSettings { client_certificates, ..tls_settings(certificates) };
    let tls = Arc::new(Tls::load(settings, seeds(1)).unwrap());
    let running = Running::start(Some(Arc::clone(&tls)), &[]).await;

    fs::write(&authorities, Identity::authority().key).unwrap();
    second.write(folder.path(), "server");
    assert_eq!(tls.reload(now()), Reload::Replaced);
    assert_eq!(served(&running, second.trusting()).await, [second.certificate()]);
    let [note] = &notes(&tls, folder.path())[..] else { panic!("one note") };
    assert!(
        note.starts_with("tls.client_ca was not taken, the authorities read before stay in use: "),
        "{note}"
    );
    assert!(note.contains("…/authorities.pem contains no certificate, but PRIVATE KEY"), "{note}");

    fs::write(&authorities, Identity::ended().chain).unwrap();
    assert_eq!(tls.reload(now()), Reload::Replaced);
    let expected =
        "an authority of client certificates in …/authorities.pem ended at 2016-01-01T00:00:00Z: renew it";
    assert_eq!(notes(&tls, folder.path()), [expected]);
    assert_eq!(tls.expiries()[1].not_after_s, Some(1_451_606_400));
}

// A file that was both certificate and authority stood in the metrics twice, and the scraper refused all of them.
#[test]
fn a_file_with_two_uses_is_one_figure() {
    let folder = tempfile::tempdir().unwrap();
    let files = Identity::ecdsa().write(folder.path(), "server");
    let client_certificates = ClientCertificates::Request { authorities: Some(files.chain.clone()) };
    let certificates = vec![files.clone(), files.clone()];
    let settings = TlsSettings { client_certificates, ..tls_settings(certificates) };
    let tls = Tls::load(settings, seeds(1)).unwrap();
    let [expiry] = &tls.expiries()[..] else { panic!("one expiry") };
    assert_eq!((&expiry.file, expiry.is_taken), (&files.chain, true));
}

/// A root, an authority below it, and a certificate for this machine below that, in PEM, and the key of the last.
struct Chain {
    root: String,
    issuer: String,
    own: String,
    key: String,
    /// Another authority below the root.
    renamed: String,
}

impl Chain {
    fn new() -> Chain {
        let authority = |name: &str| {
            let mut wanted = CertificateParams::new([]).unwrap();
            wanted.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            wanted.distinguished_name.push(DnType::CommonName, name);
            wanted
        };
        let keys: Vec<KeyPair> = (0..3).map(|_| KeyPair::generate().unwrap()).collect();
        let (root, issuer) = (authority("root"), authority("issuer"));
        let own = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let signed = |wanted: &CertificateParams, key: &KeyPair, by: &CertificateParams, by_key: &KeyPair| {
            wanted.signed_by(key, &Issuer::from_params(by, by_key)).unwrap().pem()
        };
        Chain {
            root: root.self_signed(&keys[0]).unwrap().pem(),
            renamed: signed(&authority("other"), &keys[1], &root, &keys[0]),
            issuer: signed(&issuer, &keys[1], &root, &keys[0]),
            own: signed(&own, &keys[2], &issuer, &keys[1]),
            key: keys[2].serialize_pem(),
        }
    }

    /// A client that knows the root only.
    fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate(&self.root)).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(provider()));
        let client = client.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        Arc::new(client.with_no_client_auth())
    }
}

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

// A bundle with the issuer first was refused with "is not the key of the certificate", which sent people after their key.
#[tokio::test]
async fn a_chain_is_served_in_order_however_the_file_has_it() {
    let (folder, chain) = (tempfile::tempdir().unwrap(), Chain::new());
    let stranger = Identity::authority().chain;
    let Chain { root, issuer, own, .. } = &chain;
    let files = CertificateFiles { chain: folder.path().join("a.pem"), key: folder.path().join("a.key") };
    write_key(&files.key, &chain.key);
    for file in [
        vec![own, issuer],
        vec![issuer, own],
        vec![root, issuer, own],
        vec![own, issuer, root],
        vec![own, own, issuer, issuer],
        vec![&stranger, issuer, root, own],
    ] {
        fs::write(&files.chain, file.into_iter().cloned().collect::<String>()).unwrap();
        let running = Running::start(Some(tls(vec![files.clone()])), &[]).await;
        assert_eq!(served(&running, chain.client()).await, [certificate(own), certificate(issuer)]);
    }
}

#[test]
fn an_issuer_that_is_another_ones_is_named() {
    let (folder, chain, other) = (tempfile::tempdir().unwrap(), Chain::new(), Chain::new());
    let files = CertificateFiles { chain: folder.path().join("a.pem"), key: folder.path().join("a.key") };
    write_key(&files.key, &chain.key);
    fs::write(&files.chain, chain.own.clone() + &other.renamed).unwrap();
    let expected =
        "certificates in …/a.pem that signed none of the others are not sent (1): is an issuer missing?";
    assert_eq!(notes(&tls(vec![files]), folder.path()), [expected]);
}

#[tokio::test]
async fn what_an_editor_does_to_a_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::ecdsa();
    let files = identity.write(folder.path(), "server");
    let edits: [fn(&str) -> String; 6] = [
        |text| format!("\u{feff}{text}"),
        |text| text.replace('\n', "\r\n"),
        |text| text.replace('\n', "\r"),
        |text| text.lines().map(|line| format!("    {line}  \n")).collect(),
        |text| format!("subject=CN = localhost\nissuer=CN = me\n\n{text}\n\n"),
        |text| format!("{}\u{feff}{text}", Identity::authority().chain),
    ];
    for edit in edits {
        fs::write(&files.chain, edit(&identity.chain)).unwrap();
        fs::write(&files.key, edit(&identity.key).replace("CERTIFICATE", "OTHER")).unwrap();
        let running = Running::start(Some(tls(vec![files.clone()])), &[]).await;
        assert_eq!(served(&running, identity.trusting()).await, [identity.certificate()]);
    }
}

// A key that everybody could read was served.
#[test]
fn a_key_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let files = Identity::ecdsa().write(folder.path(), "server");
    for mode in [0o644, 0o604, 0o660, 0o444] {
        fs::set_permissions(&files.key, Permissions::from_mode(mode)).unwrap();
        let expected = format!(
            "the private key in …/server.key can be read by others (its mode is {mode:03o}): make it private with \
             `chmod 600 …/server.key`"
        );
        assert_eq!(refusal(&files, folder.path()), expected);
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&files.key, Permissions::from_mode(mode)).unwrap();
        tls(vec![files.clone()]);
    }
}
