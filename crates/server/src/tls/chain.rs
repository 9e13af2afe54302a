//! The certificate chain as clients expect it: the certificate of the key, then the one that signed it, and so on.

use rustls::pki_types::CertificateDer;

use crate::tls::x509::Certificate;

/// A chain, and how many certificates of its file are no part of it.
pub struct Ordered {
    pub chain: Vec<CertificateDer<'static>>,
    pub strangers: usize,
}

/// Puts `all` in order behind the certificate at `own`. Left out is what clients do not need: what is there twice, roots, and
/// what signed none of the others. Nothing if one of them is not a certificate.
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
        // More than one where an authority is signed by an old and by a new one: clients take the one that they know.
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
