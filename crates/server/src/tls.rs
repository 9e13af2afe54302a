//! TLS of a listener: certificates and ticket keys, replaced while connections use them.

pub mod certificates;
mod chain;
pub mod client_certificate;
pub mod client_certificate_policy;
pub mod dev;
pub mod notes;
pub mod pem;
pub mod tickets;
pub mod trust;
pub mod x509;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::CipherSuite;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::version::{TLS12, TLS13};
use tokio::sync::watch;
use tracing::info;

use crate::clock::unix_time;
use crate::config::tls::{MinimumTls, TlsSettings};
use crate::telemetry::with_causes;
use certificates::{CertificateError, CertificateExpiry, Certificates};
use client_certificate_policy::{ClientCertificateError, ClientCertificatePolicy};
use notes::{Note, Reminders};
use tickets::{TicketSeeds, Tickets};

/// ALPN protocols.
const PROTOCOLS: [&[u8]; 2] = [b"http/1.1", b"http/1.0"];

/// Preferred cipher suites. Processors have instructions for SHA-256, and a handshake with SHA-384 costs a quarter more:
/// docs/decisions/0034-sha-256-in-the-handshake.md.
const PREFERRED: [CipherSuite; 3] = [
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

/// Tickets for each connection, a resumed one too: a client that opens one connection after the other always holds one. A second
/// one would cost every handshake an encryption and its bytes, without use.
const TICKETS_PER_CONNECTION: usize = 1;

/// The shortest wait between two looks at the files.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// The TLS state that all connections of a listener share.
#[derive(Debug)]
pub struct Tls {
    settings: ArcSwap<TlsSettings>,
    seeds: Arc<ArcSwap<TicketSeeds>>,
    loaded: ArcSwap<Loaded>,
    /// One change at a time.
    turn: Mutex<()>,
}

/// Settings whose files were read, not in use yet.
pub struct Prepared {
    settings: TlsSettings,
    loaded: Loaded,
}

#[derive(Debug)]
struct Loaded {
    server: Arc<ServerConfig>,
    certificates: Certificates,
    demand: Arc<ClientCertificatePolicy>,
    /// Reason why the authorities of client certificates are not those of the present file.
    demand_fault: Option<String>,
}

/// The result of a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    Unchanged,
    Replaced,
}

/// Reason why the files cannot be used.
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
    /// Reads the files for the first time: at least one certificate with its key, and the files for client certificates.
    pub fn load(settings: TlsSettings, seeds: TicketSeeds) -> Result<Tls, TlsError> {
        let seeds = Arc::new(ArcSwap::from_pointee(seeds));
        let loaded = ArcSwap::from_pointee(Loaded::read(&settings, &seeds)?);
        Ok(Tls { settings: ArcSwap::from_pointee(settings), seeds, loaded, turn: Mutex::default() })
    }

    /// Reads the files of other settings. Nothing changes before [`Tls::switch`].
    pub fn prepare(&self, settings: TlsSettings) -> Result<Prepared, TlsError> {
        let loaded = Loaded::read(&settings, &self.seeds)?;
        Ok(Prepared { settings, loaded })
    }

    /// Uses other settings for new connections.
    pub fn switch(&self, prepared: Prepared) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.settings.store(Arc::new(prepared.settings));
        self.loaded.store(Arc::new(prepared.loaded));
    }

    /// How often the files are looked at.
    fn reload_every(&self) -> Duration {
        self.settings.load().reload_every
    }

    /// The configuration of the next connection.
    pub fn server(&self) -> Arc<ServerConfig> {
        self.loaded.load().server.clone()
    }

    /// The verifier of client certificates; `None` without authorities.
    pub fn authorities(&self) -> Option<Arc<dyn ClientCertVerifier>> {
        self.loaded.load().demand.authorities()
    }

    /// The expiry of each file, for monitoring: of each chain, and of the authorities. One file may be both.
    pub fn expiries(&self) -> Vec<CertificateExpiry> {
        let loaded = self.loaded.load();
        let is_taken = loaded.demand_fault.is_none();
        let authorities = loaded.demand.first_end();
        let authorities =
            authorities.map(|(file, end_s)| CertificateExpiry { file, not_after_s: Some(end_s), is_taken });
        let mut expiries: Vec<CertificateExpiry> = Vec::new();
        for expiry in loaded.certificates.expiries().into_iter().chain(authorities) {
            match expiries.iter_mut().find(|known| known.file == expiry.file) {
                Some(known) => known.add(&expiry),
                None => expiries.push(expiry),
            }
        }
        expiries
    }

    /// Notes for the operator at `now`: rejected files, and certificates that expire soon or have expired.
    pub fn notes(&self, now: UnixTime) -> Vec<Note> {
        let loaded = self.loaded.load();
        let fault = loaded.demand_fault.as_ref().map(|fault| {
            Note::urgent(format!(
                "tls.client_ca was not taken, the authorities read before stay in use: {fault}"
            ))
        });
        let of_certificates = loaded.certificates.notes(now);
        of_certificates.into_iter().chain(fault).chain(loaded.demand.notes(now)).collect()
    }

    /// Whether a certificate in use has the DNS name `host` (in lower case).
    pub fn is_named(&self, host: &str) -> bool {
        self.loaded.load().certificates.have(host)
    }

    /// Switches to other seeds; tickets under earlier ones remain valid while those are among them.
    pub fn replace_ticket_seeds(&self, seeds: TicketSeeds) {
        self.seeds.store(Arc::new(seeds));
    }

    /// Reads the files again, each pair by itself. An unusable file leaves the present one in use, with a note. Open connections
    /// are never touched.
    pub fn reload(&self, now: UnixTime) -> Reload {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let (settings, current, provider) = (self.settings.load(), self.loaded.load(), provider());
        let certificates = current.certificates.renewed(&provider, now);
        let (demand, mut demand_fault) =
            match ClientCertificatePolicy::read(&settings.client_certificates, &provider) {
                Ok(fresh) if fresh.same_as(&current.demand) => (Arc::clone(&current.demand), None),
                Ok(fresh) => (Arc::new(fresh), None),
                Err(error) => (Arc::clone(&current.demand), Some(with_causes(&error))),
            };
        let is_same = certificates.serves_as(&current.certificates) && Arc::ptr_eq(&demand, &current.demand);
        let server = match is_same {
            true => Ok(Arc::clone(&current.server)),
            false => server(&settings, &self.seeds, &certificates, &demand),
        };
        let (server, reload) = match server {
            Ok(server) if is_same => (server, Reload::Unchanged),
            Ok(server) => (server, Reload::Replaced),
            Err(error) => {
                demand_fault = Some(with_causes(&error));
                (Arc::clone(&current.server), Reload::Unchanged)
            }
        };
        self.loaded.store(Arc::new(Loaded { server, certificates, demand, demand_fault }));
        reload
    }
}

/// Reloads the files every `tls.reload_every` and at every change of `reloads`, for ever. Logs each note once and then
/// daily; files that the listeners share are logged once.
pub async fn keep_fresh(all: Vec<Arc<Tls>>, mut reloads: watch::Receiver<u64>) {
    let mut wait = Duration::ZERO;
    let mut reminders = Reminders::default();
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            Ok(()) = reloads.changed() => reminders.forget(),
        }
        wait = all.iter().map(|tls| tls.reload_every()).min().unwrap_or_default().max(SHORTEST_WAIT);
        let now = unix_time();
        let mut notes = Vec::new();
        for tls in &all {
            let reloaded = Arc::clone(tls);
            match tokio::task::spawn_blocking(move || reloaded.reload(now)).await {
                Ok(Reload::Unchanged) => {}
                Ok(Reload::Replaced) => info!("new TLS certificates are in use"),
                // The runtime shuts down, or reading panicked, which is in the log already.
                Err(_) => return,
            }
            notes.extend(tls.notes(now));
        }
        notes.sort_by(|one, other| one.text.cmp(&other.text));
        notes.dedup();
        reminders.due(notes, now).iter().for_each(Note::tell);
    }
}

impl Loaded {
    fn read(settings: &TlsSettings, seeds: &Arc<ArcSwap<TicketSeeds>>) -> Result<Loaded, TlsError> {
        let provider = provider();
        let certificates = Certificates::read(&settings.certificates, &provider)?;
        let demand = ClientCertificatePolicy::read(&settings.client_certificates, &provider)?;
        let server = server(settings, seeds, &certificates, &demand)?;
        Ok(Loaded { server, certificates, demand: Arc::new(demand), demand_fault: None })
    }
}

fn server(
    settings: &TlsSettings,
    seeds: &Arc<ArcSwap<TicketSeeds>>,
    certificates: &Certificates,
    demand: &ClientCertificatePolicy,
) -> Result<Arc<ServerConfig>, TlsError> {
    let versions: &[_] = match settings.minimum {
        MinimumTls::Tls12 => &[&TLS13, &TLS12],
        MinimumTls::Tls13 => &[&TLS13],
    };
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(TlsError::Setup)?
        .with_client_cert_verifier(demand.verifier())
        .with_cert_resolver(certificates.resolver());
    // The server's order of suites holds, not the client's.
    server.ignore_client_order = true;
    server.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    // Clients store the sessions in tickets: nothing grows here, and any node can resume them.
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    if settings.tickets {
        server.ticketer = Arc::new(Tickets::new(seeds.clone(), demand.fingerprint()));
        server.send_tls13_tickets = TICKETS_PER_CONNECTION;
    }
    Ok(Arc::new(server))
}

/// The cryptography of all TLS, as server and as client.
fn provider() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.sort_by_key(|suite| !PREFERRED.contains(&suite.suite()));
    Arc::new(provider)
}
