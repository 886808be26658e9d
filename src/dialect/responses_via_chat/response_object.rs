//! The response itself, which a stream has in its first and its last events.

use serde::Serialize;

use super::echo::RequestEcho;
use super::event::EventWriter;
use super::item::ResponseTokens;
use crate::dialect::ResponseContext;
use crate::dialect::field::write_json;

#[derive(Debug)]
pub(super) struct ResponseObject {
    /// Never the upstream's, which may repeat it.
    pub(super) id: String,
    created_at: u64,
    model: String,
    /// See [`RequestEcho::members`].
    echoed: String,
    /// The finished items, separated by commas.
    pub(super) output: Vec<u8>,
}

/// How far the response is.
pub(super) struct ResponseProgress<'a> {
    pub(super) status: ResponseStatus,
    pub(super) error: Option<ResponseFailure<'a>>,
    pub(super) usage: Option<ResponseTokens>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResponseStatus {
    InProgress,
    Completed,
    Incomplete(IncompleteReason),
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum IncompleteReason {
    MaxOutputTokens,
    ContentFilter,
}

#[derive(Clone, Copy, Serialize)]
pub(super) struct ResponseFailure<'a> {
    pub(super) code: &'a str,
    pub(super) message: &'a str,
}

#[derive(Serialize)]
struct OwnMembers<'a> {
    id: &'a str,
    object: &'static str,
    created_at: u64,
    status: &'static str,
    error: Option<ResponseFailure<'a>>,
    incomplete_details: Option<IncompleteDetails>,
    model: &'a str,
}

#[derive(Serialize)]
struct IncompleteDetails {
    reason: IncompleteReason,
}

impl ResponseObject {
    pub(super) fn new(context: &ResponseContext<'_>) -> Self {
        let echoed = context.echo.map(|echo: &RequestEcho| echo.members.clone());
        Self {
            id: context.fallback_id.to_owned(),
            created_at: context.created,
            model: context.model.to_owned(),
            echoed: echoed.unwrap_or_default(),
            output: Vec::new(),
        }
    }

    /// Of a stream that is not translated.
    pub(super) fn unknown() -> Self {
        Self {
            id: "resp_unknown".to_owned(),
            created_at: 0,
            model: String::new(),
            echoed: String::new(),
            output: Vec::new(),
        }
    }

    pub(super) fn write_event(
        &self,
        kind: &str,
        progress: &ResponseProgress<'_>,
        events: &mut EventWriter,
        out: &mut Vec<u8>,
    ) {
        events.write(kind, out, |out| {
            out.extend_from_slice(b",\"response\":");
            self.write(progress, out);
            out.push(b'}');
        });
    }

    pub(super) fn write(&self, progress: &ResponseProgress<'_>, out: &mut Vec<u8>) {
        let incomplete_details = match progress.status {
            ResponseStatus::Incomplete(reason) => Some(IncompleteDetails { reason }),
            _ => None,
        };
        let own = OwnMembers {
            id: &self.id,
            object: "response",
            created_at: self.created_at,
            status: progress.status.name(),
            error: progress.error,
            incomplete_details,
            model: &self.model,
        };
        write_json(&own, out);
        // The other members come before the closing bracket.
        out.pop();
        out.push(b',');
        out.extend_from_slice(self.echoed.as_bytes());
        out.extend_from_slice(b"\"output\":[");
        out.extend_from_slice(&self.output);
        out.extend_from_slice(b"],\"usage\":");
        write_json(&progress.usage, out);
        out.push(b'}');
    }
}

impl ResponseStatus {
    fn name(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed => "failed",
        }
    }
}
