//! Client TLS of the command line to the private listener.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use crate::tls::pem::{self, PemError};
use crate::tls::{PROTOCOLS, provider};

/// Reason why a file cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error(transparent)]
    Certificate(#[from] PemError),
    #[error("a certificate in {} cannot be trusted", path.display())]
    Root {
        path: PathBuf,
        #[source]
        cause: rustls::Error,
    },
    #[error("TLS could not be set up")]
    Setup(#[source] rustls::Error),
}

/// A client that trusts only the certificates of a PEM file, authorities or self-signed.
pub fn only(file: &Path) -> Result<Arc<ClientConfig>, TrustError> {
    let mut roots = RootCertStore::empty();
    for certificate in pem::certificates(file)? {
        roots.add(certificate).map_err(|cause| TrustError::Root { path: file.to_owned(), cause })?;
    }
    client(roots)
}

/// A client that trusts the authorities of this machine.
pub fn of_the_system() -> Result<Arc<ClientConfig>, TrustError> {
    let mut roots = RootCertStore::empty();
    // Those that cannot be read are left out, as browsers do.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    client(roots)
}

fn client(roots: RootCertStore) -> Result<Arc<ClientConfig>, TrustError> {
    let mut client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TrustError::Setup)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    Ok(Arc::new(client))
}
