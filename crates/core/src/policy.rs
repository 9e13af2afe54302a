//! Policy: what an operator may choose for one application, and the defaults for all others.
//!
//! The table at [`fields!`] is the one place of a field: its name, type and values. Stores, configuration, admin API, command line
//! and export go through [`Field`].

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::signing::Algorithm;
use crate::throttle::Rate;

/// Refresh token rotation (RFC 9700 §4.14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// Each refresh gives the next refresh token; the one presented is used up.
    Once,
    /// The refresh token stays the same until it expires; a refresh writes nothing (RFC 9700 §2.2.2 allows it to
    /// confidential clients).
    Reusable,
}

/// What happens to a grant whose used-up refresh token is presented again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnReuse {
    /// The request is refused and the grant lives on.
    Deny,
    /// The request is refused and the grant is closed.
    Close,
}

/// What a login does to the application's earlier grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logins {
    /// They stay, up to `max_grants`; then the least recently refreshed one gives way.
    Many,
    /// They are closed; their access tokens end after [`LAST_ONLY_OVERLAP`].
    LastOnly,
}

/// When an access token is bound to a certificate (RFC 8705 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindTokens {
    /// When the client authenticated by it.
    Authenticated,
    /// Whenever a certificate is on the connection, whatever the client authenticated by.
    Presented,
}

/// The form of access tokens that OAuth issues. The application API issues opaque ones only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessTokens {
    /// Only Northgate can verify them.
    Opaque,
    /// Signed JWTs that a gateway verifies offline (RFC 9068).
    Jwt(Algorithm),
}

/// Whether access tokens that OAuth issues are bound to a key of the application (RFC 9449).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dpop {
    /// Never: a request with a proof is refused, since its client would take the token for a bound one.
    Off,
    /// When a proof comes with the request.
    Presented,
    /// Always: a request without a proof is refused.
    Required,
}

/// How long access tokens of earlier logins remain valid under [`Logins::LastOnly`], as the platform documents it for its device
/// API: requests under way during the login still succeed.
pub const LAST_ONLY_OVERLAP: Duration = Duration::from_secs(30);

/// The largest `max_grants`: it bounds the memory that one application can take.
pub const MAX_GRANTS_LIMIT: u32 = 1024;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Defines the fields of a policy, each as `Field, member: type, its values`.
macro_rules! fields {
    ($($(#[$doc:meta])* $field:ident, $member:ident: $type:ty, $values:expr;)+) => {
        /// The effective policy of an application.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Policy {
            $($(#[$doc])* pub $member: $type,)+
        }

        /// The fields that an operator set for one application; `None` follows the defaults of the configuration.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Overrides {
            $(pub $member: Option<$type>,)+
        }

        /// A field of a policy.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Field {
            $($field,)+
        }

        impl Field {
            /// All fields, in the order in which people read them.
            pub const ALL: [Field; [$(Field::$field),+].len()] = [$(Field::$field),+];

            /// The name in the configuration, in snake case. The other spellings follow from it.
            pub fn name(self) -> &'static str {
                match self {
                    $(Field::$field => stringify!($member),)+
                }
            }

            /// The kind of its values.
            pub fn kind(self) -> Kind {
                match self {
                    $(Field::$field => <$type as FieldType>::KIND,)+
                }
            }

            /// The values that an operator may set.
            pub fn values(self) -> Values {
                match self {
                    $(Field::$field => $values,)+
                }
            }
        }

        impl Overrides {
            /// The policy that results from these over `defaults`.
            pub fn over(&self, defaults: &Policy) -> Policy {
                Policy { $($member: self.$member.unwrap_or(defaults.$member),)+ }
            }

            /// These with everything that `newer` sets put over them.
            pub fn merge(&self, newer: &Overrides) -> Overrides {
                Overrides { $($member: newer.$member.or(self.$member),)+ }
            }

            /// The policy that sets every field; `None` where one is missing.
            pub fn complete(&self) -> Option<Policy> {
                Some(Policy { $($member: self.$member?,)+ })
            }

            /// The value of a field, if it is set.
            pub fn value(&self, field: Field) -> Option<Value<'static>> {
                match field {
                    $(Field::$field => self.$member.map(FieldType::value),)+
                }
            }

            /// Sets a field, or returns it to the default. The bounds of [`Field::values`] are the caller's to check.
            pub fn set(&mut self, field: Field, value: Option<Value<'_>>) -> Result<(), UnknownValue> {
                match field {
                    $(Field::$field => self.$member = value.map(FieldType::read).transpose()?,)+
                }
                Ok(())
            }
        }

        impl From<&Policy> for Overrides {
            fn from(policy: &Policy) -> Overrides {
                Overrides { $($member: Some(policy.$member),)+ }
            }
        }
    };
}

fields! {
    Rotation, rotation: Rotation, words(&Rotation::ALL);
    /// How long the direct predecessor of a refresh token is answered with the same successor again.
    RetryWindow, retry_window: Duration, Values::Durations(Duration::ZERO..=HOUR);
    OnReuse, on_reuse: OnReuse, words(&OnReuse::ALL);
    Logins, logins: Logins, words(&Logins::ALL);
    /// Live grants of one application, 1 to [`MAX_GRANTS_LIMIT`].
    MaxGrants, max_grants: u32, Values::Counts(1..=MAX_GRANTS_LIMIT);
    AccessLifetime, access_lifetime: Duration, Values::Durations(SECOND..=30 * DAY);
    RefreshLifetime, refresh_lifetime: Duration, Values::Durations(SECOND..=3650 * DAY);
    /// Logins, refreshes and logouts in a minute, and as many calls verified; 0 disables the limit. At most
    /// [`Rate::MAX`](crate::throttle::Rate::MAX).
    CallsPerMinute, calls_per_minute: u32, Values::Counts(0..=Rate::MAX);
    BindTokens, bind_tokens: BindTokens, words(&BindTokens::ALL);
    AccessTokens, access_tokens: AccessTokens, words(&AccessTokens::ALL);
    Dpop, dpop: Dpop, words(&Dpop::ALL);
}

/// The kind of a field's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Word,
    Count,
    Duration,
}

/// The values that a field may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// One of these words.
    Words(Vec<&'static str>),
    Counts(RangeInclusive<u32>),
    /// Whole seconds.
    Durations(RangeInclusive<Duration>),
}

/// The value of a field, in the form that stores, files and wires have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'v> {
    Word(&'v str),
    Count(u32),
    Duration(Duration),
}

/// A value of another type, or an unknown word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value does not belong to the field")]
pub struct UnknownValue;

/// A change to the policy of an application.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyChange {
    /// Fields that get a value.
    pub set: Overrides,
    /// Fields that return to the default.
    pub unset: Vec<Field>,
}

impl PolicyChange {
    /// The overrides after the change.
    pub fn apply(&self, overrides: &Overrides) -> Overrides {
        let mut changed = overrides.merge(&self.set);
        for field in &self.unset {
            // Removing a value cannot fail.
            let _ = changed.set(*field, None);
        }
        changed
    }
}

impl From<Overrides> for PolicyChange {
    fn from(set: Overrides) -> PolicyChange {
        PolicyChange { set, unset: Vec::new() }
    }
}

/// The value type of a field.
trait FieldType: Copy + Sized {
    const KIND: Kind;

    fn value(self) -> Value<'static>;
    fn read(value: Value<'_>) -> Result<Self, UnknownValue>;
}

impl FieldType for u32 {
    const KIND: Kind = Kind::Count;

    fn value(self) -> Value<'static> {
        Value::Count(self)
    }

    fn read(value: Value<'_>) -> Result<u32, UnknownValue> {
        match value {
            Value::Count(count) => Ok(count),
            Value::Word(_) | Value::Duration(_) => Err(UnknownValue),
        }
    }
}

impl FieldType for Duration {
    const KIND: Kind = Kind::Duration;

    fn value(self) -> Value<'static> {
        Value::Duration(self)
    }

    fn read(value: Value<'_>) -> Result<Duration, UnknownValue> {
        match value {
            Value::Duration(duration) => Ok(duration),
            Value::Word(_) | Value::Count(_) => Err(UnknownValue),
        }
    }
}

/// Defines the words of a type, the same in settings, flags and the database.
macro_rules! words {
    ($type:ident: $($variant:ident $(($inner:path))? => $word:literal),+) => {
        impl $type {
            pub const ALL: [$type; [$($word),+].len()] = [$($type::$variant $(($inner))?),+];

            /// The word in settings, flags and the database.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($type::$variant $(($inner))? => $word,)+
                }
            }

            /// Parses the word.
            pub fn parse(word: &str) -> Option<$type> {
                $type::ALL.into_iter().find(|value| value.as_str() == word)
            }
        }

        impl FieldType for $type {
            const KIND: Kind = Kind::Word;

            fn value(self) -> Value<'static> {
                Value::Word(self.as_str())
            }

            fn read(value: Value<'_>) -> Result<$type, UnknownValue> {
                match value {
                    Value::Word(word) => $type::parse(word).ok_or(UnknownValue),
                    Value::Count(_) | Value::Duration(_) => Err(UnknownValue),
                }
            }
        }
    };
}

words!(Rotation: Once => "once", Reusable => "reusable");
words!(OnReuse: Deny => "deny", Close => "close");
words!(Logins: Many => "many", LastOnly => "last-only");
words!(BindTokens: Authenticated => "authenticated", Presented => "presented");
words!(AccessTokens: Opaque => "opaque", Jwt(Algorithm::EdDsa) => "jwt-eddsa", Jwt(Algorithm::Es256) => "jwt-es256");
words!(Dpop: Off => "off", Presented => "presented", Required => "required");

fn words<T: FieldType>(all: &[T]) -> Values {
    let word = |value: Value<'static>| match value {
        Value::Word(word) => Some(word),
        Value::Count(_) | Value::Duration(_) => None,
    };
    Values::Words(all.iter().filter_map(|one| word(one.value())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(field: Field) -> Value<'static> {
        match field.values() {
            Values::Words(words) => Value::Word(words[words.len() - 1]),
            Values::Counts(range) => Value::Count(*range.end()),
            Values::Durations(range) => Value::Duration(*range.end()),
        }
    }

    #[test]
    fn every_field_is_set_read_and_returned_to_the_default() {
        let mut overrides = Overrides::default();
        for field in Field::ALL {
            assert_eq!(overrides.value(field), None);
            overrides.set(field, Some(some(field))).expect("a value of the field");
            assert_eq!(overrides.value(field), Some(some(field)));
        }
        let policy = overrides.complete().expect("all fields");
        assert_eq!(Overrides::from(&policy), overrides);
        let change = PolicyChange { set: Overrides::default(), unset: Field::ALL.to_vec() };
        assert_eq!(change.apply(&overrides), Overrides::default());
    }

    #[test]
    fn a_value_of_another_field_is_refused_and_changes_nothing() {
        let mut overrides = Overrides::default();
        assert_eq!(overrides.set(Field::Rotation, Some(Value::Word("deny"))), Err(UnknownValue));
        assert_eq!(overrides.set(Field::MaxGrants, Some(Value::Duration(HOUR))), Err(UnknownValue));
        assert_eq!(overrides.set(Field::RetryWindow, Some(Value::Count(1))), Err(UnknownValue));
        assert_eq!(overrides, Overrides::default());
    }
}
