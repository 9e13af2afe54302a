//! Metrics of the listeners' connections: open, closed, refused, and failed TLS handshakes.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::{Label, Metrics};
use crate::listener::handshake::HandshakeFailure;

/// Reason for closing a connection before it was served, or to make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The listener was full, and this was the least recently active idle connection.
    MadeRoom,
    /// Its source reached `limits.connections_per_source`, and this was its least recently active idle connection.
    MadeRoomForSource,
    /// Its source holds `limits.connections_per_source` connections, none of them idle.
    SourceFull,
    /// The PROXY protocol is on, and the connection does not come from a trusted proxy.
    UntrustedProxy,
    /// A trusted proxy sent no header of the PROXY protocol, or a malformed one.
    MalformedProxyHeader,
    /// A trusted proxy did not send the header in time, or closed before it was complete.
    IncompleteProxyHeader,
}

impl Closed {
    /// In the order of the enum, so that `closed as usize` is an index.
    pub const ALL: [Closed; 6] = [
        Closed::MadeRoom,
        Closed::MadeRoomForSource,
        Closed::SourceFull,
        Closed::UntrustedProxy,
        Closed::MalformedProxyHeader,
        Closed::IncompleteProxyHeader,
    ];

    /// The word in log lines and labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Closed::MadeRoom => "made_room",
            Closed::MadeRoomForSource => "made_room_for_source",
            Closed::SourceFull => "source_full",
            Closed::UntrustedProxy => "untrusted_proxy",
            Closed::MalformedProxyHeader => "malformed_proxy_header",
            Closed::IncompleteProxyHeader => "incomplete_proxy_header",
        }
    }

    /// The same as a sentence, with the setting that it depends on.
    pub fn explained(self) -> &'static str {
        match self {
            Closed::MadeRoom => "it was the least recently active idle one (limits.connections)",
            Closed::MadeRoomForSource => {
                "it was the least recently active idle one of its source (limits.connections_per_source)"
            }
            Closed::SourceFull => {
                "its address holds as many as it may, and none is idle (limits.connections_per_source); a proxy that \
                 connects for many clients belongs into proxies.trusted"
            }
            Closed::UntrustedProxy => "proxies.protocol is \"on\", and its address is not in proxies.trusted",
            Closed::MalformedProxyHeader => {
                "it did not begin with a header of the PROXY protocol, which proxies.protocol = \"on\" demands; \
                 configure the proxy to send one (HAProxy: send-proxy-v2)"
            }
            Closed::IncompleteProxyHeader => {
                "the header of the PROXY protocol did not arrive within limits.handshake_time"
            }
        }
    }
}

/// The counters of one listener.
#[derive(Debug)]
pub struct ConnectionMetrics {
    pub open: Gauge,
    closed: [Counter; Closed::ALL.len()],
    handshakes: [Counter; HandshakeFailure::ALL.len()],
}

impl ConnectionMetrics {
    /// Registers the metrics of the public and the private listener, all at zero.
    pub fn register(metrics: &Metrics) -> [Arc<ConnectionMetrics>; 2] {
        let mut registry = metrics.registry();
        let open = Family::<[Label; 1], Gauge>::default();
        registry.register("northgate_connections", "Open connections", open.clone());
        let closed = Family::<[Label; 2], Counter>::default();
        let help = "Connections closed to make room, or before they were served";
        registry.register("northgate_connections_closed", help, closed.clone());
        let handshakes = Family::<[Label; 2], Counter>::default();
        let help = "TLS handshakes that failed, by reason";
        registry.register("northgate_tls_handshake_failures", help, handshakes.clone());
        ["public", "private"].map(|listener| {
            let by = |reason| [("listener", listener), ("reason", reason)];
            Arc::new(ConnectionMetrics {
                open: open.get_or_create(&[("listener", listener)]).clone(),
                closed: Closed::ALL.map(|why| closed.get_or_create(&by(why.as_str())).clone()),
                handshakes: HandshakeFailure::ALL
                    .map(|why| handshakes.get_or_create(&by(why.as_str())).clone()),
            })
        })
    }

    /// Counts a closed connection.
    pub fn closed(&self, why: Closed) {
        self.closed[why as usize].inc();
    }

    /// Counts a failed TLS handshake.
    pub fn handshake_failed(&self, why: HandshakeFailure) {
        self.handshakes[why as usize].inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_at_its_own_index() {
        assert!(Closed::ALL.iter().enumerate().all(|(index, why)| *why as usize == index));
        let failures = HandshakeFailure::ALL;
        assert!(failures.iter().enumerate().all(|(index, why)| *why as usize == index));
    }

    #[test]
    fn every_reason_of_either_listener_is_there_from_the_start() {
        let metrics = Metrics::default();
        let [public, _private] = ConnectionMetrics::register(&metrics);
        public.handshake_failed(HandshakeFailure::ProtocolVersion);
        let text = metrics.text();
        for line in [
            "northgate_tls_handshake_failures_total{listener=\"public\",reason=\"protocol_version\"} 1\n",
            "northgate_tls_handshake_failures_total{listener=\"private\",reason=\"protocol_version\"} 0\n",
            "northgate_connections_closed_total{listener=\"public\",reason=\"source_full\"} 0\n",
            "northgate_connections{listener=\"private\"} 0\n",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
