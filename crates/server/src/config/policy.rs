//! `[policy]`: what an application gets unless it was created with something else.

use std::time::Duration;

use crate::config::layers::Settings;
use crate::config::{ConfigError, HOUR};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    Once,
    Reusable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnReuse {
    Deny,
    Close,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logins {
    Many,
    LastOnly,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyDefaults {
    pub rotation: Rotation,
    pub retry_window: Duration,
    pub on_reuse: OnReuse,
    pub logins: Logins,
    /// From 1 to 1024.
    pub max_grants: u32,
    pub access_lifetime: Duration,
    pub refresh_lifetime: Duration,
}

impl PolicyDefaults {
    pub(super) fn take(settings: &mut Settings) -> Result<PolicyDefaults, ConfigError> {
        let rotations = [("once", Rotation::Once), ("reusable", Rotation::Reusable)];
        let reuses = [("deny", OnReuse::Deny), ("close", OnReuse::Close)];
        let logins = [("many", Logins::Many), ("last-only", Logins::LastOnly)];
        Ok(PolicyDefaults {
            rotation: settings.choice("policy.rotation", &rotations)?,
            retry_window: settings.duration("policy.retry_window", Duration::ZERO..=HOUR)?,
            on_reuse: settings.choice("policy.on_reuse", &reuses)?,
            logins: settings.choice("policy.logins", &logins)?,
            max_grants: settings.count("policy.max_grants", 1..=1024)?,
            access_lifetime: settings.duration("policy.access_lifetime", SECOND..=30 * DAY)?,
            refresh_lifetime: settings.duration("policy.refresh_lifetime", SECOND..=3650 * DAY)?,
        })
    }
}
