//! `[tls]`: certificates, TLS versions and client certificates.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::layers::Settings;
use crate::config::parse::invalid;
use crate::config::{ConfigError, HOUR};

/// A certificate chain and its key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    pub chain: PathBuf,
    pub key: PathBuf,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientCertificates {
    /// Not requested.
    None,
    /// Requested; any certificate or none is accepted. Names are accepted from a certificate that leads to an authority in this
    /// PEM file.
    Request { authorities: Option<PathBuf> },
    /// Required; must lead to an authority in this PEM file.
    Require { authorities: PathBuf },
}

impl ClientCertificates {
    /// The file with the authorities, if there is one.
    pub fn authorities(&self) -> Option<&Path> {
        match self {
            ClientCertificates::None => None,
            ClientCertificates::Request { authorities } => authorities.as_deref(),
            ClientCertificates::Require { authorities } => Some(authorities),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MinimumTls {
    Tls12,
    Tls13,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// At least one.
    pub certificates: Vec<CertificateFiles>,
    pub reload_every: Duration,
    pub client_certificates: ClientCertificates,
    pub minimum: MinimumTls,
    pub tickets: bool,
}

impl TlsSettings {
    pub(super) fn take(settings: &mut Settings, data_dir: &Path) -> Result<TlsSettings, ConfigError> {
        let versions = [("1.2", MinimumTls::Tls12), ("1.3", MinimumTls::Tls13)];
        Ok(TlsSettings {
            certificates: certificates(settings, data_dir)?,
            reload_every: settings.duration("tls.reload_every", Duration::from_secs(1)..=24 * HOUR)?,
            client_certificates: client_certificates(settings)?,
            minimum: settings.choice("tls.minimum", &versions)?,
            tickets: settings.flag("tls.tickets")?,
        })
    }
}

impl CertificateFiles {
    /// The certificate of `serve --dev`, also the default when none is configured.
    pub fn in_data_dir(data_dir: &Path) -> CertificateFiles {
        CertificateFiles { chain: data_dir.join("tls/cert.pem"), key: data_dir.join("tls/key.pem") }
    }
}

fn certificates(settings: &mut Settings, data_dir: &Path) -> Result<Vec<CertificateFiles>, ConfigError> {
    let chains = settings.paths("tls.certificates")?;
    let written = settings.peek("tls.keys")?;
    let keys = settings.paths("tls.keys")?;
    if chains.len() != keys.len() {
        let instead = format!("one key file for each certificate file, which are {}", chains.len());
        return Err(invalid("tls.keys", &written, &instead));
    }
    if chains.is_empty() {
        return Ok(vec![CertificateFiles::in_data_dir(data_dir)]);
    }
    Ok(chains.into_iter().zip(keys).map(|(chain, key)| CertificateFiles { chain, key }).collect())
}

fn client_certificates(settings: &mut Settings) -> Result<ClientCertificates, ConfigError> {
    let written = settings.peek("tls.client_ca")?;
    let authorities = settings.path("tls.client_ca")?;
    let required = authorities.clone().map(|authorities| ClientCertificates::Require { authorities });
    let words = [
        ("none", Some(ClientCertificates::None)),
        ("request", Some(ClientCertificates::Request { authorities })),
        ("require", required),
    ];
    settings.choice("tls.client_certificates", &words)?.ok_or_else(|| {
        let instead = "a PEM file with the authorities that tls.client_certificates = \"require\" needs";
        invalid("tls.client_ca", &written, instead)
    })
}
