//! All that a call meets on its way: a gateway, Northgate beside it, the platform behind it; and an application.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use northgate_core::clock::Timestamp;
use northgate_core::keyring::TicketSeed;
use northgate_core::policy::Overrides;
use northgate_server::config::log::LoggedRequests;
use northgate_server::config::tls::{ClientCertificates, MinimumTls, TlsSettings};
use northgate_server::http::hosts::Hosts;
use northgate_server::http::{self, Api, body::Bounds};
use northgate_server::jwt::signature_cache::SignatureCache;
use northgate_server::metrics::Metrics;
use northgate_server::tls::tickets::TicketSeeds;
use northgate_server::tls::{Tls, dev};
use reqwest::{Certificate, Client, ClientBuilder, Method, RequestBuilder};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Mutex, watch};

use crate::gateway::{Gateway, Kind, Places};
use crate::platform::Platform;
use crate::relay::Relay;
use crate::support::world::{self, BODY_MAX, SETUP, Setup, World};
use northgate_testkit::eventually;

/// A call that is made unless a law is about another one.
pub const CALL: &str = "/iocm/app/dm/v1.4.0/devices?appId=owner&pageNo=0";

/// A process that is just being started holds what this one has open, the lock of another test's data directory too, so
/// that a store could not be opened again there. One test at a time opens stores and starts processes.
static STARTING: Mutex<()> = Mutex::const_new(());

pub struct GatewayStack {
    pub kind: Kind,
    pub world: World,
    pub platform: Platform,
    pub relay: Relay,
    pub gateway: Gateway,
    http: Client,
    /// Speaks HTTP/2 where the gateway does.
    pub http2: Client,
    pub certificate: Vec<u8>,
    _stop: watch::Sender<bool>,
    _taken: TcpSocket,
    _silent: TcpListener,
    _home: TempDir,
}

/// The address that Northgate sees gateways by, and trusts.
const GATEWAY: &str = "127.0.0.1";

pub const CORS: &str = "#cors ";
pub const CLIENT_CERTIFICATES: &str = "#mtls ";

/// What a law changes before the gateway starts.
#[derive(Clone, Copy)]
pub struct Plan {
    pub overrides: Overrides,
    /// The gateway looks for it where it is not.
    pub is_northgate_away: bool,
    /// Northgate accepts connections and sends nothing, as a process that was stopped by SIGSTOP.
    pub is_northgate_silent: bool,
    pub is_platform_away: bool,
    pub is_style_oauth: bool,
    /// The word before the lines of the files that are options.
    pub option: Option<&'static str>,
    /// Gateways wait for an answer for 1 s.
    pub is_impatient: bool,
    /// A recorder is in place of Northgate's public listener.
    pub is_public_recorded: bool,
    /// Wrong secrets in a minute from one address, which Northgate takes from the gateway.
    pub failures_per_source: u32,
    /// The part of the requests that Northgate traces by itself, where traces are on.
    pub traced: Option<f64>,
}

pub const PLAN: Plan = Plan {
    overrides: SETUP.overrides,
    is_northgate_away: false,
    is_northgate_silent: false,
    is_platform_away: false,
    is_style_oauth: false,
    option: None,
    is_impatient: false,
    is_public_recorded: false,
    failures_per_source: 0,
    traced: None,
};

impl Plan {
    fn changes(&self, kind: Kind, private: u16, home: &Path) -> Vec<(String, String)> {
        let mut changes = Vec::new();
        if self.is_style_oauth {
            let (from, to) = kind.in_style_of_oauth();
            // The address in it is changed as well.
            changes.push((from.to_owned(), to.replace("8744", &private.to_string())));
        }
        if self.is_impatient {
            changes.push(("60s".to_owned(), "1s".to_owned()));
        }
        if let Some(option) = self.option {
            changes.push((option.to_owned(), String::new()));
        }
        if self.option == Some(CLIENT_CERTIFICATES) && kind == Kind::HAProxy {
            // As the comment above that line says.
            let asking = format!(
                "alpn h2,http/1.1 verify optional ca-file {}/tls/cert.pem ca-ignore-err all crt-ignore-err all",
                home.display()
            );
            changes.push(("alpn h2,http/1.1".to_owned(), asking));
        }
        changes
    }
}

/// What an application heard.
#[derive(Debug)]
pub struct Heard {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl GatewayStack {
    pub async fn new(kind: Kind) -> GatewayStack {
        GatewayStack::with(kind, PLAN).await
    }

    pub async fn with(kind: Kind, plan: Plan) -> GatewayStack {
        let turn = STARTING.lock().await;
        let Plan { overrides, failures_per_source, traced, .. } = plan;
        let world =
            World::with(Setup { overrides, failures_per_source, traced, trusted: GATEWAY, ..SETUP }).await;
        let platform = Platform::start().await;
        let home = tempfile::tempdir().unwrap();
        let (stop, stopped) = watch::channel(false);
        let tls = Some(tls(home.path()));
        let public = match plan.is_public_recorded {
            true => world::serve(Platform::routes(Arc::default()), tls, stopped).await,
            false => world::serve_behind(GATEWAY, http::public(api(&world), ""), tls, stopped).await,
        };
        let relay = Relay::start(world.private).await;
        // Bound, so that no other process gets it, and not listening.
        let taken = TcpSocket::new_v4().unwrap();
        taken.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let nobody = taken.local_addr().unwrap();
        // The kernel accepts for it.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (public, private) = match (plan.is_northgate_away, plan.is_northgate_silent) {
            (true, _) => (nobody, nobody),
            (false, true) => (silent.local_addr().unwrap(), silent.local_addr().unwrap()),
            (false, false) => (public, relay.address),
        };
        let places = Places {
            public,
            private,
            platform: if plan.is_platform_away { nobody } else { platform.address },
            home: home.path(),
            changes: plan.changes(kind, private.port(), home.path()),
        };
        let gateway = Gateway::start(kind, &places);
        drop(turn);
        let certificate = std::fs::read(home.path().join("tls/cert.pem")).unwrap();
        let stack = GatewayStack {
            kind,
            world,
            platform,
            relay,
            gateway,
            http: client(&certificate).http1_only().build().unwrap(),
            http2: client(&certificate).build().unwrap(),
            certificate,
            _stop: stop,
            _taken: taken,
            _silent: silent,
            _home: home,
        };
        stack.until_it_answers().await;
        stack
    }

    /// Traefik accepts connections before it has read what to do with them.
    async fn until_it_answers(&self) {
        let answers = async || self.request(Method::GET, "/").send().await.is_ok();
        eventually(&format!("{:?} answers", self.kind), answers).await;
    }

    pub async fn token(&self) -> String {
        self.world.login().await.member("accessToken")
    }

    /// A request to the gateway without any headers.
    pub fn request(&self, method: Method, target: &str) -> RequestBuilder {
        self.http.request(method, format!("https://{}{target}", self.gateway.address))
    }

    /// The same from another of this machine's own addresses.
    pub fn request_from(&self, address: Ipv4Addr, method: Method, target: &str) -> RequestBuilder {
        let client = client(&self.certificate).http1_only().local_address(IpAddr::V4(address));
        client.build().unwrap().request(method, format!("https://{}{target}", self.gateway.address))
    }

    /// The address and port of the gateway, as in `Host`.
    pub fn host(&self) -> String {
        self.gateway.address.to_string()
    }

    /// The usual call with what every call has.
    pub fn call(&self, token: &str) -> RequestBuilder {
        self.call_on(CALL, token)
    }

    pub fn call_on(&self, target: &str, token: &str) -> RequestBuilder {
        let request = self.request(Method::GET, target).header("app_key", "demo");
        request.header("Authorization", format!("Bearer {token}"))
    }
}

pub async fn hear(request: RequestBuilder) -> Heard {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Heard { status, headers, body: answer.text().await.unwrap() }
}

impl Heard {
    /// The value of a header of the answer, which must not be there twice.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter().map(|value| value.to_str().unwrap());
        let value = values.next();
        assert_eq!(values.next(), None, "{name} is repeated");
        value
    }

    /// The same header of the call, as often as the platform heard it.
    pub fn told(&self, name: &str) -> Vec<String> {
        let heard = self.platform();
        let all =
            heard["headers"].as_array().unwrap_or_else(|| panic!("the platform did not answer: {self:?}"));
        let all = all.iter();
        all.filter(|line| line[0] == name).map(|line| line[1].as_str().unwrap().to_owned()).collect()
    }

    /// What the platform heard of the call.
    pub fn platform(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("the platform did not answer: {self:?}"))
    }
}

impl Kind {
    /// What the comment in the file says about it.
    fn in_style_of_oauth(self) -> (&'static str, &'static str) {
        match self {
            Kind::Nginx => ("northgate_private/verify;", "northgate_private/verify?style=oauth;"),
            Kind::Caddy => ("style=platform", "style=oauth"),
            Kind::HAProxy => ("8744/verify\"", "8744/verify?style=oauth\""),
            Kind::Traefik => ("8744/verify", "8744/verify?style=oauth"),
            Kind::Envoy => ("path_override: \"/verify\"", "path_override: \"/verify?style=oauth\""),
        }
    }
}

fn api(world: &World) -> Arc<Api> {
    Arc::new(Api {
        auth: Arc::clone(&world.auth),
        clock: world.clock.clone(),
        metrics: Arc::new(Metrics::default()),
        dialect: SETUP.dialect,
        v3_login: SETUP.v3_login,
        oauth: world.api.oauth.clone(),
        trusted_headers: world.api.trusted_headers,
        signatures: SignatureCache::default(),
        asks_certificates: false,
        private_hosts: Hosts::new(Vec::new(), None),
        body: Bounds { size: BODY_MAX, time: Duration::from_secs(10) },
        why_not_ready: Box::new(|| None),
        attention: Box::new(Vec::new),
        logged: LoggedRequests::None,
        tracer: world.api.tracer.clone(),
    })
}

/// One certificate for the gateway and for Northgate's public listener.
fn tls(home: &Path) -> Arc<Tls> {
    let settings = TlsSettings {
        certificates: vec![dev::certificate(home).unwrap()],
        reload_every: Duration::from_secs(60),
        client_certificates: ClientCertificates::None,
        minimum: MinimumTls::Tls12,
        tickets: true,
    };
    let seed = TicketSeed { use_from: Timestamp::from_millis(0), bytes: [7; 32] };
    Arc::new(Tls::load(settings, TicketSeeds(vec![seed])).unwrap())
}

fn client(certificate: &[u8]) -> ClientBuilder {
    // Another test may have said so already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder().add_root_certificate(Certificate::from_pem(certificate).unwrap())
}
