//! Laws of the keyring that nodes share.

use std::fs;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::installation::{Installation, command, key, migrated, refusal, until};
use northgate_testkit::northgate::Northgate;

/// The ids of the keys that a node uses.
fn keys(node: &Northgate) -> Vec<u64> {
    let answer: serde_json::Value = serde_json::from_str(&node.tell(&["key", "list", "--json"])).unwrap();
    answer["keys"].as_array().unwrap().iter().map(|key| key["id"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_rotation_on_one_node_is_taken_up_by_all_without_a_restart() {
    let installation = Installation::of(3).await;
    let applications = installation.demo();
    let [a, b, c] = &applications[..] else { panic!("three nodes") };
    let before = a.login().await;
    installation.nodes[0].tell(&["key", "rotate"]);
    for node in &installation.nodes {
        until("a rotation on A on another node", async || keys(node) == [1, 2]).await;
    }
    // And from another node the next one, on top of it.
    installation.nodes[1].tell(&["key", "rotate"]);
    for node in &installation.nodes {
        until("a rotation on B on another node", async || keys(node) == [1, 2, 3]).await;
    }
    for made in [a, b, c] {
        let pair = made.login().await;
        for used in [a, b, c] {
            assert_eq!(used.verify(&pair.member("accessToken")).await.status, 200);
        }
    }
    assert_eq!(c.refresh(&before.member("refreshToken")).await.status, 200);
}

#[tokio::test]
async fn rotations_on_all_nodes_at_once_lose_no_key() {
    let installation = Installation::of(3).await;
    std::thread::scope(|scope| {
        for node in &installation.nodes {
            scope.spawn(|| node.tell(&["key", "rotate"]));
        }
    });
    for node in &installation.nodes {
        until("three rotations at once", async || keys(node) == [1, 2, 3, 4]).await;
    }
}

#[tokio::test]
async fn a_database_without_the_key_holds_no_keyring_that_a_node_would_take() {
    let installation = Installation::of(1).await;
    let [first] = &installation.nodes[..] else { panic!("one node") };
    let serve = ["serve", "--dev", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];

    let home = tempfile::tempdir().unwrap();
    let told = refusal(&command(home.path(), &installation.url, &serve));
    assert!(
        told.contains("there is no key at") && told.contains("copy keyring.key from another node"),
        "{told}"
    );
    assert!(!key(home.path()).exists());

    command(home.path(), &installation.url, &["keyring-key", "create"]);
    let told = refusal(&command(home.path(), &installation.url, &serve));
    assert!(told.contains("sealed under another key than the one in"), "{told}");
    let told = refusal(&command(home.path(), &installation.url, &["keyring-key", "create"]));
    assert!(told.contains("exists already"), "{told}");

    fs::copy(key(first.home.path()), key(home.path())).unwrap();
    let second = Northgate::start_in(home, &[("NORTHGATE_DATABASE_URL", &installation.url)]);
    assert_eq!(keys(&second), [1]);
}

#[tokio::test]
async fn of_nodes_that_start_at_once_on_an_empty_database_all_have_the_keyring_of_the_first() {
    let url = migrated().await;
    let first = tempfile::tempdir().unwrap();
    command(first.path(), &url, &["keyring-key", "create"]);
    let homes = (0..3).map(|_| {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("northgate-data")).unwrap();
        fs::copy(key(first.path()), key(home.path())).unwrap();
        home
    });
    let nodes: Vec<Northgate> = std::thread::scope(|scope| {
        let started =
            homes.map(|home| scope.spawn(|| Northgate::start_in(home, &[("NORTHGATE_DATABASE_URL", &url)])));
        started.collect::<Vec<_>>().into_iter().map(|node| node.join().unwrap()).collect()
    });
    let installation = Installation { url, nodes };
    let app = northgate_testkit::application::Application::created(&installation.nodes[0], "app");
    let everywhere = installation.everywhere(&app);
    let token = everywhere[0].login().await.member("accessToken");
    for node in &everywhere {
        until("an application of A on another node", async || node.verify(&token).await.status == 200).await;
    }
}

#[tokio::test]
async fn a_keyring_that_the_database_lost_is_put_back_by_a_node() {
    let installation = Installation::of(2).await;
    let database = northgate_testkit::postgres::server().client(&installation.url).await;
    let before = database.query_one("SELECT version, sealed FROM keyring", &[]).await.unwrap();
    let (version, sealed): (i64, Vec<u8>) = (before.get(0), before.get(1));
    installation.nodes[0].tell(&["key", "rotate"]);
    for node in &installation.nodes {
        until("a rotation", async || keys(node) == [1, 2]).await;
    }
    // As after a fail-over to a standby that had not got it yet.
    database.execute("UPDATE keyring SET version = $1, sealed = $2", &[&version, &sealed]).await.unwrap();
    until("the keyring of the nodes in the database", async || {
        let row = database.query_one("SELECT version FROM keyring", &[]).await.unwrap();
        row.get::<_, i64>(0) == version + 1
    })
    .await;
    assert_eq!(keys(&installation.nodes[1]), [1, 2]);
}

#[tokio::test]
async fn a_tls_session_of_one_node_is_resumed_on_another_also_after_a_rotation() {
    let installation = Installation::of(2).await;
    let [a, b] = &installation.nodes[..] else { panic!("two nodes") };
    let mut roots = RootCertStore::empty();
    for node in [a, b] {
        let certificate = node.home.path().join("northgate-data/tls/cert.pem");
        roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    assert_eq!(handshake(a, &config).await, HandshakeKind::Full);
    assert_eq!(handshake(b, &config).await, HandshakeKind::Resumed);
    a.tell(&["key", "rotate"]);
    until("a rotation", async || keys(b) == [1, 2]).await;
    assert_eq!(handshake(b, &config).await, HandshakeKind::Resumed);
    assert_eq!(handshake(a, &config).await, HandshakeKind::Resumed);
}

/// One request over a new connection, whose answer brings the ticket along.
async fn handshake(node: &Northgate, config: &Arc<ClientConfig>) -> HandshakeKind {
    let socket = TcpStream::connect(node.public).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::clone(config)).connect(name, socket).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // Whether the end is announced is not what this is about.
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 404"), "{answer:?}");
    stream.get_ref().1.handshake_kind().unwrap()
}
