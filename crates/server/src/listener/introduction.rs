//! Determines the client of a connection: the peer's address, or the PROXY protocol header.

use std::net::SocketAddr;

use northgate_core::throttle::Source;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::config::proxies::ProxyProtocol;
use crate::listener::Rules;
use crate::listener::connection::Peer;
use crate::listener::proxy_protocol::{self, Declared, HeaderError};
use crate::listener::table::{Place, SourceFull};
use crate::metrics::connections::Closed;

/// The peer that speaks HTTP on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Speaker {
    pub peer: Peer,
    /// A trusted proxy, which passes on the requests of clients and states their addresses.
    pub is_proxy: bool,
}

/// The source for which a new connection counts: `None` for a trusted proxy. With the PROXY protocol, other addresses are not
/// served.
pub(super) fn source(rules: &Rules, address: SocketAddr) -> Result<Option<Source>, Closed> {
    match (rules.proxies.trusted.contains(address.ip()), rules.proxies.protocol) {
        (true, _) => Ok(None),
        (false, ProxyProtocol::Off) => Ok(counted(rules, address)),
        (false, ProxyProtocol::On) => Err(Closed::UntrustedProxy),
    }
}

/// The source of an address; `None` where a share is as large as the listener.
fn counted(rules: &Rules, address: SocketAddr) -> Option<Source> {
    let has_shares = rules.limits.connections_per_source < rules.limits.connections;
    has_shares.then(|| Source::of(address.ip()))
}

/// Determines the speaker of a connection, and counts the connection for a client that a proxy states.
pub(super) async fn introduce(
    rules: &Rules,
    stream: &mut TcpStream,
    address: SocketAddr,
    place: &Place,
    deadline: Instant,
) -> Result<Speaker, Closed> {
    let trusted = &rules.proxies.trusted;
    let direct = Peer::direct(address);
    if rules.proxies.protocol == ProxyProtocol::Off {
        return Ok(Speaker { peer: direct, is_proxy: trusted.contains(address.ip()) });
    }
    let declared = match timeout_at(deadline, proxy_protocol::read(stream)).await {
        Ok(Ok(declared)) => declared,
        Ok(Err(HeaderError::Malformed)) => return Err(Closed::MalformedProxyHeader),
        Ok(Err(HeaderError::Incomplete(_))) | Err(_) => return Err(Closed::IncompleteProxyHeader),
    };
    match declared {
        Declared::Client(client) => {
            let is_proxy = trusted.contains(client.ip());
            if let Some(source) = counted(rules, client).filter(|_| !is_proxy) {
                place.count_for(source).map_err(|SourceFull| Closed::SourceFull)?;
            }
            Ok(Speaker { peer: Peer { via: Some(address.ip()), ..Peer::direct(client) }, is_proxy })
        }
        Declared::Proxy => Ok(Speaker { peer: direct, is_proxy: true }),
        // A client speaks, not the proxy: headers on the connection are the client's.
        Declared::Unknown => Ok(Speaker { peer: direct, is_proxy: false }),
    }
}
