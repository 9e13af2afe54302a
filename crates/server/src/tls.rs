//! TLS of a listener: certificates and ticket keys that are replaced while connections use them.

pub mod certificates;
pub mod client_certificates;
pub mod dev;
pub mod shown;
pub mod tickets;
pub mod trust;
pub mod x509;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::CipherSuite;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::version::{TLS12, TLS13};
use tokio::signal::unix::Signal;
use tokio::time::MissedTickBehavior;
use tracing::{error, info, warn};

use crate::config::tls::{MinimumTls, TlsSettings};
use crate::telemetry::with_causes;
use certificates::{CertificateError, Certificates};
use client_certificates::{ClientCertificateError, Demand};
use tickets::{TicketSeeds, Tickets};

/// What clients may speak on our connections.
const PROTOCOLS: [&[u8]; 2] = [b"http/1.1", b"http/1.0"];

/// What we take where a client has it. Processors compute SHA-256 by themselves, and a handshake with SHA-384 costs a
/// quarter more: docs/decisions/0034-sha-256-in-the-handshake.md.
const PREFERRED: [CipherSuite; 3] = [
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

/// Each connection, a resumed one too, hands out one fresh ticket: a client that opens one connection after the other
/// always holds one. A second one would cost every handshake an encryption and its bytes, for nobody.
const TICKETS_PER_CONNECTION: usize = 1;

/// What a listener needs to accept TLS connections; shared by all of them.
#[derive(Debug)]
pub struct Tls {
    settings: TlsSettings,
    seeds: Arc<ArcSwap<TicketSeeds>>,
    loaded: ArcSwap<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    server: Arc<ServerConfig>,
    certificates: Certificates,
    demand: Demand,
}

/// What a look at the files led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    Unchanged,
    Replaced,
}

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    ClientCertificates(#[from] ClientCertificateError),
    #[error("TLS could not be set up")]
    Setup(#[source] rustls::Error),
}

impl Tls {
    /// Reads the files for the first time. A certificate that is over is served and complained about: clients that do not
    /// look at it keep working, and a restart must not be worse than no restart.
    pub fn load(settings: TlsSettings, seeds: TicketSeeds) -> Result<Tls, TlsError> {
        let seeds = Arc::new(ArcSwap::from_pointee(seeds));
        let loaded = Loaded::read(&settings, &seeds)?;
        if let Err(error) = loaded.certificates.valid_at(UnixTime::now()) {
            warn!("{}", with_causes(&error));
        }
        Ok(Tls { settings, seeds, loaded: ArcSwap::from_pointee(loaded) })
    }

    /// What the next connection is accepted with.
    pub fn server(&self) -> Arc<ServerConfig> {
        self.loaded.load().server.clone()
    }

    /// What knows the authorities of client certificates; `None` where there are none.
    pub fn authorities(&self) -> Option<Arc<dyn ClientCertVerifier>> {
        self.loaded.load().demand.authorities()
    }

    /// When the first of the certificates ends, in seconds since 1970.
    pub fn expires_at_s(&self) -> i64 {
        self.loaded.load().certificates.expires_at_s()
    }

    /// Uses other seeds from now on; tickets under the earlier ones are good while those are among them.
    pub fn replace_ticket_seeds(&self, seeds: TicketSeeds) {
        self.seeds.store(Arc::new(seeds));
    }

    /// Reads the files again. On an error nothing has changed. Connections that are open are never touched.
    pub fn reload(&self) -> Result<Reload, TlsError> {
        let fresh = Loaded::read(&self.settings, &self.seeds)?;
        let current = self.loaded.load();
        if fresh.certificates.same_as(&current.certificates) && fresh.demand.same_as(&current.demand) {
            return Ok(Reload::Unchanged);
        }
        fresh.certificates.valid_at(UnixTime::now())?;
        self.loaded.store(Arc::new(fresh));
        Ok(Reload::Replaced)
    }

    /// Looks at the files every `reload_every` and whenever `hangup` (SIGHUP) arrives, for ever.
    pub async fn keep_fresh(self: Arc<Self>, mut hangup: Signal) {
        let mut ticks = tokio::time::interval(self.settings.reload_every.max(Duration::from_secs(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut complaint = String::new();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                // A person waits for an answer: what is still wrong is said again.
                Some(()) = hangup.recv() => complaint.clear(),
            }
            let tls = self.clone();
            match tokio::task::spawn_blocking(move || tls.reload()).await {
                Ok(Ok(Reload::Unchanged)) => complaint.clear(),
                Ok(Ok(Reload::Replaced)) => {
                    complaint.clear();
                    info!("new TLS certificates are in use");
                }
                Ok(Err(wrong)) => complain(&mut complaint, with_causes(&wrong)),
                // The runtime is going down, or reading panicked and the panic has been told.
                Err(_) => return,
            }
        }
    }
}

impl Loaded {
    fn read(settings: &TlsSettings, seeds: &Arc<ArcSwap<TicketSeeds>>) -> Result<Loaded, TlsError> {
        let provider = provider();
        let certificates = Certificates::read(&settings.certificates, &provider)?;
        let demand = Demand::read(&settings.client_certificates, &provider)?;
        let versions: &[_] = match settings.minimum {
            MinimumTls::Tls12 => &[&TLS13, &TLS12],
            MinimumTls::Tls13 => &[&TLS13],
        };
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(TlsError::Setup)?
            .with_client_cert_verifier(demand.verifier())
            .with_cert_resolver(certificates.resolver());
        // Our order of suites holds, not that of the client.
        server.ignore_client_order = true;
        server.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        // Sessions are kept by the clients, in tickets: nothing grows here, and any node can resume them.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        if settings.tickets {
            server.ticketer = Arc::new(Tickets::new(seeds.clone(), demand.fingerprint()));
            server.send_tls13_tickets = TICKETS_PER_CONNECTION;
        }
        Ok(Loaded { server: Arc::new(server), certificates, demand })
    }
}

/// The one cryptography of all our TLS, as server and as client.
fn provider() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| !PREFERRED.contains(&suite.suite()));
    Arc::new(provider)
}

/// Tells a complaint once, not every ten seconds.
fn complain(told: &mut String, complaint: String) {
    if *told != complaint {
        error!("the TLS files were not reloaded, the ones in use stay: {complaint}");
        *told = complaint;
    }
}
