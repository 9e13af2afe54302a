//! `[policy]`: what an application gets unless it was created with something else.

use std::time::Duration;

use northgate_core::policy::{
    AccessTokens, BindTokens, Dpop, Logins, MAX_GRANTS_LIMIT, OnReuse, Policy, Rotation,
};
use northgate_core::throttle::Rate;

use crate::config::layers::Settings;
use crate::config::{ConfigError, HOUR};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const SECOND: Duration = Duration::from_secs(1);

/// The policy that holds where an application has no other.
pub(super) fn take(settings: &mut Settings) -> Result<Policy, ConfigError> {
    let rotations = [("once", Rotation::Once), ("reusable", Rotation::Reusable)];
    let reuses = [("deny", OnReuse::Deny), ("close", OnReuse::Close)];
    let access_tokens = AccessTokens::ALL.map(|kind| (kind.as_str(), kind));
    let dpop = Dpop::ALL.map(|rule| (rule.as_str(), rule));
    let logins = [("many", Logins::Many), ("last-only", Logins::LastOnly)];
    let bindings = [("authenticated", BindTokens::Authenticated), ("presented", BindTokens::Presented)];
    Ok(Policy {
        rotation: settings.choice("policy.rotation", &rotations)?,
        retry_window: settings.duration("policy.retry_window", Duration::ZERO..=HOUR)?,
        on_reuse: settings.choice("policy.on_reuse", &reuses)?,
        logins: settings.choice("policy.logins", &logins)?,
        max_grants: settings.count("policy.max_grants", 1..=MAX_GRANTS_LIMIT)?,
        access_lifetime: settings.duration("policy.access_lifetime", SECOND..=30 * DAY)?,
        refresh_lifetime: settings.duration("policy.refresh_lifetime", SECOND..=3650 * DAY)?,
        calls_per_minute: settings.count("policy.calls_per_minute", 0..=Rate::MAX)?,
        bind_tokens: settings.choice("policy.bind_tokens", &bindings)?,
        access_tokens: settings.choice("policy.access_tokens", &access_tokens)?,
        dpop: settings.choice("policy.dpop", &dpop)?,
    })
}
