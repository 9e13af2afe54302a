//! Clients that trusted proxies state in the headers of their requests: X-Forwarded-For, Forwarded (RFC 7239) and Client-Cert
//! (RFC 9440).

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

/// The proxies that are looked back through; real chains have two or three.
const MAX_HOPS: usize = 32;

/// A trusted proxy at the other end of a connection.
pub(crate) struct Proxy {
    pub trusted: Trusted,
    /// Knows the authorities of client certificates; `None` where there are none.
    pub authorities: Option<Arc<dyn ClientCertVerifier>>,
}

/// An address that a proxy received a request from, with the port where it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hop {
    address: IpAddr,
    port: Option<u16>,
}

impl Proxy {
    /// The client that a request comes from, as the proxy states it. The proxy's own certificate is not the client's.
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

    /// The rightmost address that is not trusted. A proxy maintains one of the two headers and may pass on the other as a client
    /// wrote it: where both are there and differ, neither is believed.
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

    /// Walks from the proxy back to the client: to the first address that is not trusted. What is not an address ends the walk
    /// at the trusted proxy that wrote it.
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

/// The addresses of one line of X-Forwarded-For from the last to the first.
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
