//! The policy of an application as both stores keep it: a column for each field, null where the default applies.

use std::time::Duration;

use northgate_core::policy::{Field, Kind, Overrides, UnknownValue, Value};

/// A value as it is kept: words as text, counts as they are, durations in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept<'r> {
    Text(&'r str),
    Number(i64),
}

/// The column of a field.
pub fn column(field: Field) -> String {
    match field.kind() {
        Kind::Duration => format!("{}_ms", field.name()),
        Kind::Word | Kind::Count => field.name().to_owned(),
    }
}

/// The columns of all fields, with commas between them.
pub fn columns() -> String {
    Field::ALL.map(column).join(", ")
}

/// The value of a field as it is kept.
pub fn kept(overrides: &Overrides, field: Field) -> Option<Kept<'static>> {
    overrides.value(field).map(|value| match value {
        Value::Word(word) => Kept::Text(word),
        Value::Count(count) => Kept::Number(i64::from(count)),
        Value::Duration(duration) => Kept::Number(duration.as_millis() as i64),
    })
}

/// Sets a field to a value that was kept.
pub fn restore(overrides: &mut Overrides, field: Field, kept: Option<Kept<'_>>) -> Result<(), UnknownValue> {
    let value = kept.map(|kept| match (field.kind(), kept) {
        (Kind::Word, Kept::Text(word)) => Ok(Value::Word(word)),
        (Kind::Count, Kept::Number(count)) => {
            u32::try_from(count).map(Value::Count).map_err(|_| UnknownValue)
        }
        (Kind::Duration, Kept::Number(millis)) => {
            let millis = u64::try_from(millis).map_err(|_| UnknownValue)?;
            Ok(Value::Duration(Duration::from_millis(millis)))
        }
        (Kind::Word, Kept::Number(_)) | (Kind::Count | Kind::Duration, Kept::Text(_)) => Err(UnknownValue),
    });
    overrides.set(field, value.transpose()?)
}
