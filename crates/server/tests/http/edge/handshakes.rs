//! Laws of TLS handshakes that fail: the client hears why, and the operator sees why.

use std::sync::Arc;

use northgate_server::config::tls::{ClientCertificates, MinimumTls, TlsSettings};
use northgate_server::tls::Tls;
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::edge::running::{Running, asking, seeds, tls, tls_settings, until_closed};
use crate::support::identity::{Identity, provider};
use crate::support::page::Page;

const FAILURES: &str = "northgate_tls_handshake_failures_total";

async fn running(identity: &Identity) -> (Running, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let tls = tls(vec![identity.write(folder.path(), "server")]);
    (Running::start(Some(tls), &[("limits.handshake_time", "2s")]).await, folder)
}

/// A ClientHello of this version and with these extensions, in a record.
fn client_hello(version: [u8; 2], extensions: &[u8]) -> Vec<u8> {
    let mut body = [&version[..], &[7; 32], &[0], &[0, 4, 0, 0x2F, 0, 0x35], &[1, 0]].concat();
    if !extensions.is_empty() {
        body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        body.extend(extensions);
    }
    let length = u16::try_from(body.len()).unwrap();
    let [high, low] = (length + 4).to_be_bytes();
    [&[22, 3, 1, high, low, 1, 0], &length.to_be_bytes()[..], &body].concat()
}

async fn answer_to(running: &Running, bytes: &[u8]) -> Vec<u8> {
    let mut stream = running.connect().await;
    stream.write_all(bytes).await.unwrap();
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
    answer.to_vec()
}

/// Java 6 and 7, OpenSSL 0.9.8 and firmware of their time heard `handshake_failure`, which says nothing, or nothing at all.
#[tokio::test]
async fn a_client_of_tls_1_1_or_older_gets_the_alert_protocol_version() {
    let (running, _folder) = running(&Identity::ecdsa()).await;
    let signature_algorithms = [0, 13, 0, 4, 0, 2, 4, 3];
    let server_name = [0, 0, 0, 14, 0, 12, 0, 0, 9, b'l', b'o', b'c', b'a', b'l', b'h', b'o', b's', b't'];
    let mut failures = 0;
    for version in [[3, 0], [3, 1], [3, 2]] {
        for extensions in [&[][..], &server_name, &signature_algorithms] {
            let answer = answer_to(&running, &client_hello(version, extensions)).await;
            assert_eq!(answer, [21, version[0], version[1], 0, 2, 2, 70], "{version:?} {extensions:?}");
            failures += 1;
        }
    }
    // In the ClientHello of SSL 2.0, as Java 6 sends it.
    let old = [&[0x80, 43, 1, 3, 1, 0, 18, 0, 0, 0, 16][..], &[0; 34]].concat();
    assert_eq!(answer_to(&running, &old).await, [21, 3, 1, 0, 2, 2, 70]);
    running.metric(FAILURES, "protocol_version").is(failures + 1).await;
}

/// RFC 8446 §4.2.1: with the extension, the version before it says nothing.
#[tokio::test]
async fn an_old_version_with_the_extension_supported_versions_is_not_old() {
    let (running, _folder) = running(&Identity::ecdsa()).await;
    let newer = [0, 43, 0, 3, 2, 3, 4, 0, 13, 0, 4, 0, 2, 4, 3];
    let answer = answer_to(&running, &client_hello([3, 1], &newer)).await;
    // It shares no cipher suite with us, which is another alert.
    assert_eq!((answer[0], answer[6]), (21, 40), "{answer:?}");
}

#[tokio::test]
async fn a_client_below_the_configured_minimum_gets_the_alert_protocol_version() {
    let (folder, identity) = (tempfile::tempdir().unwrap(), Identity::ecdsa());
    let settings = tls_settings(vec![identity.write(folder.path(), "server")]);
    let settings = TlsSettings { minimum: MinimumTls::Tls13, ..settings };
    let running = Running::start(Some(Arc::new(Tls::load(settings, seeds(1)).unwrap())), &[]).await;
    let error = running.connect_tls(identity.trusting_version(&TLS12)).await.unwrap_err();
    assert!(error.to_string().contains("ProtocolVersion"), "{error}");
    running.metric(FAILURES, "protocol_version").is(1).await;
}

#[tokio::test]
async fn failures_are_counted_by_what_went_wrong() {
    let (server, stranger) = (Identity::ecdsa(), Identity::ecdsa());
    let (running, _folder) = running(&server).await;
    // The client does not trust the certificate, and says so.
    for version in [&TLS12, &TLS13] {
        assert!(running.connect_tls(stranger.trusting_version(version)).await.is_err());
    }
    running.metric(FAILURES, "server_certificate_refused").is(2).await;
    let mut suites = provider();
    suites.cipher_suites.retain(|suite| format!("{:?}", suite.suite()).contains("RSA"));
    let only_rsa = server.trusting_with(suites, &[&TLS12]).with_no_client_auth();
    assert!(running.connect_tls(Arc::new(only_rsa)).await.is_err());
    running.metric(FAILURES, "no_shared_cipher").is(1).await;
    let mut other_protocol = (*server.trusting()).clone();
    other_protocol.alpn_protocols = vec![b"h2".to_vec()];
    assert!(running.connect_tls(Arc::new(other_protocol)).await.is_err());
    running.metric(FAILURES, "no_shared_alpn").is(1).await;
    for (bytes, reason) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "plain_http"),
        (b"\x00\x01\x02", "not_tls"),
        (b"", "no_data"),
        (&[22, 3, 1, 0, 4, 2, 0, 0, 0], "malformed_message"),
        (&[22, 3, 1, 1, 0, 1], "closed_by_client"),
    ] {
        let mut stream = running.connect().await;
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        running.metric(FAILURES, reason).is(1).await;
    }
    let mut silent = running.connect().await;
    assert_eq!(until_closed(&mut silent).await, "");
    running.metric(FAILURES, "timed_out").is(1).await;
}

/// The likeliest failure of an old client left nothing in the log.
#[tokio::test]
async fn a_failure_has_a_line_at_info_with_its_reason_and_a_flood_of_them_has_no_more() {
    let (running, _folder) = running(&Identity::ecdsa()).await;
    let (page, _guard) = Page::open();
    for _ in 0..5 {
        answer_to(&running, &client_hello([3, 1], &[])).await;
    }
    let mut probe = running.connect().await;
    probe.shutdown().await.unwrap();
    until_closed(&mut probe).await;
    running.metric(FAILURES, "no_data").is(1).await;
    let lines = page.lines("northgate_server::listener::connection_log");
    let told = |level: &str| -> Vec<_> {
        let lines = lines.iter().filter(|line| line["level"] == level);
        lines.map(|line| line["reason"].as_str().unwrap()).collect()
    };
    assert_eq!(told("INFO"), ["protocol_version"], "{lines:?}");
    assert!(lines[0]["peer"].as_str().unwrap().starts_with("127.0.0.1:") && lines[0]["suppressed"] == 0);
    // A TCP health check is no failure that anybody looks into.
    assert_eq!(told("DEBUG"), ["no_data"], "{lines:?}");
}

/// In TLS 1.3 the client has finished and sends its request before it hears that its certificate is refused; the reset of a
/// connection with unread bytes would take the alert away.
#[tokio::test]
async fn a_client_certificate_that_is_missing_or_refused_is_counted_and_the_client_hears_it() {
    let (server, authority) = (Identity::ecdsa(), Identity::authority());
    let folder = tempfile::tempdir().unwrap();
    let authorities = authority.write(folder.path(), "ca").chain;
    let tls = asking(server.write(folder.path(), "server"), ClientCertificates::Require { authorities });
    let running = Running::start(Some(tls), &[]).await;
    let unknown = Identity::signed_by(&Identity::authority());
    for version in [&TLS12, &TLS13] {
        let error = running.answered(server.trusting_version(version)).await.unwrap_err();
        assert!(error.to_string().contains("CertificateRequired"), "{version:?}: {error}");
        let error = running.answered(server.trusting_as(&unknown, version)).await.unwrap_err();
        assert!(error.to_string().contains("received fatal alert"), "{version:?}: {error}");
    }
    running.metric(FAILURES, "client_certificate_missing").is(2).await;
    running.metric(FAILURES, "client_certificate_refused").is(2).await;
}

#[tokio::test]
async fn clients_may_offer_http_1_0_by_alpn_or_nothing() {
    let identity = Identity::ecdsa();
    let (running, _folder) = running(&identity).await;
    for (offered, chosen) in [
        (vec!["http/1.0"], Some("http/1.0")),
        (vec!["http/1.0", "http/1.1"], Some("http/1.1")),
        (vec!["h2", "http/1.0"], Some("http/1.0")),
        (vec![], None),
    ] {
        let mut client = (*identity.trusting()).clone();
        client.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let mut stream = running.connect_tls(Arc::new(client)).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen.map(str::as_bytes), "{offered:?}");
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
        assert!(until_closed(&mut stream).await.ends_with("here"), "{offered:?}");
    }
}
