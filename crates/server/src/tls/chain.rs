//! Order of a certificate chain: the certificate of the key, then the one that signed it, and so on.

use rustls::pki_types::CertificateDer;

use crate::tls::x509::Certificate;

/// A chain, and the number of certificates in its file that do not belong to it.
pub struct Ordered {
    pub chain: Vec<CertificateDer<'static>>,
    pub strangers: usize,
}

/// Orders `all` behind the certificate at `own`. Leaves out duplicates, roots, and certificates that signed none of the others.
/// `None` if one of them is not a certificate.
pub fn ordered(all: &[CertificateDer<'static>], own: usize) -> Option<Ordered> {
    let mut chain = vec![all[own].clone()];
    let mut rest = Vec::new();
    for other in all {
        let is_root = is_root(other)?;
        if !is_root && !chain.contains(other) && !rest.contains(other) {
            rest.push(other.clone());
        }
    }
    let mut at = 0;
    while at < chain.len() {
        let issuer = Certificate::parse(&chain[at])?.issuer.to_vec();
        // More than one where an authority has an old and a new signer: clients take the one that they trust.
        let is_issuer = |other: &CertificateDer<'_>| {
            Certificate::parse(other).is_some_and(|other| other.subject == issuer)
        };
        let (issuers, others) = rest.into_iter().partition(is_issuer);
        chain.extend::<Vec<_>>(issuers);
        rest = others;
        at += 1;
    }
    Some(Ordered { chain, strangers: rest.len() })
}

fn is_root(certificate: &CertificateDer<'_>) -> Option<bool> {
    let certificate = Certificate::parse(certificate)?;
    Some(certificate.subject == certificate.issuer)
}
