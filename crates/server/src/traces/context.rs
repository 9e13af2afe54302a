//! W3C Trace Context: the headers `traceparent` and `tracestate`.

use std::fmt;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::http::gateway::GatewayHeader;

pub const TRACEPARENT: HeaderName = HeaderName::from_static(GatewayHeader::Traceparent.name());
pub const TRACESTATE: HeaderName = HeaderName::from_static(GatewayHeader::Tracestate.name());

/// The length of version 00.
const LENGTH: usize = 55;

/// What a participant should at least hand on of `tracestate` (§3.3.1.5); more is handed on by none of ours.
const STATE_MAX: usize = 512;

const SAMPLED: u8 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceId(pub u128);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanId(pub u64);

/// The position in a trace, as it travels between programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceContext {
    pub trace: TraceId,
    /// The span of the sender.
    pub parent: SpanId,
    pub is_sampled: bool,
    /// The text of `tracestate`: other vendors' positions.
    pub state: Option<HeaderValue>,
}

impl TraceContext {
    /// Reads the context of a request; `None` if it is missing, invalid or repeated: then a new trace begins (§3.2).
    pub fn read(headers: &HeaderMap) -> Option<TraceContext> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        let (trace, parent, flags) = parse(value.as_bytes())?;
        Some(TraceContext { trace, parent, is_sampled: flags & SAMPLED != 0, state: state(headers) })
    }

    /// Writes the context into the headers of a message.
    pub fn write(self, headers: &mut HeaderMap) {
        let flags = if self.is_sampled { "01" } else { "00" };
        let value = format!("00-{}-{}-{flags}", self.trace, self.parent);
        headers.insert(TRACEPARENT, HeaderValue::try_from(value).expect("digits can stand in a header"));
        if let Some(state) = self.state {
            headers.insert(TRACESTATE, state);
        }
    }
}

/// `version "-" trace-id "-" parent-id "-" trace-flags`, of a later version the same part.
fn parse(value: &[u8]) -> Option<(TraceId, SpanId, u8)> {
    let (known, rest) = value.split_at_checked(LENGTH)?;
    let is_rest_good = rest.is_empty() || (&known[..2] != b"00" && rest[0] == b'-');
    let are_dashes = [2, 35, 52].iter().all(|at| known[*at] == b'-');
    if !is_rest_good || !are_dashes || hex(&known[..2])? == 0xff {
        return None;
    }
    let (trace, parent) = (hex(&known[3..35])?, hex(&known[36..52])? as u64);
    let flags = hex(&known[53..])? as u8;
    (trace != 0 && parent != 0).then_some((TraceId(trace), SpanId(parent), flags))
}

/// Lower-case digits only (§3.2.2).
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some((number << 4) | u128::from(value))
    })
}

/// All `tracestate` headers as one list, or nothing if it is too long or no plain text.
fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut all = Vec::new();
    for value in headers.get_all(TRACESTATE) {
        if !all.is_empty() {
            all.push(b',');
        }
        all.extend_from_slice(value.as_bytes());
        if all.len() > STATE_MAX {
            return None;
        }
    }
    let is_plain = all.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    if all.is_empty() || !is_plain {
        return None;
    }
    HeaderValue::from_bytes(&all).ok()
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn read(traceparent: &str) -> Option<TraceContext> {
        TraceContext::read(&headers(&[("traceparent", traceparent)]))
    }

    #[test]
    fn a_context_is_written_as_it_was_read() {
        for flags in ["00", "01"] {
            let text = format!("00-{TRACE}-00f067aa0ba902b7-{flags}");
            let received = headers(&[("traceparent", &text), ("tracestate", "a=1"), ("tracestate", "b=2")]);
            let mut written = HeaderMap::new();
            TraceContext::read(&received).unwrap().write(&mut written);
            assert_eq!(written[TRACEPARENT], text);
            assert_eq!(written[TRACESTATE], "a=1,b=2");
        }
    }

    #[test]
    fn the_sampled_flag_is_one_bit_and_a_later_version_is_read_as_far_as_it_is_known() {
        let is_sampled = |text: &str| read(text).map(|context| context.is_sampled);
        assert_eq!(is_sampled(&format!("00-{TRACE}-00f067aa0ba902b7-03")), Some(true));
        assert_eq!(is_sampled(&format!("00-{TRACE}-00f067aa0ba902b7-fe")), Some(false));
        assert_eq!(is_sampled(&format!("01-{TRACE}-00f067aa0ba902b7-01-more")), Some(true));
        assert_eq!(is_sampled(&format!("cc-{TRACE}-00f067aa0ba902b7-01")), Some(true));
    }

    #[test]
    fn an_invalid_or_repeated_traceparent_is_ignored() {
        for text in [
            "",
            "00",
            &format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            &format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            &format!("01-{TRACE}-00f067aa0ba902b7-01more"),
            &format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            &format!("00-{TRACE}-0000000000000000-01"),
            &format!("00-{TRACE}_00f067aa0ba902b7-01"),
            &format!("00-{TRACE}-00f067aa0ba902b7-0g"),
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let good = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert_eq!(TraceContext::read(&headers(&[("traceparent", &good), ("traceparent", &good)])), None);
    }

    #[test]
    fn a_state_that_is_long_or_no_plain_text_is_not_handed_on() {
        let good = format!("00-{TRACE}-00f067aa0ba902b7-01");
        let state = |value: &str| {
            let read = TraceContext::read(&headers(&[("traceparent", &good), ("tracestate", value)]));
            read.unwrap().state
        };
        assert!(state(&"a".repeat(STATE_MAX)).is_some());
        assert_eq!([state(&"a".repeat(STATE_MAX + 1)), state("ä=1"), state("")], [None, None, None]);
    }
}
