//! Members of JWTs as other programs write them: times, and members whose presence counts, whatever their value.

use northgate_core::clock::Timestamp;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A NumericDate: seconds since 1970, perhaps with a fraction (RFC 7519 §2). A time before 1970 becomes 1970, a time beyond the
/// range its last one.
pub fn numeric_date(seconds: f64) -> Timestamp {
    // The cast saturates.
    Timestamp::from_millis((seconds * 1000.0) as u64)
}

/// A member that is present, even as `null`.
pub fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numeric_date_beyond_all_time_is_the_first_or_the_last_one() {
        for (number, millis) in [
            (-1.0, 0),
            (-1e300, 0),
            (-0.0, 0),
            (1.0625, 1062),
            (1e300, Timestamp::MAX.as_millis()),
            (f64::MAX, Timestamp::MAX.as_millis()),
        ] {
            assert_eq!(numeric_date(number).as_millis(), millis, "{number}");
        }
    }
}
