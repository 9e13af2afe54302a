//! RFC 3339 times, in UTC, to the millisecond.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use northgate_core::clock::Timestamp;

/// The end of the year 9999, the last one that RFC 3339 can write.
const LAST: u64 = 253_402_300_799_999;

/// Formats `at`; a time after the year 9999 becomes its end.
pub fn format(at: Timestamp) -> String {
    let since_epoch = Duration::from_millis(at.as_millis().min(LAST));
    humantime::format_rfc3339_millis(UNIX_EPOCH + since_epoch).to_string()
}

/// Parses a time in UTC (`2026-01-31T12:00:00Z`).
pub fn parse(text: &str) -> Option<Timestamp> {
    let time: SystemTime = humantime::parse_rfc3339(text).ok()?;
    let since_epoch = time.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_was_written() {
        let at = Timestamp::from_millis(1_700_000_000_123);
        assert_eq!(format(at), "2023-11-14T22:13:20.123Z");
        assert_eq!(parse(&format(at)), Some(at));
        assert_eq!(parse("2023-11-14T22:13:20Z"), Some(Timestamp::from_millis(1_700_000_000_000)));
    }

    #[test]
    fn a_time_beyond_the_year_9999_is_written_as_its_end() {
        assert_eq!(format(Timestamp::MAX), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn what_is_no_time_is_not_read() {
        for text in ["", "tomorrow", "2023-11-14", "2023-13-01T00:00:00Z"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
