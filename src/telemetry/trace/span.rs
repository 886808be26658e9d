//! Spans, and how a collector takes them: OTLP in its JSON encoding (OTLP
//! specification, "JSON Protobuf Encoding": ids in hexadecimal, 64-bit numbers
//! as text, kinds and codes as numbers).

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use super::context::{SpanId, TraceId};

/// One timed piece of work.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// The trace that it belongs to.
    pub trace_id: TraceId,
    /// Which one it is.
    pub span_id: SpanId,
    /// The span that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_span_id: Option<SpanId>,
    /// What it is called.
    pub name: String,
    /// On whose side it is.
    #[serde(serialize_with = "kind")]
    pub kind: Kind,
    /// When it began.
    #[serde(rename = "startTimeUnixNano", serialize_with = "nanoseconds")]
    pub start: SystemTime,
    /// When it ended.
    #[serde(rename = "endTimeUnixNano", serialize_with = "nanoseconds")]
    pub end: SystemTime,
    /// What is known of it.
    pub attributes: Attributes,
    /// What happened in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
    /// Whether it failed.
    pub status: Status,
}

/// On whose side a span is, by OTLP's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A request that is answered here.
    Server = 2,
    /// A request to somebody else.
    Client = 3,
}

/// Whether a span failed, by OTLP's numbers: 0 says nothing, 2 an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Status {
    code: u8,
}

/// Something that happened at one moment.
#[derive(Debug, Serialize)]
pub struct Event {
    /// What.
    pub name: &'static str,
    /// When.
    #[serde(rename = "timeUnixNano", serialize_with = "nanoseconds")]
    pub at: SystemTime,
}

/// Names with values; what has no value is left out.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Attributes(Vec<Attribute>);

#[derive(Debug, Serialize)]
struct Attribute {
    key: &'static str,
    value: Value,
}

/// The value of an attribute.
#[derive(Debug, Serialize)]
pub enum Value {
    /// Text.
    #[serde(rename = "stringValue")]
    Text(String),
    /// A whole number.
    #[serde(rename = "intValue", serialize_with = "text")]
    Whole(u64),
    /// Any number.
    #[serde(rename = "doubleValue")]
    Real(f64),
    /// True or false.
    #[serde(rename = "boolValue")]
    Truth(bool),
}

/// What one request to a collector carries.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Export<'a> {
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

impl<'a> Export<'a> {
    /// These spans of the process that `resource` tells of.
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

impl Attributes {
    /// Adds a value, if there is one.
    pub fn add(&mut self, key: &'static str, value: Option<impl Into<Value>>) {
        let value = value.map(Into::into);
        self.0.extend(value.map(|value| Attribute { key, value }));
    }
}

impl Status {
    /// An error, or nothing to say.
    #[must_use]
    pub fn failed(failed: bool) -> Self {
        let code = if failed { 2 } else { 0 };
        Self { code }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Truth(truth)
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn kind<S: Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
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
