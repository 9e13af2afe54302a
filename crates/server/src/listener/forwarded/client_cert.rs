//! Client-Cert and Client-Cert-Chain (RFC 9440): a client's certificate, stated by a proxy.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName};
use rustls::pki_types::CertificateDer;
use rustls::server::danger::ClientCertVerifier;
use sfv::{BareItem, Item, List, ListEntry, Parser};

use crate::tls::client_certificate::ClientCertificate;

const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// The most certificates of a chain that are read.
const MAX_CHAIN: usize = 8;

/// The certificate with its chain; `None` where it is missing, malformed or repeated.
pub(super) fn stated(
    headers: &HeaderMap,
    authorities: Option<&Arc<dyn ClientCertVerifier>>,
) -> Option<ClientCertificate> {
    let mut lines = headers.get_all(CLIENT_CERT).iter();
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    let item = Parser::new(line.as_bytes()).parse::<Item>().ok()?;
    let mut chain = vec![certificate(item.bare_item)?];
    // A chain that does not parse leaves the certificate without issuers, so that no authority vouches for it.
    chain.extend(issuers(headers).unwrap_or_default());
    ClientCertificate::stated(chain, authorities.cloned())
}

fn issuers(headers: &HeaderMap) -> Option<Vec<CertificateDer<'static>>> {
    let mut issuers = Vec::new();
    for line in headers.get_all(CLIENT_CERT_CHAIN) {
        for entry in Parser::new(line.as_bytes()).parse::<List>().ok()? {
            let ListEntry::Item(item) = entry else { return None };
            issuers.push(certificate(item.bare_item)?);
        }
    }
    (issuers.len() <= MAX_CHAIN).then_some(issuers)
}

fn certificate(item: BareItem) -> Option<CertificateDer<'static>> {
    Some(CertificateDer::from(item.as_byte_sequence()?.to_vec()))
}
