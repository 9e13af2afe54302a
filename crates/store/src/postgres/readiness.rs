//! Readiness of a node: the first reason why it should get no requests.

use std::sync::Arc;

use super::connect::DatabaseError;
use super::{PostgresStore, Shared};

impl PostgresStore {
    /// Reason why this node should get no requests.
    pub fn why_not_ready(&self) -> Option<String> {
        let Shared { server, pool, health, stats, .. } = &*self.shared;
        let because = |error: Option<Arc<DatabaseError>>| {
            error.map_or_else(String::new, |error| format!(": {}", error.summary()))
        };
        if self.is_behind() {
            let lag = stats.registry_lag().as_secs_f32();
            let cause = server.error().map_or_else(
                || "the database does not answer it in time".to_owned(),
                |error| error.summary(),
            );
            return Some(format!(
                "this node is behind: it has not seen for {lag:.1} s what other nodes change: {cause}"
            ));
        }
        if !server.is_settled() || server.error().is_some() {
            let cause = because(server.error());
            return Some(format!("this node changes over to another database server or connection{cause}"));
        }
        let (open, wanted) = self.sessions();
        if let Some(error) = pool.error().filter(|_| open < wanted) {
            let (missing, cause) = (wanted - open, error.summary());
            return Some(format!("{missing} of {wanted} connections to the database are missing: {cause}"));
        }
        health.why_not()
    }
}
