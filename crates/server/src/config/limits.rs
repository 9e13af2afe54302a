//! `[limits]`: bounds for everything that can grow or wait.

use std::time::Duration;

use northgate_core::throttle::Rate;

use crate::config::layers::Settings;
use crate::config::{ConfigError, HOUR, MINUTE};

const SECOND: Duration = Duration::from_secs(1);
const KIB: usize = 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The longest request body, in bytes.
    pub body: usize,
    /// The longest request head, in bytes.
    pub headers: usize,
    pub header_time: Duration,
    pub body_time: Duration,
    pub handshake_time: Duration,
    pub idle_time: Duration,
    /// Open connections of one listener.
    pub connections: u32,
    /// Those of the public listener from one IPv4 address or IPv6 /64.
    pub connections_per_source: u32,
    pub stop_time: Duration,
    pub commit_queue: u32,
    /// Closed grants of one application with unexpired access tokens.
    pub closed_grants: u32,
    pub hashes_at_once: u32,
    /// Wrong secrets in a minute from one address; 0 disables the limit.
    pub failures_per_source: u32,
    /// Wrong secrets for one application in a minute from all addresses together; 0 disables the limit.
    pub failures_per_application: u32,
    /// The most recorded DPoP proofs of one application.
    pub dpop_proofs: u32,
    /// Worker threads; `None` means one per core.
    pub threads: Option<usize>,
}

impl Limits {
    pub(super) fn take(settings: &mut Settings) -> Result<Limits, ConfigError> {
        let threads = settings.count("limits.threads", 0..=1024)? as usize;
        Ok(Limits {
            body: settings.size("limits.body", KIB..=KIB * KIB)?,
            // hyper reads heads into a buffer of at least 8 KiB.
            headers: settings.size("limits.headers", 8 * KIB..=KIB * KIB)?,
            header_time: settings.duration("limits.header_time", SECOND..=10 * MINUTE)?,
            body_time: settings.duration("limits.body_time", SECOND..=10 * MINUTE)?,
            handshake_time: settings.duration("limits.handshake_time", SECOND..=10 * MINUTE)?,
            idle_time: settings.duration("limits.idle_time", SECOND..=HOUR)?,
            connections: settings.count("limits.connections", 1..=1_000_000)?,
            connections_per_source: settings.count("limits.connections_per_source", 1..=1_000_000)?,
            stop_time: settings.duration("limits.stop_time", Duration::ZERO..=HOUR)?,
            commit_queue: settings.count("limits.commit_queue", 1..=1_000_000)?,
            closed_grants: settings.count("limits.closed_grants", 1..=1_000_000)?,
            hashes_at_once: settings.count("limits.hashes_at_once", 1..=64)?,
            failures_per_source: settings.count("limits.failures_per_source", 0..=Rate::MAX)?,
            failures_per_application: settings.count("limits.failures_per_application", 0..=Rate::MAX)?,
            dpop_proofs: settings.count("limits.dpop_proofs", 64..=1_000_000)?,
            threads: (threads > 0).then_some(threads),
        })
    }
}
