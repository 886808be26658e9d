//! What the events of a stream say, found by byte search.

use std::borrow::Cow;
use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::FinishRule;
use crate::wire::json_key::Key;
use crate::wire::sse::Event;
use crate::wire::usage::{Usage, find_usage};

/// Everything that was learned so far.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// A `finish_reason` was given.
    pub(super) finished: bool,
    /// The protocol's last event came.
    pub(super) done: bool,
    /// An error was reported.
    pub(super) error: bool,
    pub(super) usage: Option<Usage>,
    pub(super) events: u64,
}

/// The parts of an event that can hold an error.
#[derive(Deserialize)]
struct Envelope {
    error: Option<IgnoredAny>,
    x_groq: Option<Groq>,
}

#[derive(Deserialize)]
struct Groq {
    error: Option<IgnoredAny>,
}

/// The type of an event of the Responses API or of Messages, within its data.
#[derive(Deserialize)]
struct Typed<'e> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'e, str>,
}

struct Keys {
    choices: Key,
    error: Key,
    finish_reason: Key,
    kind: Key,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys {
    choices: Key::new("\"choices\""),
    error: Key::new("\"error\""),
    finish_reason: Key::new("\"finish_reason\""),
    kind: Key::new("\"type\""),
});

impl Facts {
    /// Learns from a complete event. Says whether it is nothing but the usage
    /// report that `include_usage` asks for.
    pub(super) fn inspect(&mut self, rule: FinishRule, content: &[u8]) -> bool {
        let event = Event::read(content);
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return false;
        }
        self.events += 1;
        if data == b"[DONE]" {
            self.done = true;
            return false;
        }
        match rule {
            FinishRule::Responses => self.note_kind(kind_of(event.kind, data)),
            FinishRule::Messages => {
                self.note_message(event.kind, data);
                return false;
            }
            _ => self.finished |= KEYS.finish_reason.is_set(data),
        }
        self.error |= KEYS.error.is_set(data) && reports_error(data);
        let Some(usage) = find_usage(data) else {
            return false;
        };
        self.usage = Some(usage);
        KEYS.choices.values(data).any(is_empty_array)
    }

    /// Learns from an event without its empty line, at the end of the body. It
    /// counts if it is whole.
    pub(super) fn inspect_last(&mut self, rule: FinishRule, content: &[u8]) -> bool {
        let event = Event::read(content);
        let data = event.data.trim_ascii();
        let whole = data == b"[DONE]" || serde_json::from_slice::<IgnoredAny>(data).is_ok();
        whole && self.inspect(rule, content)
    }

    /// An event of Anthropic's: `message_start` counts what went in,
    /// `message_delta` what came out so far.
    fn note_message(&mut self, field: Option<&[u8]>, data: &[u8]) {
        // The type is in the data as well, where an upstream leaves the field out.
        let read = || serde_json::from_slice::<Typed<'_>>(data).ok();
        let typed = if field.is_none() { read() } else { None };
        match field.or_else(|| Some(typed.as_ref()?.kind.as_bytes())) {
            Some(b"message_start" | b"message_delta") => {
                if let Some(usage) = find_usage(data) {
                    self.usage = Some(self.usage.unwrap_or_default().updated(usage));
                }
            }
            Some(b"message_stop") => self.done = true,
            Some(b"error") => {
                self.done = true;
                self.error = true;
            }
            _ => {}
        }
    }

    fn note_kind(&mut self, kind: Option<&[u8]>) {
        let (done, error) = match kind {
            Some(b"response.completed" | b"response.incomplete") => (true, false),
            Some(b"response.failed" | b"error") => (true, true),
            _ => return,
        };
        self.done |= done;
        self.error |= error;
    }
}

/// The type of an event of the Responses API: its `event` field, or the `type`
/// in its data where an upstream leaves the field out.
fn kind_of<'e>(field: Option<&'e [u8]>, data: &'e [u8]) -> Option<&'e [u8]> {
    if field.is_some() {
        return field;
    }
    let terminal = KEYS.kind.values(data).find_map(terminal_kind)?;
    // Within the answer, a `type` may have any value. In a long event, whose
    // middle is missing, the search alone has to do.
    match serde_json::from_slice::<Typed<'_>>(data) {
        Ok(typed) if typed.kind.as_bytes() != terminal => None,
        _ => Some(terminal),
    }
}

fn terminal_kind(value: &[u8]) -> Option<&'static [u8]> {
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

/// The search has found an `error` somewhere; only one at the top counts, or
/// Groq's. What is no JSON object at all cannot be judged, and does not count.
fn reports_error(data: &[u8]) -> bool {
    serde_json::from_slice::<Envelope>(data).is_ok_and(|envelope| {
        envelope.error.is_some() || envelope.x_groq.is_some_and(|groq| groq.error.is_some())
    })
}

fn is_empty_array(value: &[u8]) -> bool {
    value
        .strip_prefix(b"[")
        .is_some_and(|inside| inside.trim_ascii_start().starts_with(b"]"))
}
