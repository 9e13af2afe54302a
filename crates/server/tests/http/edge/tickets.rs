//! Laws of session tickets.

use std::sync::Arc;

use northgate_server::config::tls::{ClientCertificates, TlsSettings};
use northgate_server::tls::Tls;
use northgate_server::tls::tickets::TicketSeeds;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind};

use crate::edge::running::{Running, asking, seed, seeds, tls_settings};
use crate::support::identity::Identity;

/// A node with the certificate of `identity`, whose tickets are sealed under `seed`.
async fn node(identity: &Identity, seed: u8) -> (Arc<Tls>, Running) {
    let folder = tempfile::tempdir().unwrap();
    let settings = tls_settings(vec![identity.write(folder.path(), "server")]);
    let tls = Arc::new(Tls::load(settings, seeds(seed)).unwrap());
    (tls.clone(), Running::start(Some(tls), &[]).await)
}

async fn handshake(node: &Running, client: &Arc<ClientConfig>) -> HandshakeKind {
    let stream = node.answered(client.clone()).await.unwrap();
    stream.get_ref().1.handshake_kind().unwrap()
}

#[tokio::test]
async fn a_session_is_resumed_with_a_ticket_of_another_node() {
    let identity = Identity::ecdsa();
    let ((_, one), (_, other)) = (node(&identity, 1).await, node(&identity, 1).await);
    for version in [&TLS12, &TLS13] {
        let client = identity.trusting_version(version);
        assert_eq!(handshake(&one, &client).await, HandshakeKind::Full);
        assert_eq!(handshake(&other, &client).await, HandshakeKind::Resumed);
        // The resumed connection handed out a ticket, too.
        assert_eq!(handshake(&one, &client).await, HandshakeKind::Resumed);
    }
}

#[tokio::test]
async fn a_ticket_of_another_keyring_leads_to_a_full_handshake() {
    let identity = Identity::ecdsa();
    let ((_, one), (_, stranger)) = (node(&identity, 1).await, node(&identity, 2).await);
    for version in [&TLS12, &TLS13] {
        let client = identity.trusting_version(version);
        assert_eq!(handshake(&one, &client).await, HandshakeKind::Full);
        assert_eq!(handshake(&stranger, &client).await, HandshakeKind::Full);
    }
}

#[tokio::test]
async fn tickets_under_a_previous_seed_are_good_until_it_is_forgotten() {
    let identity = Identity::ecdsa();
    let (tls, running) = node(&identity, 1).await;
    let (keeper, late) = (identity.trusting(), identity.trusting());
    assert_eq!(handshake(&running, &keeper).await, HandshakeKind::Full);
    assert_eq!(handshake(&running, &late).await, HandshakeKind::Full);

    tls.replace_ticket_seeds(TicketSeeds(vec![seed(2), seed(1)]));
    assert_eq!(handshake(&running, &keeper).await, HandshakeKind::Resumed);

    tls.replace_ticket_seeds(seeds(2));
    assert_eq!(handshake(&running, &keeper).await, HandshakeKind::Resumed);
    assert_eq!(handshake(&running, &late).await, HandshakeKind::Full);
}

/// A resumed session is not asked for its certificate again, so it must not come from a listener that asks for less.
#[tokio::test]
async fn a_ticket_from_a_listener_without_client_certificates_opens_none_that_requires_them() {
    let (identity, authority) = (Identity::ecdsa(), Identity::authority());
    let (_, open) = node(&identity, 1).await;
    let folder = tempfile::tempdir().unwrap();
    let authorities = authority.write(folder.path(), "ca").chain;
    let required = ClientCertificates::Require { authorities };
    let closed = Running::start(Some(asking(identity.write(folder.path(), "s"), required)), &[]).await;
    let client = identity.trusting();
    assert_eq!(handshake(&open, &client).await, HandshakeKind::Full);
    assert!(closed.answered(client).await.is_err());
}

#[tokio::test]
async fn without_tickets_every_handshake_is_a_full_one() {
    let folder = tempfile::tempdir().unwrap();
    let identity = Identity::ecdsa();
    let files = identity.write(folder.path(), "server");
    let settings = TlsSettings { tickets: false, ..tls_settings(vec![files]) };
    let running = Running::start(Some(Arc::new(Tls::load(settings, seeds(1)).unwrap())), &[]).await;
    for version in [&TLS12, &TLS13] {
        let client = identity.trusting_version(version);
        assert_eq!(handshake(&running, &client).await, HandshakeKind::Full);
        assert_eq!(handshake(&running, &client).await, HandshakeKind::Full);
    }
}
