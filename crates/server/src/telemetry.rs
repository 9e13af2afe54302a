//! The log: one line per event to standard error, written off the threads that serve requests.

use std::error::Error;
use std::io::{self, Write};

use tracing::subscriber::{SetGlobalDefaultError, set_global_default};
use tracing::{Subscriber, warn};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};

use crate::config::log::{Log, LogFormat};

/// Lines that wait for a slow reader, about 5 MiB. Beyond it lines are dropped and counted: a pipe that nobody empties
/// must not stop logins.
const LINES_WAITING: usize = 16_384;

/// The running log; dropping it writes out what waits, so it is kept until the end of `main`.
pub struct Telemetry {
    // Fields are dropped in this order, and the worker must end last.
    dropped: ErrorCounter,
    _worker: WorkerGuard,
}

/// A log was running already.
#[derive(Debug, thiserror::Error)]
#[error("the log could not be started")]
pub struct TelemetryError(#[source] SetGlobalDefaultError);

/// Starts the log of this process.
pub fn start(log: &Log) -> Result<Telemetry, TelemetryError> {
    let (writer, dropped, worker) = writer(io::stderr());
    set_global_default(subscriber(log, writer)).map_err(TelemetryError)?;
    Ok(Telemetry { dropped, _worker: worker })
}

impl Telemetry {
    /// Lines that were dropped since the start; readable as a metric while the log runs.
    pub fn dropped_lines(&self) -> ErrorCounter {
        self.dropped.clone()
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        let dropped = self.dropped.dropped_lines();
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

fn writer(to: impl Write + Send + 'static) -> (NonBlocking, ErrorCounter, WorkerGuard) {
    let (writer, worker) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LINES_WAITING)
        .thread_name("northgate-log")
        .finish(to);
    let dropped = writer.error_counter();
    (writer, dropped, worker)
}

/// Without module names: a message reads alone, and where it stands in the code is nothing to search for.
fn subscriber(log: &Log, writer: NonBlocking) -> Box<dyn Subscriber + Send + Sync> {
    let lines = tracing_subscriber::fmt().with_max_level(log.level).with_target(false).with_writer(writer);
    match log.format {
        LogFormat::Text => Box::new(lines.finish()),
        LogFormat::Json => Box::new(lines.json().flatten_event(true).with_current_span(false).finish()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::log::LoggedRequests;
    use std::sync::{Arc, Mutex};
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
        let page = Page::default();
        let (writer, _, worker) = writer(page.clone());
        let log = Log { format, level: Level::INFO, requests: LoggedRequests::All };
        with_default(subscriber(&log, writer), tell);
        drop(worker);
        String::from_utf8(page.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn json_lines_have_the_message_and_the_fields_side_by_side() {
        let text = logged(LogFormat::Json, || info!(app.id = "a1", "login of application a1"));
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "login of application a1");
        assert_eq!(line["app.id"], "a1");
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn what_is_below_the_level_is_not_written() {
        let text = logged(LogFormat::Text, || {
            debug!("a detail");
            info!("a fact");
        });
        assert!(text.contains("a fact") && !text.contains("a detail"), "{text}");
    }

    #[test]
    fn a_reader_that_reads_nothing_stops_nobody_and_the_loss_is_counted() {
        struct Stuck(std::sync::mpsc::Receiver<()>);
        impl Write for Stuck {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                // Until the test lets go of the other end.
                let _ = self.0.recv();
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (hold, held) = std::sync::mpsc::channel();
        let (mut writer, dropped, _worker) = writer(Stuck(held));
        for _ in 0..LINES_WAITING + 10 {
            writer.write_all(b"line\n").unwrap();
        }
        assert!(dropped.dropped_lines() > 0);
        drop(hold);
    }
}
