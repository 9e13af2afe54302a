//! `[proxies]`: trusted proxies, whose statements about the client's address are accepted.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};
use toml::Value;

use crate::config::ConfigError;
use crate::config::layers::Settings;
use crate::config::parse::invalid;

/// Proxies in front of Northgate, and how they state the client's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxies {
    pub trusted: Trusted,
    /// On the public listener.
    pub protocol: ProxyProtocol,
}

/// Whether connections begin with a header of the PROXY protocol, version 1 or 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyProtocol {
    Off,
    /// Connections from trusted proxies must; connections from other addresses are closed.
    On,
}

/// The addresses of trusted proxies. Empty trusts no proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted(Arc<[IpNet]>);

impl Proxies {
    pub(super) fn take(settings: &mut Settings) -> Result<Proxies, ConfigError> {
        let trusted = Trusted(settings.networks("proxies.trusted")?);
        let written = settings.peek("proxies.protocol")?;
        let words = [("off", ProxyProtocol::Off), ("on", ProxyProtocol::On)];
        let protocol = settings.choice("proxies.protocol", &words)?;
        if protocol == ProxyProtocol::On && trusted.is_empty() {
            let instead = "\"off\", or the addresses of the proxies in proxies.trusted: without them, every connection \
                is closed";
            return Err(invalid("proxies.protocol", &written, instead));
        }
        Ok(Proxies { trusted, protocol })
    }

    /// The same proxies on a listener without the PROXY protocol.
    pub fn without_protocol(&self) -> Proxies {
        Proxies { trusted: self.trusted.clone(), protocol: ProxyProtocol::Off }
    }
}

impl Trusted {
    /// Whether a proxy with this address is trusted.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The same address and port; an IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) becomes IPv4.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl Settings {
    fn networks(&mut self, key: &str) -> Result<Arc<[IpNet]>, ConfigError> {
        let instead = "a list of addresses and networks, such as [\"10.0.0.0/8\", \"2001:db8::1\"]";
        self.value(key, instead, |value| value.as_array()?.iter().map(network).collect())
    }
}

/// An address, or a network in CIDR notation. Host bits are ignored, and IPv4-mapped networks are IPv4 networks, as which
/// addresses are compared.
fn network(value: &Value) -> Option<IpNet> {
    let text = value.as_str()?;
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => text.parse::<IpNet>().ok()?,
    };
    let (IpAddr::V4(mapped), IpNet::V6(_)) = (network.addr().to_canonical(), network) else {
        return Some(network.trunc());
    };
    let prefix = network.prefix_len().checked_sub(96)?;
    Ipv4Net::new(mapped, prefix).ok().map(|network| IpNet::V4(network.trunc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(networks: &[&str]) -> Option<Trusted> {
        networks
            .iter()
            .map(|text| network(&Value::String(text.to_string())))
            .collect::<Option<_>>()
            .map(Trusted)
    }

    fn contains(networks: &[&str], address: &str) -> bool {
        trusted(networks).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn addresses_and_networks_of_both_families_are_compared_in_their_canonical_form() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.1.2.3/8", "10.200.0.1", "9.255.255.255"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("192.0.2.1", "::ffff:192.0.2.1", "::192.0.2.1"),
            ("::ffff:192.0.2.0/120", "192.0.2.77", "192.0.3.1"),
            ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.3"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::1", "::1", "127.0.0.1"),
        ] {
            assert!(contains(&[network], inside), "{network} {inside}");
            assert!(!contains(&[network], outside), "{network} {outside}");
        }
        assert!(!contains(&[], "127.0.0.1"));
    }

    #[test]
    fn text_that_is_no_network_is_refused() {
        for text in [
            "",
            "localhost",
            "10.0.0.0/33",
            "10.0.0",
            "10.0.0.0-10.0.0.9",
            "::/129",
            "::ffff:0:0/95",
            "1.2.3.4:80",
        ] {
            assert!(trusted(&[text]).is_none(), "{text}");
        }
    }
}
