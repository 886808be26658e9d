//! What the events of a stream report, found by byte search.

use std::borrow::Cow;
use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::FinishRule;
use super::delta_size::DeltaSize;
use crate::wire::failure::{Blame, ReportedFailure, has_failed_finish};
use crate::wire::json_key::KeyFinder;
use crate::wire::sse::SseEvent;
use crate::wire::usage::{ServiceTier, UsageReport, names_hosted_tool};

#[derive(Debug, Default)]
pub(super) struct StreamState {
    /// A `finish_reason` arrived.
    pub(super) finished: bool,
    /// The protocol's last event arrived.
    pub(super) done: bool,
    /// An event reported an error; the first one counts.
    pub(super) error: Option<Blame>,
    pub(super) usage: Option<UsageReport>,
    /// The tier in the first event, for usage without one.
    first_tier: Option<ServiceTier>,
    /// The Responses API: the provider has used a tool of its own.
    hosted_tool: bool,
    pub(super) event_count: u64,
    pub(super) deltas: DeltaSize,
}

/// The type in the data of an event of the Responses API or of Messages.
#[derive(Deserialize)]
struct EventData<'e> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'e, str>,
}

struct KeyFinders {
    choices: KeyFinder,
    finish_reason: KeyFinder,
    kind: KeyFinder,
}

static KEYS: LazyLock<KeyFinders> = LazyLock::new(|| KeyFinders {
    choices: KeyFinder::new("\"choices\""),
    finish_reason: KeyFinder::new("\"finish_reason\""),
    kind: KeyFinder::new("\"type\""),
});

impl StreamState {
    /// Records a complete event. Returns true if it is only the usage report that
    /// `include_usage` requests.
    pub(super) fn record_event(&mut self, rule: FinishRule, content: &[u8]) -> bool {
        let event = SseEvent::parse(content);
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return false;
        }
        self.event_count += 1;
        self.deltas.add(data.len());
        let was_finished = self.finished;
        if data == b"[DONE]" {
            self.done = true;
            return false;
        }
        // The default type says nothing (WHATWG HTML, section 9.2.6).
        let event_type = event
            .event_type
            .filter(|kind| !kind.is_empty() && *kind != b"message");
        self.record_error(event_type, data);
        match rule {
            FinishRule::Responses => {
                self.record_responses_event(responses_event_type(event_type, data));
            }
            FinishRule::Messages => {
                self.record_messages_event(event_type, data);
                return false;
            }
            _ => {
                self.record_finish(data);
                if self.event_count == 1 {
                    self.first_tier = ServiceTier::find(data);
                }
            }
        }
        let Some(mut usage) = UsageReport::find(data) else {
            return false;
        };
        usage.set_default_tier(self.first_tier);
        if rule == FinishRule::Responses {
            // Of a long event, only the ends are known.
            usage.add_hidden_charges(self.hosted_tool, data.contains(&0));
        }
        self.usage = Some(
            self.usage
                .map_or(usage, |earlier| earlier.replaced_by(usage)),
        );
        KEYS.choices.values(data).any(is_empty_array) || was_finished && has_empty_choices(data)
    }

    /// Records an event without its empty line, at the end of the body. It counts
    /// if its data is complete.
    pub(super) fn record_last_event(&mut self, rule: FinishRule, content: &[u8]) -> bool {
        let event = SseEvent::parse(content);
        let data = event.data.trim_ascii();
        let is_complete = data == b"[DONE]" || serde_json::from_slice::<IgnoredAny>(data).is_ok();
        is_complete && self.record_event(rule, content)
    }

    fn record_error(&mut self, event_type: Option<&[u8]>, data: &[u8]) {
        let is_first = self.event_count == 1;
        if let Some(failure) = ReportedFailure::find_in_event(event_type, data, is_first) {
            self.error.get_or_insert(failure.blame());
        }
    }

    fn record_finish(&mut self, data: &[u8]) {
        if !KEYS.finish_reason.has_value(data) {
            return;
        }
        self.finished = true;
        if has_failed_finish(data) {
            self.error.get_or_insert(Blame::Upstream);
        }
    }

    /// The protocol's last event is an error.
    fn end_with_error(&mut self) {
        self.done = true;
        self.error.get_or_insert(Blame::Upstream);
    }

    /// Anthropic: `message_start` has the input tokens, `message_delta` the output
    /// tokens so far.
    fn record_messages_event(&mut self, field: Option<&[u8]>, data: &[u8]) {
        // Some upstreams omit the field; the data has the type as well.
        let parse = || serde_json::from_slice::<EventData<'_>>(data).ok();
        let typed = if field.is_none() { parse() } else { None };
        match field.or_else(|| Some(typed.as_ref()?.kind.as_bytes())) {
            Some(b"message_start" | b"message_delta") => {
                if let Some(usage) = UsageReport::find(data) {
                    self.usage = Some(self.usage.unwrap_or_default().merged_with(usage));
                }
            }
            Some(b"message_stop") => self.done = true,
            Some(b"error") => self.end_with_error(),
            _ => {}
        }
    }

    fn record_responses_event(&mut self, event_type: Option<&[u8]>) {
        match event_type {
            Some(b"response.completed" | b"response.incomplete") => self.done = true,
            Some(b"response.failed" | b"error") => self.end_with_error(),
            Some(other) => self.hosted_tool |= names_hosted_tool(other),
            None => {}
        }
    }
}

/// The type of an event of the Responses API: its `event` field, or the `type` in
/// its data where an upstream omits the field.
fn responses_event_type<'e>(field: Option<&'e [u8]>, data: &'e [u8]) -> Option<&'e [u8]> {
    if field.is_some() {
        return field;
    }
    let terminal = KEYS.kind.values(data).find_map(terminal_type)?;
    // A `type` within the response may have any value. A long event lacks its
    // middle and cannot be parsed; there the search must suffice.
    match serde_json::from_slice::<EventData<'_>>(data) {
        Ok(typed) if typed.kind.as_bytes() != terminal => None,
        _ => Some(terminal),
    }
}

fn terminal_type(value: &[u8]) -> Option<&'static [u8]> {
    const TERMINAL: [&[u8]; 4] = [
        b"response.completed",
        b"response.incomplete",
        b"response.failed",
        b"error",
    ];
    let rest = value.strip_prefix(b"\"")?;
    TERMINAL.into_iter().find(|kind| {
        rest.strip_prefix(*kind)
            .is_some_and(|rest| rest.starts_with(b"\""))
    })
}

/// Whether no choice says anything: the usage of `LiteLLM` comes with a choice whose
/// `delta` is empty.
fn has_empty_choices(data: &[u8]) -> bool {
    let event = serde_json::from_slice::<Value>(data).unwrap_or_default();
    let is_empty = |choice: &Value| {
        let is_absent = |name: &str| choice.get(name).is_none_or(is_blank);
        let says_nothing = match (choice.get("delta"), choice.get("text")) {
            (Some(Value::Object(delta)), None) => delta
                .iter()
                .all(|(name, value)| name == "role" || is_blank(value)),
            (None, Some(text)) => is_blank(text),
            _ => false,
        };
        says_nothing && is_absent("finish_reason") && is_absent("logprobs")
    };
    let choices = event.get("choices").and_then(Value::as_array);
    choices.is_some_and(|choices| choices.iter().all(is_empty))
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn is_empty_array(value: &[u8]) -> bool {
    value
        .strip_prefix(b"[")
        .is_some_and(|inside| inside.trim_ascii_start().starts_with(b"]"))
}
