//! Clients as trusted proxies state them in request headers: X-Forwarded-For, Forwarded (RFC 7239) and Client-Cert (RFC 9440).

mod client_cert;
mod element;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName};
use rustls::server::danger::ClientCertVerifier;

use crate::config::proxies::Trusted;
use crate::listener::connection::{Peer, Remote};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED: HeaderName = HeaderName::from_static("forwarded");

/// The most proxies in a chain; real chains have two or three.
const MAX_HOPS: usize = 32;

/// A trusted proxy at the other end of a connection.
pub(crate) struct Proxy {
    pub trusted: Trusted,
    /// The verifier of client certificates; `None` without authorities.
    pub authorities: Option<Arc<dyn ClientCertVerifier>>,
}

/// An address from which a proxy received a request, with the port if stated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hop {
    address: IpAddr,
    port: Option<u16>,
}

impl Proxy {
    /// The client of a request, as the proxy states it. The proxy's own certificate is not the client's.
    pub fn client(&self, Remote { activity, peer: proxy, .. }: &Remote, headers: &HeaderMap) -> Remote {
        let peer = match self.hop(headers) {
            Some(Hop { address, port }) => Peer { address, port, via: Some(proxy.address) },
            None => *proxy,
        };
        Remote {
            activity: Arc::clone(activity),
            peer,
            certificate: client_cert::stated(headers, self.authorities.as_ref()),
        }
    }

    /// The rightmost untrusted address. A proxy maintains one of the two headers and may pass on the other as a client wrote it:
    /// where both exist and differ, neither is trusted.
    fn hop(&self, headers: &HeaderMap) -> Option<Hop> {
        let (simple, standard) = (headers.get_all(X_FORWARDED_FOR), headers.get_all(FORWARDED));
        let is_there = |name| headers.contains_key(name);
        let simple = || self.walk(simple.iter().rev().flat_map(|line| list(line.as_bytes())));
        let standard = || self.walk(standard.iter().rev().flat_map(|line| element::hops(line.as_bytes())));
        match (is_there(X_FORWARDED_FOR), is_there(FORWARDED)) {
            (false, false) => None,
            (true, false) => simple(),
            (false, true) => standard(),
            (true, true) => {
                let (simple, standard) = (simple()?, standard()?);
                (simple.address == standard.address).then_some(simple)
            }
        }
    }

    /// Walks from the proxy back to the client, to the first untrusted address. A text that is not an address ends the walk at
    /// the trusted proxy that wrote it.
    fn walk(&self, hops: impl Iterator<Item = Option<Hop>>) -> Option<Hop> {
        let mut found = None;
        for hop in hops.take(MAX_HOPS) {
            let Some(hop) = hop else { break };
            found = Some(hop);
            if !self.trusted.contains(hop.address) {
                break;
            }
        }
        found
    }
}

/// The addresses in one line of X-Forwarded-For from the last to the first.
fn list(line: &[u8]) -> impl Iterator<Item = Option<Hop>> {
    line.rsplit(|byte| *byte == b',')
        .map(|text| Hop::parse(std::str::from_utf8(text).ok()?.trim_matches([' ', '\t'])))
}

impl Hop {
    /// `192.0.2.7`, `192.0.2.7:4711`, `2001:db8::7`, `[2001:db8::7]` or `[2001:db8::7]:4711`.
    fn parse(text: &str) -> Option<Hop> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(Hop::new(address, None));
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Some(Hop::new(address.ip(), Some(address.port())));
        }
        let address = text.strip_prefix('[')?.strip_suffix(']')?;
        Some(Hop::new(IpAddr::V6(address.parse().ok()?), None))
    }

    fn new(address: IpAddr, port: Option<u16>) -> Hop {
        Hop { address: address.to_canonical(), port: port.filter(|port| *port > 0) }
    }
}

#[cfg(test)]
mod tests;
