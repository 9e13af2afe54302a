//! Notes for the operator about certificates: rejected files, and certificates that expire soon or have expired.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use rustls::pki_types::UnixTime;
use tracing::{error, warn};

const DAY_S: i64 = 24 * 60 * 60;

/// Days before the expiry at which a note changes; each change is logged at once, and repeated daily.
const STAGES: [i64; 3] = [1, 7, 30];

/// The end of the year 9999, in certificates without an expiry.
const LATEST_S: i64 = 253_402_300_799;

/// A note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Whether clients are refused already, or will be within a day.
    pub is_urgent: bool,
    pub text: String,
}

/// When each note was logged last: a new one is due at once, a lasting one again after a day.
#[derive(Debug, Default)]
pub struct Reminders(BTreeMap<String, i64>);

impl Note {
    pub fn urgent(text: String) -> Note {
        Note { is_urgent: true, text }
    }

    /// The note about the expiry of `what`, such as "the certificate in cert.pem", at `now`.
    pub fn about_end(what: &str, not_after_s: i64, now: UnixTime) -> Option<Note> {
        let left_s = not_after_s - seconds(now);
        let at = date(not_after_s);
        if left_s < 0 {
            return Some(Note::urgent(format!("{what} ended at {at}: renew it")));
        }
        let days = STAGES.into_iter().find(|days| left_s <= days * DAY_S)?;
        let unit = if days == 1 { "day" } else { "days" };
        Some(Note {
            is_urgent: days == 1,
            text: format!("{what} ends within {days} {unit}, at {at}: renew it"),
        })
    }

    /// Writes it to the log.
    pub fn tell(&self) {
        let Note { is_urgent, text } = self;
        if *is_urgent { error!("{text}") } else { warn!("{text}") }
    }
}

impl Reminders {
    /// The notes that are due at `now`.
    pub fn due(&mut self, mut notes: Vec<Note>, now: UnixTime) -> Vec<Note> {
        let now_s = seconds(now);
        self.0.retain(|text, _| notes.iter().any(|note| note.text == *text));
        notes.retain(|note| {
            // A clock that was set back must not silence anything.
            let is_told = self.0.get(&note.text).is_some_and(|told_s| (0..DAY_S).contains(&(now_s - told_s)));
            if !is_told {
                self.0.insert(note.text.clone(), now_s);
            }
            !is_told
        });
        notes
    }

    /// Makes all notes due again: a person waits for an answer.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}

/// Seconds since 1970.
pub fn seconds(now: UnixTime) -> i64 {
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

/// A time in seconds since 1970 as a date.
pub fn date(at_s: i64) -> String {
    let since_1970 = Duration::from_secs(at_s.clamp(0, LATEST_S) as u64);
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + since_1970).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const END_S: i64 = 1_800_000_000;

    fn at(before_the_end_s: i64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs((END_S - before_the_end_s) as u64))
    }

    // Regression: a certificate expired in a night, with no line before it and none after.
    #[test]
    fn the_end_is_said_30_7_and_1_days_before_and_daily_in_between() {
        let (mut reminders, mut told) = (Reminders::default(), Vec::new());
        // A look every hour, from 40 days before the expiry to 2 days after it.
        for hour in (-2 * 24..=40 * 24).rev() {
            let now = at(hour * 3600);
            let notes = Vec::from_iter(Note::about_end("the certificate in a.pem", END_S, now));
            let due = reminders.due(notes, now);
            told.extend(due.into_iter().map(|note| (hour, note.is_urgent, note.text)));
        }
        let hours: Vec<i64> = told.iter().map(|(hour, ..)| *hour).collect();
        // The expiry is logged an hour after it, and again a day later.
        let expected: Vec<i64> = (0..=30).rev().map(|day| day * 24).chain([-1, -25]).collect();
        assert_eq!(hours, expected);
        let text = |hour: i64| &told.iter().find(|(at, ..)| *at == hour).expect("told").2;
        assert_eq!(
            text(30 * 24),
            "the certificate in a.pem ends within 30 days, at 2027-01-15T08:00:00Z: renew it"
        );
        assert!(text(7 * 24).contains("ends within 7 days") && text(24).contains("ends within 1 day, at"));
        assert_eq!(text(-1), "the certificate in a.pem ended at 2027-01-15T08:00:00Z: renew it");
        assert!(told.iter().all(|(hour, is_urgent, _)| *is_urgent == (*hour <= 24)));
    }

    #[test]
    fn a_note_that_went_away_and_a_clock_that_was_set_back_silence_nothing() {
        let mut reminders = Reminders::default();
        let note = || vec![Note::urgent("a fault".to_owned())];
        assert_eq!(reminders.due(note(), at(0)).len(), 1);
        assert_eq!(reminders.due(note(), at(-10)).len(), 0);
        assert_eq!(reminders.due(note(), at(10)).len(), 1);
        assert_eq!(reminders.due(Vec::new(), at(0)).len(), 0);
        assert_eq!(reminders.due(note(), at(0)).len(), 1);
        reminders.forget();
        assert_eq!(reminders.due(note(), at(0)).len(), 1);
    }
}
