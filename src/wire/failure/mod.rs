//! What a body or an event says about a failure, in any shape that providers use.
//!
//! An empty value stands for none: some upstreams write `"error": ""`, `{}` or
//! `false` into each chunk of a good stream.

mod blame;
mod body;
mod forbidden;
mod missing_call;
#[cfg(test)]
mod tests;
mod words;

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::json_key::{KeyFinder, is_empty};
use super::sse::{EventSplitter, SseEvent};
pub use blame::Blame;
use body::FailureReport;
pub use missing_call::MissingCall;

/// What a body or event says about a failure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportedFailure {
    pub message: Option<String>,
    /// The error type.
    pub kind: Option<String>,
    /// An error code that is no status.
    pub code: Option<String>,
    /// A numeric code from 400 to 599.
    pub status: Option<u16>,
}

struct Finders {
    /// In each report beside a result, except those with [`Finders::failed`].
    error: Finder<'static>,
    failed: Finder<'static>,
    finish_reason: KeyFinder,
    /// Lists that are results.
    results: [KeyFinder; 4],
}

static FINDERS: LazyLock<Finders> = LazyLock::new(|| Finders {
    error: Finder::new("\"error"),
    failed: Finder::new("failed\""),
    finish_reason: KeyFinder::new("\"finish_reason\""),
    results: ["\"choices\"", "\"content\"", "\"output\"", "\"data\""].map(KeyFinder::new),
});

/// False if the data reports no error beside a result: a byte search. `"error": null`
/// is in each response of the Responses API.
pub(super) fn may_report_error(data: &[u8]) -> bool {
    let finder = &FINDERS.error;
    // Most data has none, and a single search is cheaper to set up.
    let Some(first) = finder.find(data) else {
        return false;
    };
    let data = data.get(first..).unwrap_or_default();
    let found = finder.find_iter(data);
    found
        .filter_map(|at| data.get(at + finder.needle().len()..))
        .any(|rest| {
            let member = rest.strip_prefix(b"\"").map(<[u8]>::trim_ascii_start);
            let value = member.and_then(|member| member.strip_prefix(b":"));
            value.is_none_or(|value| !is_empty(value.trim_ascii_start()))
        })
}

/// False if the data is a result and nothing in it failed: a byte search.
pub(super) fn is_suspect(data: &[u8]) -> bool {
    let has_result = |key: &KeyFinder| key.values(data).any(is_filled_array);
    may_report_error(data)
        || FINDERS.failed.find(data).is_some()
        || has_failed_finish(data)
        || !FINDERS.results.iter().any(has_result)
}

/// True for a `finish_reason` of a choice that failed: of `OpenRouter`, vLLM and `SGLang`,
/// Z.ai, `DeepSeek`.
pub fn is_failed_finish(reason: &str) -> bool {
    matches!(
        reason,
        "error" | "abort" | "network_error" | "insufficient_system_resource"
    )
}

/// A byte search.
pub(super) fn has_failed_finish(data: &[u8]) -> bool {
    FINDERS.finish_reason.values(data).any(|value| {
        let text = value.strip_prefix(b"\"").unwrap_or_default();
        let end = text.iter().position(|byte| *byte == b'"');
        let reason = end.and_then(|end| std::str::from_utf8(text.get(..end)?).ok());
        reason.is_some_and(is_failed_finish)
    })
}

fn is_filled_array(value: &[u8]) -> bool {
    value.starts_with(b"[") && !is_empty(value)
}

/// The data of the first event, where a body is an event stream.
fn first_event(body: &[u8]) -> Cow<'_, [u8]> {
    let mut splitter = EventSplitter::default();
    let start = splitter.start_chunk(body);
    let events = body.get(start..).unwrap_or_default();
    let end = splitter.next_event_end(events);
    let len = end.map_or(events.len(), |end| end.content);
    SseEvent::parse(events.get(..len).unwrap_or_default()).data
}

// === impl ReportedFailure ===

impl ReportedFailure {
    /// For data under a good status (a body, or the data of an event): `None` unless
    /// it says that it failed. Data that is not a JSON object says nothing.
    #[must_use]
    pub fn find(data: &[u8]) -> Option<Self> {
        let body = FailureReport::parse(data)?;
        body.says_failed().then(|| body.words())
    }

    /// For the data of an event, of this type, in a stream. Words alone count in the
    /// first one only, such as `{"detail": "…"}`.
    #[must_use]
    pub fn find_in_event(event_type: Option<&[u8]>, data: &[u8], is_first: bool) -> Option<Self> {
        if event_type == Some(b"error") {
            return Some(Self::read(data));
        }
        let is_suspect = may_report_error(data) || is_first && is_suspect(data);
        if is_suspect { Self::find(data) } else { None }
    }

    /// For a body whose status says already that it failed: its words, wherever they
    /// stand.
    #[must_use]
    pub fn read(body: &[u8]) -> Self {
        let parsed =
            FailureReport::parse(body).or_else(|| FailureReport::parse(&first_event(body)));
        parsed.map(|body| body.words()).unwrap_or_default()
    }

    /// Takes from `other` what is missing.
    fn or(self, other: Self) -> Self {
        Self {
            message: self.message.or(other.message),
            kind: self.kind.or(other.kind),
            code: self.code.or(other.code),
            status: self.status.or(other.status),
        }
    }
}
