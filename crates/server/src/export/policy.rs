//! A policy in an export file: the fields that were set, as words, numbers and durations.

use std::collections::BTreeMap;

use northgate_core::policy::{Field, Overrides};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::policy_text;

/// Values by the names of their fields.
#[derive(Serialize, Deserialize)]
pub struct ExportedPolicy(BTreeMap<String, Json>);

impl ExportedPolicy {
    pub fn of(overrides: &Overrides) -> ExportedPolicy {
        let member = |field| Some((policy_text::member(field), policy_text::json(overrides.value(field)?)));
        ExportedPolicy(Field::ALL.into_iter().filter_map(member).collect())
    }

    /// The overrides; `None` where a field is unknown or has a bad value.
    pub fn overrides(&self) -> Option<Overrides> {
        let mut overrides = Overrides::default();
        for (name, json) in &self.0 {
            let field = policy_text::field(name)?;
            overrides.set(field, Some(policy_text::read(field, json)?)).ok()?;
        }
        Some(overrides)
    }
}
