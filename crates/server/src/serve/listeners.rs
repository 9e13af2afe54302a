//! Sockets and TLS of both listeners.

use std::sync::Arc;

use northgate_core::keyring::Keyring;
use tokio::net::TcpListener;

use super::ServeError;
use super::descriptors::ConnectionBounds;
use crate::config::Config;
use crate::config::limits::Limits;
use crate::config::tls::{ClientCertificates, TlsSettings};
use crate::listener::{self, Rules};
use crate::metrics::connections::ConnectionMetrics;
use crate::preflight;
use crate::tls::Tls;
use crate::tls::tickets::TicketSeeds;

/// Both listeners, open.
pub struct Listeners {
    pub public: TcpListener,
    pub public_tls: Arc<Tls>,
    pub private: TcpListener,
    pub private_tls: Option<Arc<Tls>>,
}

impl Listeners {
    pub fn open(config: &Config, keyring: &Keyring) -> Result<Listeners, ServeError> {
        let public_tls = Arc::new(load(config, config.tls.clone(), keyring)?);
        // Off loopback, an eavesdropper could read the admin token. Its holder needs no certificate besides.
        let private_tls = if config.admin_listen.ip().is_loopback() {
            None
        } else {
            Some(Arc::new(load(config, private_tls(config), keyring)?))
        };
        let bind = |name, flag, address| {
            listener::bind(address).map_err(|cause| ServeError::Bind(name, flag, cause))
        };
        let public = bind("public", "--listen", config.listen)?;
        let private = bind("private", "--admin-listen", config.admin_listen)?;
        Ok(Listeners { public, public_tls, private, private_tls })
    }

    /// The TLS state of each listener, by its name.
    pub fn by_listener(&self) -> Vec<(&'static str, Arc<Tls>)> {
        let private = self.private_tls.clone().map(|tls| ("private", tls));
        [("public", Arc::clone(&self.public_tls))].into_iter().chain(private).collect()
    }

    pub fn all_tls(&self) -> Vec<Arc<Tls>> {
        self.by_listener().into_iter().map(|(_, tls)| tls).collect()
    }
}

/// The TLS settings of the private listener.
pub fn private_tls(config: &Config) -> TlsSettings {
    TlsSettings { client_certificates: ClientCertificates::None, ..config.tls.clone() }
}

fn load(config: &Config, settings: TlsSettings, keyring: &Keyring) -> Result<Tls, ServeError> {
    Tls::load(settings, ticket_seeds(keyring))
        .map_err(|cause| ServeError::Tls { cause: Box::new(cause), hint: preflight::missing(config) })
}

/// The connection rules of the public and the private listener. Only the public one has shares and the PROXY protocol: the
/// private one serves a few gateways.
pub fn rules(config: &Config, bounds: ConnectionBounds, metrics: &[Arc<ConnectionMetrics>; 2]) -> [Rules; 2] {
    let [public, private] = metrics.clone();
    let rules = |connections, connections_per_source, proxies, metrics| {
        let limits = Limits { connections, connections_per_source, ..config.limits.clone() };
        Rules { limits, proxies, metrics }
    };
    [
        rules(bounds.public, bounds.per_source, config.proxies.clone(), public),
        rules(bounds.private, bounds.private, config.proxies.without_protocol(), private),
    ]
}

/// The seeds of session ticket keys.
pub fn ticket_seeds(keyring: &Keyring) -> TicketSeeds {
    TicketSeeds(keyring.ticket_seeds())
}
