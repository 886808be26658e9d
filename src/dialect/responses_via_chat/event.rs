//! Events of a streamed response.
//!
//! Source: `OpenAI`'s API reference, "Streaming events" of Responses.

use serde::Serialize;

use super::item::{OutputItem, OutputMessagePart, SummaryPart};
use crate::dialect::field::write_json;
use crate::dialect::text::Text;

/// Numbers the events.
#[derive(Debug, Default)]
pub(super) struct EventWriter {
    sequence_number: u64,
    /// No stream was requested.
    is_silent: bool,
}

/// Identifies an item in its events.
#[derive(Debug)]
pub(super) struct OutputItemKey {
    pub(super) id: String,
    pub(super) output_index: usize,
}

/// Takes the events of items, and the items at their end.
pub(super) struct ItemSink<'w> {
    pub(super) events: &'w mut EventWriter,
    /// Finished items, separated by commas.
    pub(super) output: &'w mut Vec<u8>,
    pub(super) out: &'w mut Vec<u8>,
}

/// What an event says of an item.
#[derive(Default, Serialize)]
pub(super) struct ItemEvent<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) item_id: Option<&'a str>,
    pub(super) output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) item: Option<&'a OutputItem<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) part: Option<EventPart<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delta: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) arguments: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) input: Option<Text<'a>>,
    /// Of text: `OpenAI`'s SDKs expect it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<[(); 0]>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum EventPart<'a> {
    Content(&'a OutputMessagePart<'a>),
    Summary(SummaryPart<'a>),
}

// === impl ItemEvent ===

impl<'a> ItemEvent<'a> {
    pub(super) fn of(key: &'a OutputItemKey) -> Self {
        Self {
            item_id: Some(&key.id),
            output_index: key.output_index,
            ..Self::default()
        }
    }
}

// === impl ItemSink ===

impl ItemSink<'_> {
    pub(super) fn write(&mut self, kind: &str, event: &ItemEvent<'_>) {
        self.events.write_members(kind, event, self.out);
    }

    pub(super) fn start(&mut self, key: &OutputItemKey, item: &OutputItem<'_>) {
        self.write_item("response.output_item.added", key, item);
    }

    pub(super) fn finish(&mut self, key: &OutputItemKey, item: &OutputItem<'_>) {
        self.write_item("response.output_item.done", key, item);
        if !self.output.is_empty() {
            self.output.push(b',');
        }
        write_json(item, self.output);
    }

    fn write_item(&mut self, kind: &str, key: &OutputItemKey, item: &OutputItem<'_>) {
        let event = ItemEvent {
            output_index: key.output_index,
            item: Some(item),
            ..ItemEvent::default()
        };
        self.write(kind, &event);
    }
}

// === impl EventWriter ===

impl EventWriter {
    /// Writes no events.
    pub(super) fn silent() -> Self {
        Self {
            is_silent: true,
            ..Self::default()
        }
    }

    pub(super) fn write_members(
        &mut self,
        kind: &str,
        members: &impl Serialize,
        out: &mut Vec<u8>,
    ) {
        self.write(kind, out, |out| {
            let start = out.len();
            write_json(members, out);
            // They follow those that are in all events.
            if let Some(bracket) = out.get_mut(start) {
                *bracket = b',';
            }
        });
    }

    /// `write_rest` appends further members, each behind a comma, and the bracket.
    pub(super) fn write(
        &mut self,
        kind: &str,
        out: &mut Vec<u8>,
        write_rest: impl FnOnce(&mut Vec<u8>),
    ) {
        if self.is_silent {
            return;
        }
        for part in ["event: ", kind, "\ndata: {\"type\":\"", kind] {
            out.extend_from_slice(part.as_bytes());
        }
        out.extend_from_slice(b"\",\"sequence_number\":");
        write_json(&self.sequence_number, out);
        self.sequence_number += 1;
        write_rest(out);
        out.extend_from_slice(b"\n\n");
    }
}
