//! A policy in the admin API: an object with a member for each field. `null` returns a field to the default.

use std::fmt;

use northgate_core::policy::{Field, Overrides, Policy, PolicyChange};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

use super::problem::AdminProblem;
use crate::policy_text;

/// The members of a policy in the order of their fields. A request leaves out what stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyMembers(Vec<(Field, Json)>);

impl PolicyMembers {
    /// The effective policy, with all its members.
    pub fn of(policy: &Policy) -> PolicyMembers {
        PolicyMembers::set(&Overrides::from(policy))
    }

    /// The fields that the operator set for one application.
    pub fn set(overrides: &Overrides) -> PolicyMembers {
        let member = |field| Some((field, policy_text::json(overrides.value(field)?)));
        PolicyMembers(Field::ALL.into_iter().filter_map(member).collect())
    }

    /// Adds a member; `null` returns the field to the default.
    pub fn add(&mut self, field: Field, value: Json) {
        self.0.push((field, value));
    }

    /// The value of a field, if it is there.
    pub fn get(&self, field: Field) -> Option<&Json> {
        self.0.iter().find(|(known, _)| *known == field).map(|(_, value)| value)
    }

    /// The requested change, or a sentence about the first bad member.
    pub fn change(&self) -> Result<PolicyChange, AdminProblem> {
        let mut change = PolicyChange::default();
        for (field, json) in &self.0 {
            if json.is_null() {
                change.unset.push(*field);
                continue;
            }
            let bad = || {
                let (name, values) = (policy_text::member(*field), policy_text::values(*field));
                AdminProblem::invalid(format!("{name} is {values}, and not {json}"))
            };
            let value = policy_text::read(*field, json).ok_or_else(bad)?;
            change.set.set(*field, Some(value)).map_err(|_| bad())?;
        }
        Ok(change)
    }

    /// Whether no member is there.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for PolicyMembers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(field, value)| (policy_text::member(*field), value)))
    }
}

impl<'de> Deserialize<'de> for PolicyMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PolicyMembers, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = PolicyMembers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a policy")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<PolicyMembers, M::Error> {
        let mut members = PolicyMembers::default();
        while let Some(name) = map.next_key::<String>()? {
            let field = policy_text::field(&name).ok_or_else(|| {
                let known = Field::ALL.map(policy_text::member).join(", ");
                M::Error::custom(format!("unknown field `{name}`, expected one of {known}"))
            })?;
            if members.get(field).is_some() {
                return Err(M::Error::custom(format!("duplicate field `{name}`")));
            }
            members.add(field, map.next_value()?);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use northgate_core::policy::Rotation;
    use serde_json::json;

    fn members(json: Json) -> Result<PolicyMembers, String> {
        serde_json::from_value(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_policy_is_read_as_it_was_written() {
        let overrides =
            Overrides { rotation: Some(Rotation::Reusable), max_grants: Some(3), ..Overrides::default() };
        let written = serde_json::to_value(PolicyMembers::set(&overrides)).expect("JSON");
        assert_eq!(written, json!({ "rotation": "reusable", "maxGrants": 3 }));
        assert_eq!(members(written).expect("good").change().expect("good"), overrides.into());
    }

    #[test]
    fn null_returns_a_field_to_the_default() {
        let change =
            members(json!({ "maxGrants": null, "dpop": "off" })).expect("good").change().expect("good");
        assert_eq!(change.unset, [Field::MaxGrants]);
        let before = Overrides { max_grants: Some(3), ..Overrides::default() };
        assert_eq!(change.apply(&before).max_grants, None);
    }

    #[test]
    fn unknown_and_repeated_members_are_refused() {
        assert!(members(json!({ "max_grants": 1 })).expect_err("bad").contains("maxGrants"));
        let twice = serde_json::from_str::<PolicyMembers>(r#"{"dpop":"off","dpop":"off"}"#);
        assert!(twice.expect_err("bad").to_string().contains("duplicate field `dpop`"));
    }
}
