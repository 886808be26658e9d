//! Spans in the JSON encoding of OTLP (OTLP specification, "JSON Protobuf
//! Encoding": ids in hexadecimal, 64-bit numbers as strings, enums as numbers).

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use super::context::{SpanId, TraceId};

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_field_names, reason = "OTLP's names")]
pub struct Span {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_span_id: Option<SpanId>,
    pub name: String,
    #[serde(serialize_with = "kind")]
    pub kind: SpanKind,
    #[serde(rename = "startTimeUnixNano", serialize_with = "nanoseconds")]
    pub start: SystemTime,
    #[serde(rename = "endTimeUnixNano", serialize_with = "nanoseconds")]
    pub end: SystemTime,
    pub attributes: Attributes,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<SpanEvent>,
    pub status: SpanStatus,
}

/// By OTLP's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    Server = 2,
    Client = 3,
}

/// By OTLP's numbers: 0 is unset, 2 is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SpanStatus {
    code: u8,
}

#[derive(Debug, Serialize)]
pub struct SpanEvent {
    pub name: &'static str,
    #[serde(rename = "timeUnixNano", serialize_with = "nanoseconds")]
    pub at: SystemTime,
}

#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Attributes(Vec<Attribute>);

#[derive(Debug, Serialize)]
struct Attribute {
    key: &'static str,
    value: AttributeValue,
}

#[derive(Debug, Serialize)]
pub enum AttributeValue {
    #[serde(rename = "stringValue")]
    Text(String),
    #[serde(rename = "intValue", serialize_with = "text")]
    Int(u64),
    #[serde(rename = "doubleValue")]
    Double(f64),
    #[serde(rename = "boolValue")]
    Bool(bool),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExportRequest<'a> {
    resource_spans: [ResourceSpans<'a>; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Resource<'a>,
    scope_spans: [ScopeSpans<'a>; 1],
}

#[derive(Debug, Serialize)]
struct Resource<'a> {
    attributes: &'a Attributes,
}

#[derive(Debug, Serialize)]
struct ScopeSpans<'a> {
    scope: Scope,
    spans: &'a [Span],
}

#[derive(Debug, Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

// === impl ExportRequest ===

impl<'a> ExportRequest<'a> {
    /// `resource` describes the process.
    pub(super) fn new(resource: &'a Attributes, spans: &'a [Span]) -> Self {
        let scope = Scope {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
        };
        Self {
            resource_spans: [ResourceSpans {
                resource: Resource {
                    attributes: resource,
                },
                scope_spans: [ScopeSpans { scope, spans }],
            }],
        }
    }
}

// === impl Attributes ===

impl Attributes {
    /// Omits an attribute without a value.
    pub fn add(&mut self, key: &'static str, value: Option<impl Into<AttributeValue>>) {
        let value = value.map(Into::into);
        self.0.extend(value.map(|value| Attribute { key, value }));
    }
}

// === impl SpanStatus ===

impl SpanStatus {
    #[must_use]
    pub fn failed(failed: bool) -> Self {
        let code = if failed { 2 } else { 0 };
        Self { code }
    }
}

// === impl AttributeValue ===

impl From<&str> for AttributeValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for AttributeValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for AttributeValue {
    fn from(number: u64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for AttributeValue {
    fn from(number: f64) -> Self {
        Self::Double(number)
    }
}

impl From<bool> for AttributeValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn kind<S: Serializer>(kind: &SpanKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(*kind as u8)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn text<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

fn nanoseconds<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    serializer.collect_str(&since.as_nanos())
}
