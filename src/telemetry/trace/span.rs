//! Spans in the JSON encoding of OTLP (OTLP specification, "JSON Protobuf
//! Encoding": ids in hexadecimal).

use std::time::SystemTime;

use serde::{Serialize, Serializer};

use super::context::{SpanId, TraceId};
use crate::telemetry::otlp::{Attributes, Resource, Scope, time};

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
    #[serde(rename = "startTimeUnixNano", serialize_with = "time")]
    pub start: SystemTime,
    #[serde(rename = "endTimeUnixNano", serialize_with = "time")]
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
    #[serde(rename = "timeUnixNano", serialize_with = "time")]
    pub at: SystemTime,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExportRequest<'a> {
    resource_spans: [ResourceSpans<'a>; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: &'a Resource,
    scope_spans: [ScopeSpans<'a>; 1],
}

#[derive(Debug, Serialize)]
struct ScopeSpans<'a> {
    scope: Scope,
    spans: &'a [Span],
}

// === impl ExportRequest ===

impl<'a> ExportRequest<'a> {
    pub(super) fn new(resource: &'a Resource, spans: &'a [Span]) -> Self {
        let scope = Scope::TRUNKLINE;
        Self {
            resource_spans: [ResourceSpans {
                resource,
                scope_spans: [ScopeSpans { scope, spans }],
            }],
        }
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

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn kind<S: Serializer>(kind: &SpanKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(*kind as u8)
}
