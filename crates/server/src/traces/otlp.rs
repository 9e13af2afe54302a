//! OTLP in its JSON form: ids as hexadecimal digits, 64-bit numbers as text (OTLP specification, "JSON Protobuf Encoding").

use serde::{Deserialize, Serialize};

use super::span::{Attribute, Span};

/// The status of a failed span in OTLP.
const ERROR: u8 = 2;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'s> {
    resource_spans: [ResourceSpans<'s>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'s> {
    resource: Resource,
    scope_spans: [ScopeSpans<'s>; 1],
}

#[derive(Serialize)]
struct Resource {
    attributes: [KeyValue<'static>; 2],
}

#[derive(Serialize)]
struct ScopeSpans<'s> {
    scope: Scope,
    spans: Vec<OtlpSpan<'s>>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OtlpSpan<'s> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    name: &'s str,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<KeyValue<'s>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
}

#[derive(Serialize)]
struct Status {
    code: u8,
}

#[derive(Serialize)]
struct KeyValue<'s> {
    key: &'static str,
    value: Value<'s>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Value<'s> {
    StringValue(&'s str),
    IntValue(String),
}

/// The body of an export.
pub fn body(spans: &[Span]) -> Result<Vec<u8>, serde_json::Error> {
    let attributes = [("service.name", "northgate"), ("service.version", env!("CARGO_PKG_VERSION"))];
    let attributes = attributes.map(|(key, value)| KeyValue { key, value: Value::StringValue(value) });
    let scope = Scope { name: "northgate", version: env!("CARGO_PKG_VERSION") };
    serde_json::to_vec(&Request {
        resource_spans: [ResourceSpans {
            resource: Resource { attributes },
            scope_spans: [ScopeSpans { scope, spans: spans.iter().map(span).collect() }],
        }],
    })
}

fn span(span: &Span) -> OtlpSpan<'_> {
    let described = &span.description;
    OtlpSpan {
        trace_id: span.trace.to_string(),
        span_id: span.id.to_string(),
        parent_span_id: span.parent.map(|parent| parent.to_string()),
        name: &described.name,
        kind: described.kind as u8,
        start_time_unix_nano: span.began.to_string(),
        end_time_unix_nano: span.ended.to_string(),
        attributes: described.attributes.iter().map(|(key, value)| attribute(key, value)).collect(),
        status: described.is_error.then_some(Status { code: ERROR }),
    }
}

fn attribute<'s>(key: &'static str, value: &'s Attribute) -> KeyValue<'s> {
    let value = match value {
        Attribute::Word(word) => Value::StringValue(word),
        Attribute::Text(text) => Value::StringValue(text),
        Attribute::Number(number) => Value::IntValue(number.to_string()),
    };
    KeyValue { key, value }
}

/// The answer of a collector.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Answer {
    partial_success: PartialSuccess,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PartialSuccess {
    /// A 64-bit number, which is text in JSON by the specification; some write a number.
    rejected_spans: serde_json::Value,
}

impl Answer {
    /// Spans that the collector did not take.
    pub fn rejected(&self) -> usize {
        let rejected = &self.partial_success.rejected_spans;
        let number = rejected.as_u64().or_else(|| rejected.as_str()?.parse().ok());
        number.map_or(0, |number| number as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::context::{SpanId, TraceId};
    use crate::traces::span::{Description, Kind};

    #[test]
    fn a_span_is_written_as_the_specification_has_it() {
        let attributes = vec![
            ("http.request.method", Attribute::Word("POST")),
            ("http.response.status_code", Attribute::Number(500)),
        ];
        let description =
            Description { name: "POST".to_owned(), kind: Kind::Server, attributes, is_error: true };
        let parent = Some(SpanId(2));
        let span =
            Span { trace: TraceId(255), id: SpanId(1), parent, began: 1, ended: u64::MAX, description };
        let written: serde_json::Value = serde_json::from_slice(&body(&[span]).unwrap()).unwrap();
        let expected = serde_json::json!([{
            "traceId": "000000000000000000000000000000ff",
            "spanId": "0000000000000001",
            "parentSpanId": "0000000000000002",
            "name": "POST",
            "kind": 2,
            "startTimeUnixNano": "1",
            "endTimeUnixNano": "18446744073709551615",
            "attributes": [
                { "key": "http.request.method", "value": { "stringValue": "POST" } },
                { "key": "http.response.status_code", "value": { "intValue": "500" } },
            ],
            "status": { "code": 2 },
        }]);
        assert_eq!(written["resourceSpans"][0]["scopeSpans"][0]["spans"], expected);
    }

    #[test]
    fn the_number_of_rejected_spans_is_read_in_both_forms_and_is_0_without_them() {
        let rejected = |text: &str| serde_json::from_str::<Answer>(text).unwrap().rejected();
        let of = |number: &str| rejected(&format!(r#"{{"partialSuccess":{{"rejectedSpans":{number}}}}}"#));
        assert_eq!(
            [of("\"3\""), of("4"), rejected("{}"), rejected(r#"{"partialSuccess":{}}"#)],
            [3, 4, 0, 0]
        );
    }
}
