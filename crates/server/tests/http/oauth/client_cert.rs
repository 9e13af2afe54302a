//! The certificate of a client behind a gateway that terminates TLS (RFC 9440).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use northgate_core::actor::Actor;
use northgate_core::administer::Change;
use northgate_core::app_id::AppId;
use northgate_core::clock::Timestamp;
use northgate_core::credential::{CertificateName, CredentialKind, NameField};
use northgate_core::keyring::TicketSeed;
use northgate_core::policy::{AccessTokens, Overrides};
use northgate_core::signing::Algorithm;
use northgate_server::config::Config;
use northgate_server::config::layers::Sources;
use northgate_server::config::tls::{ClientCertificates, TlsSettings};
use northgate_server::http;
use northgate_server::tls::tickets::TicketSeeds;
use northgate_server::tls::{Tls, client_certificate};
use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

use crate::oauth::request::*;
use crate::support::identity::Identity;
use crate::support::socket::{Answer, answer, ask};
use crate::support::world::*;

async fn behind_a_gateway() -> World {
    let overrides = Overrides { access_tokens: Some(AccessTokens::Jwt(Algorithm::Es256)), ..SETUP.overrides };
    World::with(Setup { trusted: "127.0.0.1", overrides, ..SETUP }).await
}

async fn register(world: &World, kind: CredentialKind) {
    let change = Change::AddCredential("a certificate".to_owned(), kind);
    world
        .auth
        .change(&AppId::parse("demo").unwrap(), &change, &Actor::LOCAL, world.clock.now())
        .await
        .unwrap();
}

fn registered(who: &Identity) -> CredentialKind {
    CredentialKind::Certificate(client_certificate::thumbprint(&who.certificate()))
}

fn field(who: &Identity) -> String {
    format!(":{}:", STANDARD.encode(who.certificate()))
}

fn token_request(headers: &str) -> String {
    let form = "grant_type=client_credentials&client_id=demo";
    let length = form.len();
    format!(
        "POST {TOKEN} HTTP/1.1\r\nHost: h\r\nContent-Type: {FORM}\r\nContent-Length: {length}\r\n{headers}\r\n{form}"
    )
}

async fn token(world: &World, headers: &str) -> Answer {
    ask(world.public, token_request(headers)).await
}

#[tokio::test]
async fn the_certificate_that_a_trusted_gateway_states_counts_as_the_clients_own() {
    let (world, who) = (behind_a_gateway().await, Identity::ecdsa());
    register(&world, registered(&who)).await;
    let answer = token(&world, &format!("Client-Cert: {}\r\n", field(&who))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let claims = answer.member("access_token").split('.').nth(1).unwrap().to_owned();
    let claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    let thumbprint = URL_SAFE_NO_PAD.encode(client_certificate::thumbprint(&who.certificate()));
    assert_eq!(claims["cnf"]["x5t#S256"], thumbprint.as_str());
}

#[tokio::test]
async fn from_others_it_is_ignored() {
    let (world, who) = (World::new().await, Identity::ecdsa());
    register(&world, registered(&who)).await;
    assert_eq!(token(&world, &format!("Client-Cert: {}\r\n", field(&who))).await.status, 401);
}

#[tokio::test]
async fn what_is_not_one_byte_sequence_with_a_certificate_is_none() {
    let (world, who) = (behind_a_gateway().await, Identity::ecdsa());
    register(&world, registered(&who)).await;
    let (good, other) = (field(&who), field(&Identity::ecdsa()));
    let bare = good.trim_matches(':');
    for lines in [
        String::new(),
        "Client-Cert: \r\n".to_owned(),
        format!("Client-Cert: {bare}\r\n"),
        format!("Client-Cert: \"{bare}\"\r\n"),
        format!("Client-Cert: :{bare}\r\n"),
        format!("Client-Cert: {good}, {good}\r\n"),
        format!("Client-Cert: {good}\r\nClient-Cert: {good}\r\n"),
        format!("Client-Cert: {other}\r\nClient-Cert: {good}\r\n"),
        format!("Client-Cert: {other}\r\n"),
        format!("Client-Cert: :{}:\r\n", STANDARD.encode("no certificate")),
        format!("Client-Cert-Chain: {good}\r\n"),
    ] {
        assert_eq!(token(&world, &lines).await.status, 401, "{lines}");
    }
    // Parameters of a structured field are ignored.
    assert_eq!(token(&world, &format!("Client-Cert: {good};a=1\r\n")).await.status, 200);
}

/// Behind TLS, with an authority whose names are believed.
#[tokio::test]
async fn names_are_believed_if_the_chain_leads_to_an_authority_and_the_gateways_own_certificate_is_not_the_clients()
 {
    let world = behind_a_gateway().await;
    let (server, authority) = (Identity::ecdsa(), Identity::authority());
    let folder = tempfile::tempdir().unwrap();
    let settings = TlsSettings {
        certificates: vec![server.write(folder.path(), "server")],
        client_certificates: ClientCertificates::Request {
            authorities: Some(authority.write(folder.path(), "ca").chain),
        },
        ..Config::load(Sources::default()).unwrap().tls
    };
    let seed = TicketSeed { use_from: Timestamp::from_millis(0), bytes: [1; 32] };
    let tls = Tls::load(settings, TicketSeeds(vec![seed])).unwrap();
    let (_stop, stopped) = watch::channel(false);
    let routes = http::public(Arc::clone(&world.api), "");
    let address = serve_behind("127.0.0.1", routes, Some(Arc::new(tls)), stopped).await;
    let gateway = Identity::ecdsa();
    register(&world, registered(&gateway)).await;
    register(
        &world,
        CredentialKind::Name(CertificateName { field: NameField::SanDns, value: "localhost".to_owned() }),
    )
    .await;
    let ask = async |headers: &str| {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let client = server.trusting_as(&gateway, &TLS13);
        let mut stream = TlsConnector::from(client).connect(name, stream).await.unwrap();
        stream.write_all(token_request(headers).as_bytes()).await.unwrap();
        answer(&mut stream).await.status
    };
    let (known, unknown) = (Identity::signed_by(&authority), Identity::signed_by(&Identity::authority()));
    assert_eq!(ask(&format!("Client-Cert: {}\r\n", field(&known))).await, 200);
    assert_eq!(ask(&format!("Client-Cert: {}\r\n", field(&unknown))).await, 401);
    // The gateway passes on the request of a client that has shown it no certificate.
    assert_eq!(ask("").await, 401);
}
