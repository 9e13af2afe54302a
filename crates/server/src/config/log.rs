//! `[log]`: level, format and logged requests.

use tracing::Level;

use crate::config::ConfigError;
use crate::config::layers::Settings;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// The requests that get a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoggedRequests {
    All,
    Failed,
    None,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The value of `JOURNAL_STREAM`, by which the service manager names the stream to the journal.
    pub journal: Option<String>,
    pub format: LogFormat,
    pub level: Level,
    pub requests: LoggedRequests,
}

impl Log {
    pub(super) fn take(settings: &mut Settings) -> Result<Log, ConfigError> {
        let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        let levels = [
            ("error", Level::ERROR),
            ("warn", Level::WARN),
            ("info", Level::INFO),
            ("debug", Level::DEBUG),
            ("trace", Level::TRACE),
        ];
        let requests = [
            ("all", LoggedRequests::All),
            ("failed", LoggedRequests::Failed),
            ("none", LoggedRequests::None),
        ];
        Ok(Log {
            format: settings.choice("log.format", &formats)?,
            level: settings.choice("log.level", &levels)?,
            requests: settings.choice("log.requests", &requests)?,
            journal: None,
        })
    }
}
