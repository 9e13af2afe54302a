//! The log: one line per event to standard error, written off the threads that serve requests.

mod format;
pub mod lines;

use std::error::Error;
use std::io;
use std::sync::Arc;

use tracing::subscriber::{SetGlobalDefaultError, set_global_default};
use tracing::warn;

use crate::config::log::Log;
use format::Format;
use lines::{Lines, Writing};

/// The running log; dropping it writes out what waits, so it is kept until the end of `main`.
pub struct Telemetry {
    lines: Arc<Lines>,
    _writing: Writing,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("a log is running already")]
    Running(#[source] SetGlobalDefaultError),
    #[error("the log's thread could not be started")]
    Thread(#[source] io::Error),
}

/// Starts the log of this process.
pub fn start(log: &Log) -> Result<Telemetry, TelemetryError> {
    let lines = Arc::new(Lines::default());
    let writing = Writing::start(Arc::clone(&lines), io::stderr()).map_err(TelemetryError::Thread)?;
    let format = Format { lines: Arc::clone(&lines), format: log.format, level: log.level };
    set_global_default(format).map_err(TelemetryError::Running)?;
    Ok(Telemetry { lines, _writing: writing })
}

impl Telemetry {
    /// The lines on their way out, which know how many were dropped.
    pub fn lines(&self) -> Arc<Lines> {
        Arc::clone(&self.lines)
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        let dropped = self.lines.dropped();
        if dropped > 0 {
            warn!(dropped, "{dropped} log lines were dropped because nobody read them fast enough");
        }
    }
}

/// An error and what caused it, in one line.
pub fn with_causes(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::log::LogFormat;
    use std::io::Write;
    use std::sync::Mutex;
    use tracing::subscriber::with_default;
    use tracing::{Level, debug, info};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, tell: impl FnOnce()) -> String {
        let (page, lines) = (Page::default(), Arc::new(Lines::default()));
        let writing = Writing::start(Arc::clone(&lines), page.clone()).unwrap();
        with_default(Format { lines, format, level: Level::INFO }, tell);
        drop(writing);
        String::from_utf8(page.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn json_lines_have_the_message_and_the_fields_side_by_side() {
        let text =
            logged(LogFormat::Json, || info!(app.id = "a\"1\n", n = 7_u64, "login of application {}", "a1"));
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "login of application a1");
        assert_eq!(line["app.id"], "a\"1\n");
        assert_eq!(line["n"], 7);
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn text_lines_quote_what_could_be_taken_for_another_field_or_line() {
        let text = logged(LogFormat::Text, || info!(plain = "a1", sly = "b level=ERROR\nx", "a fact"));
        assert!(text.ends_with(" INFO a fact plain=a1 sly=\"b level=ERROR\\nx\"\n"), "{text}");
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn audit_lines_can_be_told_from_others() {
        let tell = || info!(target: "northgate::audit", "a grant was closed");
        assert!(logged(LogFormat::Text, tell).contains(" a grant was closed kind=audit\n"));
        assert!(logged(LogFormat::Json, tell).contains("\"kind\":\"audit\""));
    }

    #[test]
    fn what_is_below_the_level_is_not_written() {
        let text = logged(LogFormat::Text, || {
            debug!("a detail");
            info!("a fact");
        });
        assert!(text.contains("a fact") && !text.contains("a detail"), "{text}");
    }
}
