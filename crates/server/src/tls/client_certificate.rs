//! The certificate that a client has shown on its connection, of which it has proved to hold the key.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use northgate_core::credential::CertificateName;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;

use crate::tls::x509::{Certificate, names};

/// An extension of every request on a connection with a client certificate.
#[derive(Clone)]
pub struct ClientCertificate {
    /// At least the client's own.
    chain: Arc<[CertificateDer<'static>]>,
    /// What knows the authorities that are trusted; `None` where there are none.
    authorities: Option<Arc<dyn ClientCertVerifier>>,
}

impl ClientCertificate {
    /// What the client has shown, if it has.
    pub fn of(
        chain: Option<&[CertificateDer<'static>]>,
        authorities: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Option<ClientCertificate> {
        let chain = chain.filter(|chain| !chain.is_empty())?;
        Some(ClientCertificate { chain: chain.to_vec().into(), authorities })
    }

    /// What a trusted proxy states that the client has shown, if that is a certificate.
    pub fn stated(
        chain: Vec<CertificateDer<'static>>,
        authorities: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Option<ClientCertificate> {
        Certificate::parse(chain.first()?)?;
        Some(ClientCertificate { chain: chain.into(), authorities })
    }

    /// SHA-256 over the certificate (RFC 8705 §3.1).
    pub fn thumbprint(&self) -> [u8; 32] {
        thumbprint(&self.chain[0])
    }

    /// The names in the certificate, if it leads to an authority that is trusted and is valid now; else none.
    pub fn names(&self) -> Vec<CertificateName> {
        let Some(authorities) = &self.authorities else { return Vec::new() };
        let (own, others) = (&self.chain[0], &self.chain[1..]);
        match authorities.verify_client_cert(own, others, UnixTime::now()) {
            Ok(_) => names::of(own),
            Err(_) => Vec::new(),
        }
    }
}

/// SHA-256 over the DER of a certificate.
pub fn thumbprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    let mut thumbprint = [0; 32];
    thumbprint.copy_from_slice(digest(&SHA256, certificate).as_ref());
    thumbprint
}
