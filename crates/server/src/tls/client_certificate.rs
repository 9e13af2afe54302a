//! The certificate of a client on its connection; the handshake has proved possession of its key.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use northgate_core::clock::Timestamp;
use northgate_core::credential::CertificateName;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;

use crate::tls::x509::{Certificate, names};

/// An extension of every request on a connection with a client certificate.
#[derive(Clone)]
pub struct ClientCertificate {
    /// At least the client's own certificate.
    chain: Arc<[CertificateDer<'static>]>,
    /// The verifier of trusted authorities; `None` without authorities.
    authorities: Option<Arc<dyn ClientCertVerifier>>,
}

impl ClientCertificate {
    /// The client's certificate on the connection, if it presented one.
    pub fn of(
        chain: Option<&[CertificateDer<'static>]>,
        authorities: Option<Arc<dyn ClientCertVerifier>>,
    ) -> Option<ClientCertificate> {
        let chain = chain.filter(|chain| !chain.is_empty())?;
        Some(ClientCertificate { chain: chain.to_vec().into(), authorities })
    }

    /// The client's certificate as a trusted proxy states it, if it parses.
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

    /// The end of its validity.
    pub fn expires_at(&self) -> Timestamp {
        let not_after_s = Certificate::parse(&self.chain[0]).map_or(i64::MAX, |parsed| parsed.not_after_s);
        Timestamp::from_millis(u64::try_from(not_after_s).unwrap_or(0).saturating_mul(1_000))
    }

    /// The names in the certificate, if it leads to a trusted authority and is valid now; otherwise none.
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
