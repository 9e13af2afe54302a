//! Parsing of settings: one function per kind of value, each with an error that says what to write.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use toml::Value;

use crate::blanks::{self, Blank};
use crate::config::ConfigError;
use crate::config::layers::{Setting, Settings, shown};

impl Settings {
    /// Text that `parse` accepts.
    pub fn text<T>(
        &mut self,
        key: &str,
        instead: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, ConfigError> {
        self.value(key, instead, |value| value.as_str().and_then(parse))
    }

    /// One word of a list.
    pub fn choice<T: Clone>(&mut self, key: &str, words: &[(&str, T)]) -> Result<T, ConfigError> {
        let quoted: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        self.text(key, &quoted.join(" or "), |text| {
            words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| meaning.clone())
        })
    }

    /// A path; `None` for the empty text.
    pub fn path(&mut self, key: &str) -> Result<Option<PathBuf>, ConfigError> {
        self.text(key, "the path of a file in quotes", |text| {
            Some((!text.is_empty()).then(|| PathBuf::from(text)))
        })
    }

    pub fn paths(&mut self, key: &str) -> Result<Vec<PathBuf>, ConfigError> {
        self.value(key, "a list of files, such as [\"a.pem\", \"b.pem\"]", |value| {
            let path = |path: &Value| path.as_str().filter(|path| !path.is_empty()).map(PathBuf::from);
            value.as_array()?.iter().map(path).collect()
        })
    }

    /// Host names in lower case.
    pub fn host_names(&mut self, key: &str) -> Result<Vec<String>, ConfigError> {
        let instead = "a list of host names without a port, such as [\"northgate.internal\"]";
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let is_name = |text: &&str| !text.is_empty() && text.chars().all(is_plain);
        let name = |value: &Value| value.as_str().filter(is_name).map(str::to_ascii_lowercase);
        self.value(key, instead, |value| value.as_array()?.iter().map(name).collect())
    }

    pub fn flag(&mut self, key: &str) -> Result<bool, ConfigError> {
        self.value(key, "true or false", Value::as_bool)
    }

    pub fn address(&mut self, key: &str) -> Result<SocketAddr, ConfigError> {
        let instead = "an IP address and a port, such as \"127.0.0.1:8743\" or \"[::]:8743\"";
        self.text(key, instead, |text| text.parse().ok())
    }

    pub fn count(&mut self, key: &str, range: RangeInclusive<u32>) -> Result<u32, ConfigError> {
        let instead = format!("a whole number from {} to {}", range.start(), range.end());
        self.value(key, &instead, |value| {
            let count = u32::try_from(value.as_integer()?).ok()?;
            range.contains(&count).then_some(count)
        })
    }

    /// Whole seconds, because tokens and timers count in them.
    pub fn duration(&mut self, key: &str, range: RangeInclusive<Duration>) -> Result<Duration, ConfigError> {
        self.span(key, "a number and s, m, h or d, such as \"15m\"", Duration::from_secs(1), range)
    }

    /// Whole milliseconds: timeouts between machines.
    pub fn instant(&mut self, key: &str, range: RangeInclusive<Duration>) -> Result<Duration, ConfigError> {
        self.span(key, "a number and ms, s or m, such as \"250ms\"", Duration::from_millis(1), range)
    }

    fn span(
        &mut self,
        key: &str,
        such: &str,
        step: Duration,
        range: RangeInclusive<Duration>,
    ) -> Result<Duration, ConfigError> {
        let text = |duration: &Duration| humantime::format_duration(*duration).to_string();
        let instead = format!("{such}, from {} to {}", text(range.start()), text(range.end()));
        self.text(key, &instead, |text| {
            let duration = humantime::parse_duration(text).ok()?;
            let is_whole = duration.as_nanos().is_multiple_of(step.as_nanos());
            (is_whole && range.contains(&duration)).then_some(duration)
        })
    }

    pub fn size(&mut self, key: &str, range: RangeInclusive<usize>) -> Result<usize, ConfigError> {
        let instead = format!(
            "a number and B, KiB or MiB, such as \"16KiB\", from {}B to {}KiB",
            range.start(),
            range.end() / 1024
        );
        self.text(key, &instead, |text| bytes(text).filter(|size| range.contains(size)))
    }

    pub(super) fn value<T>(
        &mut self,
        key: &str,
        instead: &str,
        parse: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<T, ConfigError> {
        let setting = self.take(key)?;
        if let Some(blank) = blank(&setting.value) {
            return Err(invalid(key, &setting, &format!("it without {blank}")));
        }
        parse(&setting.value).ok_or_else(|| invalid(key, &setting, instead))
    }
}

pub(super) fn invalid(key: &str, setting: &Setting, instead: &str) -> ConfigError {
    ConfigError::Invalid {
        key: key.to_owned(),
        value: shown(key, &setting.value),
        origin: setting.origin.to_string(),
        instead: instead.to_owned(),
    }
}

/// The first blank at the ends of a text or of a list's element.
fn blank(value: &Value) -> Option<Blank> {
    match value {
        Value::String(text) => blanks::check(text).err(),
        Value::Array(values) => values.iter().find_map(blank),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Table(_) => {
            None
        }
    }
}

fn bytes(text: &str) -> Option<usize> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim_start() {
        "B" => 1,
        "KiB" => 1024,
        "MiB" => 1024 * 1024,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_and_a_unit() {
        assert_eq!(bytes("16KiB"), Some(16 * 1024));
        assert_eq!(bytes("1 MiB"), Some(1024 * 1024));
        assert_eq!(bytes("512B"), Some(512));
        for wrong in
            ["", "16", "KiB", "16KB", "-1B", "1.5MiB", "99999999999999999999B", "18446744073709551615KiB"]
        {
            assert_eq!(bytes(wrong), None, "{wrong}");
        }
    }
}
