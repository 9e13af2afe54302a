//! The source of a call: the part of its address that a client cannot choose.

use std::net::IpAddr;

/// An IPv4 address, or an IPv6 /64, which a provider assigns to one customer as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    V4(u32),
    V6(u64),
}

impl Source {
    /// The source of `address`; an IPv4-mapped address is its IPv4 address.
    pub fn of(address: IpAddr) -> Source {
        match address.to_canonical() {
            IpAddr::V4(address) => Source::V4(address.to_bits()),
            IpAddr::V6(address) => Source::V6((address.to_bits() >> 64) as u64),
        }
    }
}
