//! Status of the node: readiness, store, certificates and keys, for `northgate status`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::Admin;
use super::answer::{KeyLine, Keys};
use super::operator::Operator;
use crate::tls::certificates::CertificateExpiry;
use crate::tls::notes;
use crate::version::VERSION;

/// The parts of the status that the server knows, and the admin API does not.
pub struct NodeStatus {
    /// `embedded` or `postgresql`.
    pub store: &'static str,
    /// Reason why the node should get no requests.
    pub why_not_ready: Option<String>,
    /// Conditions that an operator has to look at soon.
    pub attention: Vec<String>,
    /// Age of the last poll for changes of other nodes.
    pub registry_lag: Option<Duration>,
    pub certificates: Vec<CertificateExpiry>,
}

/// The status of a node.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub version: String,
    pub store: String,
    pub ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub attention: Vec<String>,
    pub applications: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry_lag_ms: Option<u64>,
    pub certificates: Vec<CertificateLine>,
    pub keys: Vec<KeyLine>,
}

/// A certificate file in use.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateLine {
    pub file: String,
    /// The first expiry in its chain; missing where none of its certificates is in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Whether the certificate in use is that of the file.
    pub current: bool,
}

pub async fn status(_: Operator, State(admin): State<Arc<Admin>>) -> Json<Status> {
    Json(of(&admin))
}

/// The status of this node.
pub fn of(admin: &Admin) -> Status {
    let node = (admin.node)();
    let certificate = |expiry: CertificateExpiry| CertificateLine {
        file: expiry.file.display().to_string(),
        expires_at: expiry.not_after_s.map(notes::date),
        current: expiry.is_taken,
    };
    let Keys { keys } = Keys::new(&admin.auth.keyring(), admin.clock.now());
    Status {
        version: VERSION.to_owned(),
        store: node.store.to_owned(),
        ready: node.why_not_ready.is_none(),
        reason: node.why_not_ready,
        attention: node.attention,
        applications: admin.auth.registry().count(),
        registry_lag_ms: node.registry_lag.map(|lag| lag.as_millis() as u64),
        certificates: node.certificates.into_iter().map(certificate).collect(),
        keys,
    }
}
