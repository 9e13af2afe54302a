//! A policy in requests and answers: words, and durations as people write them ("60s", "30d").

use std::ops::RangeInclusive;
use std::time::Duration;

use northgate_core::policy::{
    AccessTokens, BindTokens, Dpop, Logins, MAX_GRANTS_LIMIT, OnReuse, Overrides, Policy, Rotation,
};
use northgate_core::throttle::Rate;
use serde::{Deserialize, Serialize};

use super::problem::AdminProblem;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

// The same bounds as those of the defaults in the configuration.
const RETRY_WINDOW: RangeInclusive<Duration> = Duration::ZERO..=HOUR;
const ACCESS_LIFETIME: RangeInclusive<Duration> = SECOND..=Duration::from_secs(30 * 24 * 60 * 60);
const REFRESH_LIFETIME: RangeInclusive<Duration> = SECOND..=Duration::from_secs(3650 * 24 * 60 * 60);

/// The members of a policy; what a request leaves out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyMembers {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_window: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_reuse: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logins: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_grants: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_lifetime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_lifetime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_minute: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bind_tokens: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_tokens: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dpop: Option<String>,
}

impl PolicyMembers {
    /// The policy that holds, with all its members.
    pub fn of(policy: &Policy) -> PolicyMembers {
        PolicyMembers {
            rotation: Some(policy.rotation.as_str().to_owned()),
            retry_window: Some(written(policy.retry_window)),
            on_reuse: Some(policy.on_reuse.as_str().to_owned()),
            logins: Some(policy.logins.as_str().to_owned()),
            max_grants: Some(policy.max_grants),
            access_lifetime: Some(written(policy.access_lifetime)),
            refresh_lifetime: Some(written(policy.refresh_lifetime)),
            calls_per_minute: Some(policy.calls_per_minute),
            bind_tokens: Some(policy.bind_tokens.as_str().to_owned()),
            access_tokens: Some(policy.access_tokens.as_str().to_owned()),
            dpop: Some(policy.dpop.as_str().to_owned()),
        }
    }

    /// What the operator set for one application and nothing else.
    pub fn set(overrides: &Overrides) -> PolicyMembers {
        PolicyMembers {
            rotation: overrides.rotation.map(|rotation| rotation.as_str().to_owned()),
            retry_window: overrides.retry_window.map(written),
            on_reuse: overrides.on_reuse.map(|reaction| reaction.as_str().to_owned()),
            logins: overrides.logins.map(|rule| rule.as_str().to_owned()),
            max_grants: overrides.max_grants,
            access_lifetime: overrides.access_lifetime.map(written),
            refresh_lifetime: overrides.refresh_lifetime.map(written),
            calls_per_minute: overrides.calls_per_minute,
            bind_tokens: overrides.bind_tokens.map(|rule| rule.as_str().to_owned()),
            access_tokens: overrides.access_tokens.map(|kind| kind.as_str().to_owned()),
            dpop: overrides.dpop.map(|rule| rule.as_str().to_owned()),
        }
    }

    /// The overrides that these members ask for, or a sentence about the first one that cannot be.
    pub fn overrides(&self) -> Result<Overrides, AdminProblem> {
        Ok(Overrides {
            rotation: word("rotation", &self.rotation, Rotation::parse, "once or reusable")?,
            retry_window: duration("retryWindow", &self.retry_window, RETRY_WINDOW)?,
            on_reuse: word("onReuse", &self.on_reuse, OnReuse::parse, "deny or close")?,
            logins: word("logins", &self.logins, Logins::parse, "many or last-only")?,
            max_grants: count("maxGrants", self.max_grants, 1..=MAX_GRANTS_LIMIT)?,
            access_lifetime: duration("accessLifetime", &self.access_lifetime, ACCESS_LIFETIME)?,
            refresh_lifetime: duration("refreshLifetime", &self.refresh_lifetime, REFRESH_LIFETIME)?,
            calls_per_minute: count("callsPerMinute", self.calls_per_minute, 0..=Rate::MAX)?,
            bind_tokens: word(
                "bindTokens",
                &self.bind_tokens,
                BindTokens::parse,
                "authenticated or presented",
            )?,
            access_tokens: word(
                "accessTokens",
                &self.access_tokens,
                AccessTokens::parse,
                "opaque, jwt-eddsa or jwt-es256",
            )?,
            dpop: word("dpop", &self.dpop, Dpop::parse, "off, presented or required")?,
        })
    }

    /// Whether no member is there.
    pub fn is_empty(&self) -> bool {
        *self == PolicyMembers::default()
    }
}

fn word<T>(
    name: &str,
    given: &Option<String>,
    parse: impl Fn(&str) -> Option<T>,
    words: &str,
) -> Result<Option<T>, AdminProblem> {
    let Some(given) = given else { return Ok(None) };
    let parsed =
        parse(given).ok_or_else(|| AdminProblem::invalid(format!("{name} is {words}, and not {given:?}")))?;
    Ok(Some(parsed))
}

fn count(name: &str, given: Option<u32>, range: RangeInclusive<u32>) -> Result<Option<u32>, AdminProblem> {
    match given {
        Some(count) if !range.contains(&count) => {
            let (from, to) = (range.start(), range.end());
            Err(AdminProblem::invalid(format!("{name} is {from} to {to}, and not {count}")))
        }
        Some(_) | None => Ok(given),
    }
}

/// Whole seconds, because tokens and timers count in them.
fn duration(
    name: &str,
    given: &Option<String>,
    range: RangeInclusive<Duration>,
) -> Result<Option<Duration>, AdminProblem> {
    let Some(given) = given else { return Ok(None) };
    match humantime::parse_duration(given) {
        Ok(duration) if duration.subsec_nanos() == 0 && range.contains(&duration) => Ok(Some(duration)),
        Ok(_) | Err(_) => {
            let (from, to) = (written(*range.start()), written(*range.end()));
            Err(AdminProblem::invalid(format!(
                "{name} is a number and s, m, h or d, such as \"15m\", from {from} to {to}, and not {given:?}"
            )))
        }
    }
}

/// As `humantime` reads it again. Its own writer counts in months of 30.44 days, which nobody means by "30d".
pub fn written(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let days = seconds / DAY.as_secs();
    let rest = humantime::format_duration(Duration::from_secs(seconds % DAY.as_secs())).to_string();
    match (days, seconds % DAY.as_secs()) {
        (0, _) => rest,
        (_, 0) => format!("{days}d"),
        (_, _) => format!("{days}d {rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use northgate_core::signing::Algorithm;

    fn retry_window(text: &str) -> Result<Option<Duration>, AdminProblem> {
        let members = PolicyMembers { retry_window: Some(text.to_owned()), ..PolicyMembers::default() };
        Ok(members.overrides()?.retry_window)
    }

    #[test]
    fn a_policy_is_read_as_it_was_written() {
        let overrides = Overrides {
            rotation: Some(Rotation::Reusable),
            retry_window: Some(Duration::ZERO),
            on_reuse: Some(OnReuse::Close),
            logins: Some(Logins::LastOnly),
            max_grants: Some(1),
            access_lifetime: Some(90 * SECOND),
            refresh_lifetime: Some(30 * DAY + HOUR),
            calls_per_minute: Some(0),
            bind_tokens: Some(BindTokens::Presented),
            access_tokens: Some(AccessTokens::Jwt(Algorithm::Es256)),
            dpop: Some(Dpop::Required),
        };
        let members = PolicyMembers::set(&overrides);
        assert_eq!(members.refresh_lifetime.as_deref(), Some("30d 1h"));
        assert_eq!(members.overrides().expect("good"), overrides);
    }

    #[test]
    fn what_is_left_out_is_not_overridden() {
        assert_eq!(PolicyMembers::default().overrides().expect("good"), Overrides::default());
        assert!(PolicyMembers::default().is_empty());
    }

    #[test]
    fn durations_outside_their_bounds_are_refused() {
        assert_eq!(retry_window("1h").expect("good"), Some(HOUR));
        for text in ["", "1", "61m", "1ms", "soon"] {
            assert!(retry_window(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_month_of_lifetime_is_written_in_days() {
        assert_eq!(written(30 * DAY), "30d");
        assert_eq!(written(HOUR), "1h");
        assert_eq!(written(Duration::ZERO), "0s");
    }
}
