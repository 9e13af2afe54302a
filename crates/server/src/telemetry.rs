//! Logging: one line per event to standard error, written off the threads that serve requests.

mod escape;
mod format;
pub mod lines;
mod out;

use std::error::Error;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use tracing::subscriber::{SetGlobalDefaultError, set_global_default, with_default};
use tracing::{Level, error};

use crate::config::log::{Log, LogFormat};
use format::{Form, Format};
use lines::{Lines, Lost};

/// The log of this process; its lines are flushed before any exit.
static RUNNING: OnceLock<Arc<Lines>> = OnceLock::new();

/// What the running log looks like.
static FORM: OnceLock<Arc<ArcSwap<Form>>> = OnceLock::new();

/// The format of the log, for the error of a start that failed.
static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Reason why logging did not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("a log is running already")]
    Running(#[source] SetGlobalDefaultError),
    #[error("the log could not be started")]
    Start(#[source] io::Error),
}

/// Starts the log of this process. The returned lines count how many of them were lost.
pub fn start(log: &Log) -> Result<Arc<Lines>, TelemetryError> {
    let lines = Arc::new(Lines::default());
    speak(log.format);
    let has_priority = log.journal.as_deref().is_some_and(out::is_journal);
    let form = Arc::new(ArcSwap::from_pointee(Form { format: log.format, level: log.level }));
    let _ = FORM.set(Arc::clone(&form));
    let format = Format { lines: Arc::clone(&lines), form, has_priority };
    set_global_default(format.clone()).map_err(TelemetryError::Running)?;
    let out = out::standard_error().map_err(TelemetryError::Start)?;
    lines.write_to(out, move |lost| lost_lines(&format, lost)).map_err(TelemetryError::Start)?;
    let _ = RUNNING.set(Arc::clone(&lines));
    Ok(lines)
}

/// Switches to the level and the format of `log`. A no-op where no log was started.
pub fn change(log: &Log) {
    if let Some(form) = FORM.get() {
        form.store(Arc::new(Form { format: log.format, level: log.level }));
        // Each place in the code remembers whether its lines are wanted.
        tracing::callsite::rebuild_interest_cache();
    }
}

/// Flushes and ends the log, for `limit` at most. A no-op where no log was started.
pub fn finish(limit: Duration) {
    if let Some(lines) = RUNNING.get() {
        lines.finish(limit);
    }
}

/// Sets the format of errors before the log is started.
pub fn speak(format: LogFormat) {
    let _ = FORMAT.set(format);
}

/// The error of a start as a line of standard error, in the format of the log.
pub fn start_error(sentence: &str) -> String {
    match FORMAT.get() {
        Some(LogFormat::Json) => {
            let lines = Arc::new(Lines::default());
            let aside = Format::new(Arc::clone(&lines), LogFormat::Json, Level::ERROR);
            with_default(aside, || error!("the server did not start: {sentence}"));
            String::from_utf8_lossy(&lines.taken()).trim_end().to_owned()
        }
        Some(LogFormat::Text) | None => format!("error: {sentence}"),
    }
}

/// The line that reports lost lines, in the format of the others. It bypasses the queue that may have been the cause.
fn lost_lines(format: &Format, lost: Lost) -> Vec<u8> {
    let aside = Format { lines: Arc::new(Lines::default()), ..format.clone() };
    let lines = Arc::clone(&aside.lines);
    with_default(aside, || {
        let Lost { audit, request, other } = lost;
        error!(
            lost = lost.all(),
            audit,
            request,
            other,
            "standard error did not take {} log lines, which are lost ({audit} of them audit lines): give the log a reader \
             that keeps up, and its disk room",
            lost.all()
        );
    });
    lines.taken()
}

/// An error with its causes, in one line.
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
    use tracing::{Level, debug, info};

    fn logged(format: LogFormat, tell: impl FnOnce()) -> String {
        let lines = Arc::new(Lines::default());
        with_default(Format::new(Arc::clone(&lines), format, Level::INFO), tell);
        String::from_utf8(lines.taken()).unwrap()
    }

    #[test]
    fn a_loss_is_told_in_the_format_of_the_log_whatever_its_level() {
        let format = Format::new(Arc::default(), LogFormat::Json, Level::ERROR);
        let line = lost_lines(&format, Lost { audit: 2, request: 5, other: 1 });
        let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!((&line["lost"], &line["audit"], &line["request"]), (&8.into(), &2.into(), &5.into()));
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

    // Regression: an appId with a blank was written as it was (`application = %id`), so that "x ERROR the disk is full" looked
    // like an error.
    #[test]
    fn no_value_can_be_taken_for_another_line_field_or_level_in_either_format() {
        let sly = [
            "x ERROR y",
            "x\u{2028}2026",
            "a\u{85}b",
            "\u{202e}drowssap",
            "a\u{200b}b",
            "a=b",
            "\"",
            "a\tb\r\n",
        ];
        for value in sly {
            let tell = || info!(displayed = %value, debugged = ?value, text = value, "said {value}");
            let text = logged(LogFormat::Text, tell);
            let json = logged(LogFormat::Json, tell);
            let is_hidden =
                |c: char| c != '\n' && (c.is_control() || northgate_core::visible::is_invisible(c));
            for line in [&text, &json] {
                assert!(line.lines().count() == 1 && !line.contains(is_hidden), "{line}");
            }
            let quoted = text.split_once(" displayed=").unwrap().1;
            assert!(quoted.starts_with('"'), "{text}");
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!((&json["displayed"], &json["text"]), (&value.into(), &value.into()));
        }
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
