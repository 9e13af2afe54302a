//! A finished span. Its names are constants and words of ours: spans carry no text of a client.

use super::context::{SpanId, TraceId};

/// A finished span.
#[derive(Debug, PartialEq)]
pub struct Span {
    pub trace: TraceId,
    pub id: SpanId,
    pub parent: Option<SpanId>,
    /// Nanoseconds since 1970.
    pub began: u64,
    /// Nanoseconds since 1970.
    pub ended: u64,
    pub description: Description,
}

/// What a span stands for.
#[derive(Debug, PartialEq)]
pub struct Description {
    pub name: String,
    pub kind: Kind,
    pub attributes: Vec<(&'static str, Attribute)>,
    pub is_error: bool,
}

/// The role of the program in a span, by its number in OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Internal = 1,
    Server = 2,
    Client = 3,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    Word(&'static str),
    Text(String),
    Number(u16),
}
