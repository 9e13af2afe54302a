//! Certificates instead of a secret, and the tokens that are bound to them (RFC 8705).

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use northgate_core::actor::Actor;
use northgate_core::administer::Change;
use northgate_core::app_id::AppId;
use northgate_core::clock::Timestamp;
use northgate_core::credential::{CertificateName, CredentialKind, NameField};
use northgate_core::keyring::TicketSeed;
use northgate_core::policy::{AccessTokens, BindTokens, Overrides};
use northgate_core::signing::Algorithm;
use northgate_server::config::Config;
use northgate_server::config::layers::Sources;
use northgate_server::config::tls::{ClientCertificates, TlsSettings};
use northgate_server::config::verify::TrustedHeaders;
use northgate_server::http;
use northgate_server::tls::tickets::TicketSeeds;
use northgate_server::tls::{Tls, client_certificate};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

use crate::oauth::request::*;
use crate::support::identity::Identity;
use crate::support::socket::{Answer, answer, ask, post};
use crate::support::world::*;

const ASK: &str = "grant_type=client_credentials&client_id=demo";

const CLIENT_CERTS: TrustedHeaders =
    TrustedHeaders { client_cert: true, client_cert_thumbprint: true, ..TRUST_NOTHING };

/// A world with a public listener that speaks TLS and asks for certificates.
struct Secured {
    world: World,
    address: SocketAddr,
    server: Identity,
    authority: Identity,
    _stop: watch::Sender<bool>,
    _directory: TempDir,
}

impl Secured {
    async fn new() -> Secured {
        Secured::trusting(CLIENT_CERTS).await
    }

    /// With a `/verify` that believes these headers.
    async fn trusting(trusted_headers: TrustedHeaders) -> Secured {
        Secured::of(World::with(Setup { trusted_headers, ..SETUP }).await).await
    }

    async fn of(world: World) -> Secured {
        let (server, authority) = (Identity::ecdsa(), Identity::authority());
        let directory = tempfile::tempdir().unwrap();
        let authorities = Some(authority.write(directory.path(), "ca").chain);
        let settings = TlsSettings {
            certificates: vec![server.write(directory.path(), "server")],
            client_certificates: ClientCertificates::Request { authorities },
            ..Config::load(Sources::default()).unwrap().tls
        };
        let tls = Tls::load(
            settings,
            TicketSeeds(vec![TicketSeed { use_from: Timestamp::from_millis(0), bytes: [1; 32] }]),
        )
        .unwrap();
        let (stop, stopped) = watch::channel(false);
        let routes = http::public(Arc::clone(&world.api), "");
        let address = serve(routes, Some(Arc::new(tls)), stopped).await;
        Secured { world, address, server, authority, _stop: stop, _directory: directory }
    }

    async fn register(&self, kind: CredentialKind) {
        let change = Change::AddCredential("a certificate".to_owned(), kind);
        let app = AppId::parse("demo").unwrap();
        self.world.auth.change(&app, &change, &Actor::LOCAL, self.world.clock.now()).await.unwrap();
    }

    async fn send(&self, who: &Identity, path: &str, form: &str) -> Answer {
        self.send_with(self.server.trusting_as(who, &TLS13), path, form).await
    }

    async fn send_with(&self, client: Arc<ClientConfig>, path: &str, form: &str) -> Answer {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(client).connect(name, stream).await.unwrap();
        stream.write_all(&post(path, FORM, form)).await.unwrap();
        answer(&mut stream).await
    }

    /// A gateway's question about a call with a certificate of this thumbprint.
    async fn verify(&self, token: &str, thumbprint: &str) -> u16 {
        self.verify_with(token, &format!("X-Client-Cert-Thumbprint: {thumbprint}\r\n")).await
    }

    async fn verify_with(&self, token: &str, lines: &str) -> u16 {
        let head = "GET /verify HTTP/1.1\r\nHost: h\r\napp_key: demo\r\n";
        let request = format!("{head}Authorization: Bearer {token}\r\n{lines}\r\n");
        ask(self.world.private, request).await.status
    }
}

fn registered(who: &Identity) -> CredentialKind {
    CredentialKind::Certificate(client_certificate::thumbprint(&who.certificate()))
}

fn thumbprint(who: &Identity) -> String {
    URL_SAFE_NO_PAD.encode(client_certificate::thumbprint(&who.certificate()))
}

fn name(field: NameField, value: &str) -> CredentialKind {
    CredentialKind::Name(CertificateName { field, value: value.to_owned() })
}

/// RFC 8705 §2.2: the certificate is "one of those the client registered"; who has signed it and when it ends do not matter.
#[tokio::test]
async fn a_client_may_show_a_certificate_that_is_registered() {
    let secured = Secured::new().await;
    for who in [Identity::ecdsa(), Identity::rsa(), Identity::ended()] {
        secured.register(registered(&who)).await;
        for version in [&TLS12, &TLS13] {
            let client = secured.server.trusting_as(&who, version);
            let answer = secured.send_with(client, TOKEN, ASK).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
    }
}

/// RFC 8705 §2: "the authorization server MUST enforce […] the client is authenticated"; a resumed connection shows what the
/// first one has shown.
#[tokio::test]
async fn a_client_on_a_resumed_connection_is_the_one_that_it_was() {
    let (secured, who) = (Secured::new().await, Identity::ecdsa());
    secured.register(registered(&who)).await;
    for version in [&TLS12, &TLS13] {
        let client = secured.server.trusting_as(&who, version);
        for _ in 0..3 {
            let answer = secured.send_with(Arc::clone(&client), TOKEN, ASK).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
    }
}

/// RFC 8705 §2.2: a certificate that is not registered is an unsuccessful authentication; §2: "invalid_client".
#[tokio::test]
async fn a_certificate_that_is_not_registered_is_not_enough() {
    let (secured, who) = (Secured::new().await, Identity::ecdsa());
    secured.register(registered(&who)).await;
    is_error(&secured.send(&Identity::ecdsa(), TOKEN, ASK).await, 401, "invalid_client");
    let nobody = "grant_type=client_credentials&client_id=nobody";
    is_error(&secured.send(&who, TOKEN, nobody).await, 401, "invalid_client");
    let none = secured.server.trusting();
    is_error(&secured.send_with(none, TOKEN, ASK).await, 401, "invalid_client");
}

/// RFC 8705 §2: "the client MUST include the "client_id" parameter".
#[tokio::test]
async fn a_client_with_a_certificate_says_who_it_is() {
    let (secured, who) = (Secured::new().await, Identity::ecdsa());
    secured.register(registered(&who)).await;
    let nameless = "grant_type=client_credentials";
    is_error(&secured.send(&who, TOKEN, nameless).await, 401, "invalid_client");
}

/// RFC 8705 §2.1: the chain is validated, and the name is "an exact match"es.
#[tokio::test]
async fn a_client_may_show_a_certificate_with_a_registered_name_from_a_trusted_authority() {
    let secured = Secured::new().await;
    let good = Identity::signed_by(&secured.authority);
    is_error(&secured.send(&good, TOKEN, ASK).await, 401, "invalid_client");
    secured.register(name(NameField::SanDns, "localhost")).await;
    assert_eq!(secured.send(&good, TOKEN, ASK).await.status, 200);
    let foreign = Identity::signed_by(&Identity::authority());
    is_error(&secured.send(&foreign, TOKEN, ASK).await, 401, "invalid_client");
    is_error(&secured.send(&Identity::ecdsa(), TOKEN, ASK).await, 401, "invalid_client");
}

#[tokio::test]
async fn a_subject_or_an_address_is_a_name_as_well() {
    for kind in [name(NameField::Subject, "CN=rcgen self signed cert"), name(NameField::SanIp, "127.0.0.1")] {
        let secured = Secured::new().await;
        secured.register(name(NameField::SanDns, "other.example")).await;
        let good = Identity::signed_by(&secured.authority);
        is_error(&secured.send(&good, TOKEN, ASK).await, 401, "invalid_client");
        secured.register(kind).await;
        assert_eq!(secured.send(&good, TOKEN, ASK).await.status, 200);
    }
}

/// RFC 8705 §3: the token is bound to the certificate; "the protected resource MUST obtain, from its TLS implementation […]
/// the client certificate used for mutual TLS and MUST verify that the certificate matches the certificate associated with
/// the access token. If they do not match, the resource access attempt MUST be rejected".
#[tokio::test]
async fn a_token_for_a_certificate_is_good_with_that_certificate_only() {
    let (secured, who) = (Secured::new().await, Identity::ecdsa());
    secured.register(registered(&who)).await;
    let token = secured.send(&who, TOKEN, ASK).await.member("access_token");
    assert_eq!(token.len(), 107);
    assert_eq!(secured.verify(&token, &thumbprint(&who)).await, 200);
    assert_eq!(secured.verify(&token, &thumbprint(&Identity::ecdsa())).await, 403);
    assert_eq!(secured.verify(&token, "").await, 403);
    assert_eq!(secured.verify(&token, "nonsense").await, 403);
    assert_eq!(secured.world.verify(&token).await.status, 403);
    // A token that is not bound is good with any certificate.
    let plain = access_token(&secured.world).await;
    assert_eq!(secured.verify(&plain, &thumbprint(&who)).await, 200);
}

/// A thief wrote `X-Client-Cert-Thumbprint` itself, with the thumbprint that stands in clear in the stolen token, and was let
/// through behind gateways that passed the header.
#[tokio::test]
async fn a_certificate_in_a_header_is_believed_only_where_the_configuration_says_so() {
    for trusted in [TRUST_NOTHING, CLIENT_CERTS] {
        let (secured, who) = (Secured::trusting(trusted).await, Identity::ecdsa());
        secured.register(registered(&who)).await;
        let token = secured.send(&who, TOKEN, ASK).await.member("access_token");
        let of = |who: &Identity| format!("Client-Cert: :{}:\r\n", STANDARD.encode(who.certificate()));
        let said = format!("X-Client-Cert-Thumbprint: {}\r\n", thumbprint(&who));
        for lines in [of(&who), said] {
            let status = if trusted == CLIENT_CERTS { 200 } else { 403 };
            assert_eq!(secured.verify_with(&token, &lines).await, status, "{lines}");
        }
        let own = of(&who);
        for lines in
            [of(&Identity::ecdsa()), own.replace(" :", " "), own.repeat(2), "Client-Cert: ::\r\n".to_owned()]
        {
            assert_eq!(secured.verify_with(&token, &lines).await, 403, "{lines}");
        }
    }
}

/// RFC 8705 §3: "the protected resource MUST […] return […] an HTTP 401 status code and the "invalid_token" error code."
#[tokio::test]
async fn in_the_style_of_oauth_a_bound_token_without_its_certificate_is_invalid() {
    let (secured, who) = (Secured::new().await, Identity::ecdsa());
    secured.register(registered(&who)).await;
    let token = secured.send(&who, TOKEN, ASK).await.member("access_token");
    for thumbprint in ["", &thumbprint(&Identity::ecdsa())] {
        let lines = format!("Authorization: Bearer {token}\r\nX-Client-Cert-Thumbprint: {thumbprint}\r\n");
        let request = format!("GET /verify?style=oauth HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
        let answer = ask(secured.world.private, request).await;
        assert_eq!((answer.status, answer.member("error")), (401, "invalid_token".to_owned()));
        assert_eq!(answer.header("WWW-Authenticate"), Some("Bearer error=\"invalid_token\""));
    }
}

/// RFC 8705 §3.1: in a signed token the thumbprint of the certificate is the member "x5t#S256" of "cnf".
#[tokio::test]
async fn a_signed_token_says_which_certificate_it_is_bound_to() {
    let access_tokens = Some(AccessTokens::Jwt(Algorithm::Es256));
    let overrides = Overrides { access_tokens, ..SETUP.overrides };
    let secured =
        Secured::of(World::with(Setup { overrides, trusted_headers: CLIENT_CERTS, ..SETUP }).await).await;
    let who = Identity::ecdsa();
    secured.register(registered(&who)).await;
    let token = secured.send(&who, TOKEN, ASK).await.member("access_token");
    let said = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let said: serde_json::Value = serde_json::from_slice(&said).unwrap();
    assert_eq!(said["cnf"], serde_json::json!({ "x5t#S256": thumbprint(&who) }));
    assert_eq!(secured.verify(&token, &thumbprint(&who)).await, 200);
    assert_eq!(secured.verify(&token, "").await, 403);
}

/// RFC 8705 §3.2: introspection tells "x5t#S256" in "cnf".
#[tokio::test]
async fn introspection_tells_what_a_token_is_bound_to() {
    let (secured, who) = (Secured::new().await, Identity::ecdsa());
    secured.register(registered(&who)).await;
    let token = secured.send(&who, TOKEN, ASK).await.member("access_token");
    let form = format!("client_id=demo&token={token}");
    let told: serde_json::Value =
        serde_json::from_str(&secured.send(&who, INTROSPECT, &form).await.body).unwrap();
    assert_eq!(told["cnf"], serde_json::json!({ "x5t#S256": thumbprint(&who) }));
    assert_eq!(told["token_type"], "Bearer");
}

/// RFC 8705 §4: refresh tokens of a client with a certificate are bound by its authentication; the access token of a refresh
/// is bound to what the client has shown with it.
#[tokio::test]
async fn a_refresh_with_a_certificate_gives_a_token_that_is_bound_to_it() {
    let (secured, who) = (Secured::new().await, Identity::ecdsa());
    secured.register(registered(&who)).await;
    let refresh = secured.world.login().await.member("refreshToken");
    let form = format!("grant_type=refresh_token&refresh_token={refresh}&client_id=demo");
    let answer = secured.send(&who, TOKEN, &form).await;
    assert_eq!(answer.member("refresh_token").len(), 64);
    let token = answer.member("access_token");
    assert_eq!(secured.verify(&token, &thumbprint(&who)).await, 200);
    assert_eq!(secured.verify(&token, "").await, 403);
    let revoked = secured.send(&who, REVOKE, &format!("client_id=demo&token={token}")).await;
    assert_eq!(revoked.status, 200);
    assert_eq!(secured.verify(&token, &thumbprint(&who)).await, 403);
}

/// A client that shows a secret is not bound to the certificate that happens to be on its connection: clients of this
/// family all present one well-known certificate.
#[tokio::test]
async fn a_certificate_beside_a_secret_binds_nothing() {
    let (secured, who) = (Secured::new().await, Identity::ended());
    let form = format!("{ASK}&client_secret={}", secured.world.secret);
    let token = secured.send(&who, TOKEN, &form).await.member("access_token");
    assert_eq!(token.len(), 64);
    assert_eq!(secured.world.verify(&token).await.status, 200);
}

#[tokio::test]
async fn an_operator_may_have_tokens_bound_to_any_certificate_that_is_shown() {
    let overrides = Overrides { bind_tokens: Some(BindTokens::Presented), ..SETUP.overrides };
    let secured =
        Secured::of(World::with(Setup { overrides, trusted_headers: CLIENT_CERTS, ..SETUP }).await).await;
    let (who, form) = (Identity::ecdsa(), format!("{ASK}&client_secret={}", secured.world.secret));
    let token = secured.send(&who, TOKEN, &form).await.member("access_token");
    assert_eq!(secured.verify(&token, &thumbprint(&who)).await, 200);
    assert_eq!(secured.world.verify(&token).await.status, 403);
    let bare = secured.send_with(secured.server.trusting(), TOKEN, &form).await.member("access_token");
    assert_eq!(secured.world.verify(&bare).await.status, 200);
}
