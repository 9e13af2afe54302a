//! `[policy]`: the defaults for applications.

use northgate_core::policy::{Field, Overrides, Policy, Value, Values};

use crate::config::ConfigError;
use crate::config::layers::Settings;

/// The default policy.
pub(super) fn take(settings: &mut Settings) -> Result<Policy, ConfigError> {
    let mut policy = Overrides::default();
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
    Ok(policy.complete().expect("every field was set"))
}
