//! Log lines about connections that are not served, each kind rate-limited.

use std::fmt;
use std::time::Duration;

use tracing::{debug, info, warn};

use crate::listener::handshake::HandshakeFailure;
use crate::listener::log_throttle::LogThrottle;
use crate::listener::table::Crowd;
use crate::metrics::connections::{Closed, ConnectionMetrics};

/// Interval of lines about handshakes that fail for one reason.
const HANDSHAKES_EVERY: Duration = Duration::from_secs(10);
/// Interval of lines about the same condition of a listener.
const CONDITIONS_EVERY: Duration = Duration::from_secs(60);

/// The rate limits of one listener. The next line gives the number of suppressed ones.
pub(super) struct ConnectionLog {
    handshakes: [LogThrottle; HandshakeFailure::ALL.len()],
    closed: [LogThrottle; Closed::ALL.len()],
    crowded: [LogThrottle; 2],
    accepting: LogThrottle,
}

impl ConnectionLog {
    pub fn new() -> ConnectionLog {
        ConnectionLog {
            handshakes: HandshakeFailure::ALL.map(|_| LogThrottle::new(HANDSHAKES_EVERY)),
            closed: Closed::ALL.map(|_| LogThrottle::new(CONDITIONS_EVERY)),
            crowded: [Crowd::Yields, Crowd::Busy].map(|_| LogThrottle::new(CONDITIONS_EVERY)),
            accepting: LogThrottle::new(CONDITIONS_EVERY),
        }
    }

    /// Counts and logs a failed TLS handshake.
    pub fn handshake_failed(
        &self,
        why: HandshakeFailure,
        peer: impl fmt::Display,
        metrics: &ConnectionMetrics,
    ) {
        metrics.handshake_failed(why);
        let reason = why.as_str();
        if why == HandshakeFailure::NoData {
            // TCP health checks do so all day long.
            return debug!(%peer, reason, "TLS handshake failed: {}", why.explained());
        }
        if let Some(suppressed) = self.handshakes[why as usize].pass() {
            info!(%peer, reason, suppressed, "TLS handshake failed: {}", why.explained());
        }
    }

    /// Counts and logs a connection that was closed before it was served.
    pub fn closed(&self, why: Closed, peer: impl fmt::Display, metrics: &ConnectionMetrics) {
        metrics.closed(why);
        let reason = why.as_str();
        if let Some(suppressed) = self.closed[why as usize].pass() {
            warn!(%peer, reason, suppressed, "connection closed: {}", why.explained());
        }
    }

    /// Logs that all connections are in use.
    pub fn crowded(&self, crowd: Crowd, most: u32) {
        if self.crowded[crowd as usize].pass().is_none() {
            return;
        }
        match crowd {
            Crowd::Yields => {
                warn!(
                    "all {most} connections are in use; idle ones are closed for new ones (limits.connections)"
                );
            }
            Crowd::Busy => {
                warn!(
                    "all {most} connections are in use and none is idle; new ones wait (limits.connections)"
                );
            }
        }
    }

    /// Logs that the operating system refuses connections.
    pub fn not_accepted(&self, cause: &std::io::Error) {
        if self.accepting.pass().is_some() {
            warn!("connections cannot be accepted at the moment: {cause}");
        }
    }
}
