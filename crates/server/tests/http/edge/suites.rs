//! Laws of cipher suites: which one a connection uses.

use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, SupportedProtocolVersion};

use crate::edge::running::{Running, tls};
use crate::support::identity::{Identity, provider};

/// The suite that a client gets which names these, in this order.
async fn agreed(version: &'static SupportedProtocolVersion, named: &[CipherSuite]) -> CipherSuite {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::ecdsa();
    let running = Running::start(Some(tls(vec![identity.write(folder.path(), "server")])), &[]).await;
    let mut client = provider();
    let all = std::mem::take(&mut client.cipher_suites);
    let find = |name: &CipherSuite| *all.iter().find(|suite| suite.suite() == *name).unwrap();
    client.cipher_suites = named.iter().map(find).collect();
    let client = identity.trusting_with(client, &[version]).with_no_client_auth();
    let stream = running.answered(Arc::new(client)).await.unwrap();
    stream.get_ref().1.negotiated_cipher_suite().unwrap().suite()
}

#[tokio::test]
async fn a_client_that_names_sha_384_first_gets_sha_256_where_it_can() {
    let (fast, slow) = (CipherSuite::TLS13_AES_128_GCM_SHA256, CipherSuite::TLS13_AES_256_GCM_SHA384);
    assert_eq!(agreed(&TLS13, &[slow, fast]).await, fast);
    let fast = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    let slow = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384;
    assert_eq!(agreed(&TLS12, &[slow, fast]).await, fast);
}

#[tokio::test]
async fn a_client_without_it_gets_what_it_has() {
    for suite in [CipherSuite::TLS13_AES_256_GCM_SHA384, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256] {
        assert_eq!(agreed(&TLS13, &[suite]).await, suite);
    }
}
