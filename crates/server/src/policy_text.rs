//! Policy fields as text: names for JSON and flags, durations as people write them ("60s", "30d"), and sentences about bad values.

use std::time::Duration;

use northgate_core::policy::{Field, Value, Values};
use serde_json::Value as Json;

const DAY_S: u64 = 24 * 60 * 60;

/// The name of a field in JSON: `maxGrants`.
pub fn member(field: Field) -> String {
    let mut words = field.name().split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
}

/// The name of a field as a flag, without dashes before it: `max-grants`.
pub fn flag(field: Field) -> String {
    field.name().replace('_', "-")
}

/// The field of this name in JSON.
pub fn field(member_name: &str) -> Option<Field> {
    Field::ALL.into_iter().find(|field| member(*field) == member_name)
}

/// A value as JSON: a word, a number, or a duration as text.
pub fn json(value: Value<'_>) -> Json {
    match value {
        Value::Word(word) => Json::from(word),
        Value::Count(count) => Json::from(count),
        Value::Duration(duration) => Json::from(duration_text(duration)),
    }
}

/// The value of a field in JSON, or `None` where it is not one that an operator may set.
pub fn read(field: Field, json: &Json) -> Option<Value<'_>> {
    match (field.values(), json) {
        (Values::Words(words), Json::String(text)) => {
            words.into_iter().find(|word| word == text).map(Value::Word)
        }
        (Values::Counts(range), Json::Number(number)) => {
            let count = u32::try_from(number.as_u64()?).ok()?;
            range.contains(&count).then_some(Value::Count(count))
        }
        (Values::Durations(range), Json::String(text)) => {
            let duration = humantime::parse_duration(text).ok()?;
            let is_good = duration.subsec_nanos() == 0 && range.contains(&duration);
            is_good.then_some(Value::Duration(duration))
        }
        (Values::Words(_) | Values::Counts(_) | Values::Durations(_), _) => None,
    }
}

/// The values of a field, for people: "once or reusable", "1 to 1024".
pub fn values(field: Field) -> String {
    match field.values() {
        Values::Words(words) => match words.split_last() {
            Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
            Some(_) | None => words.concat(),
        },
        Values::Counts(range) => format!("{} to {}", range.start(), range.end()),
        Values::Durations(range) => {
            let (from, to) = (duration_text(*range.start()), duration_text(*range.end()));
            format!("a number and s, m, h or d, such as \"15m\", from {from} to {to}")
        }
    }
}

/// As `humantime` reads it again. Its own writer counts in months of 30.44 days, which do not match "30d".
fn duration_text(duration: Duration) -> String {
    let (days, rest_s) = (duration.as_secs() / DAY_S, duration.as_secs() % DAY_S);
    let rest = humantime::format_duration(Duration::from_secs(rest_s)).to_string();
    match (days, rest_s) {
        (0, _) => rest,
        (_, 0) => format!("{days}d"),
        (_, _) => format!("{days}d {rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn a_field_has_one_name_in_three_spellings() {
        assert_eq!(
            (member(Field::MaxGrants), flag(Field::MaxGrants)),
            ("maxGrants".into(), "max-grants".into())
        );
        assert_eq!((member(Field::Dpop), flag(Field::Dpop)), ("dpop".into(), "dpop".into()));
        assert_eq!(field("refreshLifetime"), Some(Field::RefreshLifetime));
        assert_eq!(field("refresh_lifetime"), None);
    }

    #[test]
    fn a_value_is_read_as_it_was_written() {
        for (field, value) in [
            (Field::Rotation, Value::Word("reusable")),
            (Field::MaxGrants, Value::Count(1)),
            (Field::RefreshLifetime, Value::Duration(720 * HOUR + HOUR)),
        ] {
            assert_eq!(read(field, &json(value)), Some(value));
        }
        assert_eq!(json(Value::Duration(720 * HOUR + HOUR)), "30d 1h");
        assert_eq!(json(Value::Duration(720 * HOUR)), "30d");
        assert_eq!(json(Value::Duration(Duration::ZERO)), "0s");
    }

    #[test]
    fn values_of_another_type_or_beyond_the_bounds_are_not_read() {
        for (field, bad) in [
            (Field::Rotation, Json::from("twice")),
            (Field::Rotation, Json::from(1)),
            (Field::MaxGrants, Json::from(0)),
            (Field::MaxGrants, Json::from(1_025)),
            (Field::MaxGrants, Json::from("1")),
            (Field::MaxGrants, Json::from(1.5)),
            (Field::RetryWindow, Json::from("61m")),
            (Field::RetryWindow, Json::from("1ms")),
            (Field::RetryWindow, Json::from("soon")),
            (Field::RetryWindow, Json::from("")),
            (Field::RetryWindow, Json::from(60)),
        ] {
            assert_eq!(read(field, &bad), None, "{field:?} {bad}");
        }
        assert_eq!(values(Field::AccessTokens), "opaque, jwt-eddsa or jwt-es256");
        assert_eq!(values(Field::Rotation), "once or reusable");
    }
}
