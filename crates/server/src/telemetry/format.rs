//! Formats of log lines: text for a terminal, or JSON.

use std::cell::RefCell;
use std::error::Error;
use std::fmt::{self, Debug, Write};
use std::sync::Arc;

use arc_swap::ArcSwap;
use humantime::format_rfc3339_micros;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

use super::escape;
use super::lines::{Kind, Lines};
use super::with_causes;
use crate::clock;
use crate::config::log::LogFormat;

/// Prefix of special targets such as `northgate::audit`, which appear as `kind`. They are written at every level: requests have a
/// setting of their own, and audit events must not get lost.
const KINDS: &str = "northgate::";

thread_local! {
    /// Each thread formats into a buffer of its own, which keeps its capacity from line to line.
    static LINE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The targets of audit events and of requests.
const AUDIT: &str = "northgate::audit";
const REQUEST: &str = "northgate::request";

/// What can change while the log is written.
#[derive(Clone, Copy)]
pub(super) struct Form {
    pub format: LogFormat,
    pub level: Level,
}

/// Formats every event up to a level. Without spans: a line is complete by itself.
#[derive(Clone)]
pub(super) struct Format {
    pub lines: Arc<Lines>,
    pub form: Arc<ArcSwap<Form>>,
    /// Whether a line begins with its priority (`<3>`), which the journal takes off (sd-daemon(3)).
    pub has_priority: bool,
}

impl Format {
    /// Lines without priority.
    pub fn new(lines: Arc<Lines>, format: LogFormat, level: Level) -> Format {
        Format { lines, form: Arc::new(ArcSwap::from_pointee(Form { format, level })), has_priority: false }
    }
}

impl Subscriber for Format {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.form.load().level || metadata.target().starts_with(KINDS)
    }

    fn event(&self, event: &Event<'_>) {
        LINE.with_borrow_mut(|line| {
            line.clear();
            if self.has_priority {
                line.push_str(priority(*event.metadata().level()));
            }
            // Writing to a String cannot fail.
            let _ = match self.form.load().format {
                LogFormat::Text => text(line, event),
                LogFormat::Json => json(line, event),
            };
            line.push('\n');
            self.lines.add(line.as_bytes(), kind_of_line(event));
        });
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// The syslog priority of a level (RFC 5424 §6.2.1), as the journal reads it at the beginning of a line.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}

fn kind<'a>(event: &Event<'a>) -> Option<&'a str> {
    event.metadata().target().strip_prefix(KINDS)
}

fn kind_of_line(event: &Event<'_>) -> Kind {
    match event.metadata().target() {
        AUDIT => Kind::Audit,
        REQUEST => Kind::Request,
        _ => Kind::Other,
    }
}

/// `TIME LEVEL message field=value …`.
fn text(line: &mut String, event: &Event<'_>) -> fmt::Result {
    write!(line, "{} {:>5} ", format_rfc3339_micros(clock::wall()), event.metadata().level().as_str())?;
    event.record(&mut Message(line));
    if let Some(kind) = kind(event) {
        write!(line, " kind={kind}")?;
    }
    event.record(&mut TextFields(line));
    Ok(())
}

/// `{"timestamp":…,"level":…,"message":…,"field":…}`.
fn json(line: &mut String, event: &Event<'_>) -> fmt::Result {
    let level = event.metadata().level().as_str();
    write!(line, r#"{{"timestamp":"{}","level":"{level}""#, format_rfc3339_micros(clock::wall()))?;
    if let Some(kind) = kind(event) {
        write!(line, r#","kind":"{kind}""#)?;
    }
    event.record(&mut JsonFields(line));
    line.push('}');
    Ok(())
}

struct Message<'a>(&'a mut String);
struct TextFields<'a>(&'a mut String);
struct JsonFields<'a>(&'a mut String);

const MESSAGE: &str = "message";

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == MESSAGE {
            let begin = self.0.len();
            let _ = write!(self.0, "{value:?}");
            escape::escape_hidden(self.0, begin);
        }
    }
}

impl TextFields<'_> {
    fn put(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let _ = write!(self.0, " {}=", field.name());
        let begin = self.0.len();
        let _ = self.0.write_fmt(value);
        escape::quote_unless_plain(self.0, begin);
    }
}

impl Visit for TextFields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.record_str(field, &with_causes(value));
    }

    /// Texts formatted by `Display` (`%`) come here too.
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() != MESSAGE {
            self.put(field, format_args!("{value:?}"));
        }
    }
}

impl JsonFields<'_> {
    fn put(&mut self, field: &Field, value: impl fmt::Display) {
        let _ = write!(self.0, r#","{}":{value}"#, field.name());
    }
}

impl Visit for JsonFields<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, r#","{}":"#, field.name());
        escape::quoted(self.0, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.record_str(field, &with_causes(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
