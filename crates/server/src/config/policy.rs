//! `[policy]`: the defaults for applications.

use northgate_core::policy::{Field, Overrides, Policy, Value, Values};

use crate::config::ConfigError;
use crate::config::layers::{Setting, Settings};
use crate::config::parse::invalid;

/// The default policy.
pub(super) fn take(settings: &mut Settings) -> Result<Policy, ConfigError> {
    let mut policy = Overrides::default();
    let access_lifetime = settings.peek("policy.access_lifetime")?;
    for field in Field::ALL {
        let key = format!("policy.{}", field.name());
        let value = match field.values() {
            Values::Words(words) => {
                let words: Vec<_> = words.into_iter().map(|word| (word, word)).collect();
                Value::Word(settings.choice(&key, &words)?)
            }
            Values::Counts(range) => Value::Count(settings.count(&key, range)?),
            Values::Durations(range) => Value::Duration(settings.duration(&key, range)?),
        };
        policy.set(field, Some(value)).expect("a value of the field");
    }
    let policy = policy.complete().expect("every field was set");
    check_lifetimes(&access_lifetime, &policy)?;
    Ok(policy)
}

/// A refresh token that expires before its access token would be of no use.
fn check_lifetimes(lifetime: &Setting, policy: &Policy) -> Result<(), ConfigError> {
    if policy.access_lifetime <= policy.refresh_lifetime {
        return Ok(());
    }
    let most = humantime::format_duration(policy.refresh_lifetime);
    Err(invalid(
        "policy.access_lifetime",
        lifetime,
        &format!("at most policy.refresh_lifetime, which is {most}"),
    ))
}
