//! File descriptors: divides the granted limit between connections and everything else.

use std::io;

use tracing::warn;

use crate::config::Config;

/// Open files that are not connections: database, certificates, a backup, the log, the runtime, and on each listener a connection
/// that waits for its place. A running server has 20 to 30.
const FILES: u64 = 64;

/// The least connections of both listeners with which a start makes sense.
const FEWEST: u64 = 32;

/// The bounds of each listener's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionBounds {
    pub public: u32,
    /// The most public connections of one source.
    pub per_source: u32,
    pub private: u32,
}

/// The operating system grants too few open files.
#[derive(Debug, thiserror::Error)]
#[error(
    "the limit of open files is {granted}, and at least {needed} are needed: raise it (LimitNOFILE in systemd, ulimit -n \
     elsewhere)"
)]
pub struct TooFewDescriptors {
    granted: u64,
    needed: u64,
}

/// Raises the soft limit to the hard one and derives the bounds. A try-out needs no warning of few connections.
pub fn bounds(config: &Config, is_dev: bool) -> Result<ConnectionBounds, TooFewDescriptors> {
    let files = FILES + config.database.as_ref().map_or(0, |database| u64::from(database.connections()));
    let (most, per_source) = (config.limits.connections, config.limits.connections_per_source);
    let granted = match raise() {
        Ok(granted) => granted,
        Err(error) => {
            warn!("the limit of open files cannot be read: {error}");
            u64::MAX
        }
    };
    let bounds = share(granted, files, most, per_source)?;
    if (bounds.public < most || bounds.private < most) && !is_dev {
        let ConnectionBounds { public, private, per_source } = bounds;
        warn!(
            granted,
            wanted = files + 2 * u64::from(most),
            public,
            private,
            per_source,
            "fewer connections than limits.connections fit into the limit of open files: raise it (LimitNOFILE in systemd)"
        );
    }
    Ok(bounds)
}

fn raise() -> io::Result<u64> {
    rlimit::increase_nofile_limit(u64::MAX)
}

/// The private listener gets a quarter of a limit that is too low for both: it serves gateways and health checks.
fn share(
    granted: u64,
    files: u64,
    most: u32,
    per_source: u32,
) -> Result<ConnectionBounds, TooFewDescriptors> {
    let wanted = 2 * u64::from(most);
    let room = granted.saturating_sub(files);
    if room >= wanted {
        return Ok(ConnectionBounds { public: most, per_source, private: most });
    }
    if room < FEWEST.min(wanted) {
        return Err(TooFewDescriptors { granted, needed: files + FEWEST.min(wanted) });
    }
    let at_most = |count: u64| u32::try_from(count).unwrap_or(most).clamp(1, most);
    let private = at_most(room / 4);
    let public = at_most(room - u64::from(private));
    // The same part of the connections as configured.
    let share = u64::from(per_source.min(most)) * u64::from(public) / u64::from(most);
    Ok(ConnectionBounds { public, per_source: at_most(share), private })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(granted: u64) -> Option<ConnectionBounds> {
        share(granted, 64, 16_384, 4096).ok()
    }

    #[test]
    fn enough_descriptors_leave_the_bounds_as_configured() {
        let as_configured = ConnectionBounds { public: 16_384, per_source: 4096, private: 16_384 };
        assert_eq!(shared(u64::MAX), Some(as_configured));
        assert_eq!(shared(64 + 2 * 16_384), Some(as_configured));
        // Few connections need few files.
        assert_eq!(share(66, 64, 1, 1).ok(), Some(ConnectionBounds { public: 1, per_source: 1, private: 1 }));
    }

    #[test]
    fn both_listeners_and_the_files_together_never_need_more_than_is_granted() {
        for granted in 96..40_000 {
            let bounds = shared(granted).unwrap();
            let needed = 64 + u64::from(bounds.public) + u64::from(bounds.private);
            assert!(
                needed <= granted && bounds.private >= 8 && bounds.per_source >= 1,
                "{granted}: {bounds:?}"
            );
        }
        assert_eq!(shared(256), Some(ConnectionBounds { public: 144, per_source: 36, private: 48 }));
        assert_eq!(shared(1024), Some(ConnectionBounds { public: 720, per_source: 180, private: 240 }));
    }

    #[test]
    fn too_few_descriptors_are_refused_with_the_number_that_is_needed() {
        let error = share(95, 64, 16_384, 4096).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the limit of open files is 95, and at least 96 are needed: raise it (LimitNOFILE in systemd, ulimit -n elsewhere)"
        );
    }
}
