//! Translates Responses events into chat completion chunks.
//!
//! Text is sent once: from its deltas, or else from the first event that has the whole of
//! it, since some upstreams leave out the deltas.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::keyed_items::ItemKey;
use super::open_items::{InvalidItems, OpenItems};
use super::open_reasoning::{ReasoningSource, ReasoningText};
use super::upstream::{
    self, Annotation, ItemKind, Outcome, ReceivedResponse, UpstreamItem, UpstreamPart,
};
use crate::dialect::chat::{ChatDelta, ChatUsage, ChunkWriter};
use crate::dialect::error::failure_event;
use crate::dialect::lenient;
use crate::dialect::text::{self, Text};
use crate::dialect::{Dialect, ResponseContext, StreamStatus};
use crate::wire::failure::ReportedFailure;

#[derive(Debug)]
pub struct ResponsesToChat {
    writer: ChunkWriter,
    items: OpenItems,
    started: bool,
}

/// An event of any type.
#[derive(Deserialize)]
struct UpstreamEvent<'a> {
    #[serde(rename = "type", borrow, default, deserialize_with = "text::lenient")]
    kind: Option<Text<'a>>,
    #[serde(default, deserialize_with = "lenient::number")]
    output_index: Option<u64>,
    #[serde(default, deserialize_with = "lenient::number")]
    content_index: Option<u64>,
    #[serde(default, deserialize_with = "lenient::number")]
    summary_index: Option<u64>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    item_id: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient::object")]
    item: Option<UpstreamItem<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient::object")]
    response: Option<ReceivedResponse<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    delta: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    text: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    refusal: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    arguments: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    input: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient::object")]
    annotation: Option<Annotation<'a>>,
    #[serde(borrow, default, deserialize_with = "upstream::raw_list")]
    logprobs: Vec<&'a RawValue>,
}

// === impl UpstreamEvent ===

impl<'a> UpstreamEvent<'a> {
    fn key(&self) -> ItemKey<'a> {
        let id = self.item.as_ref().and_then(|item| item.id.clone());
        ItemKey::new(self.output_index, id.or(self.item_id.clone()))
    }
}

// === impl ResponsesToChat ===

impl ResponsesToChat {
    pub fn new(context: &ResponseContext<'_>) -> Self {
        Self {
            writer: ChunkWriter::new(context),
            items: OpenItems::new(context.fallback_id),
            started: false,
        }
    }

    /// The type and data of one event, which reports no error.
    pub fn on_data(
        &mut self,
        event_type: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> StreamStatus {
        // Not OpenAI's; the end is `response.completed`.
        if data == b"[DONE]" {
            return StreamStatus::Open;
        }
        let Ok(mut event) = serde_json::from_slice::<UpstreamEvent<'_>>(data) else {
            return StreamStatus::Broken;
        };
        let kind = event.kind.take();
        let kind = kind.as_ref().map(Text::escaped);
        let kind = kind.filter(|kind| !kind.is_empty()).map(str::as_bytes);
        let Some(kind) = kind.or(event_type) else {
            return StreamStatus::Broken;
        };
        let handled = match kind {
            b"response.completed" | b"response.incomplete" => {
                let is_incomplete = kind == b"response.incomplete";
                return match self.finish(event.response, is_incomplete, out) {
                    Ok(()) => StreamStatus::Complete,
                    Err(InvalidItems) => StreamStatus::Broken,
                };
            }
            b"response.failed" => {
                let failure = ReportedFailure::find(data).unwrap_or_default();
                out.extend_from_slice(&failure_event(Dialect::Chat, &failure));
                return StreamStatus::Failed;
            }
            b"response.created" | b"response.in_progress" | b"response.queued" => {
                self.start(event.response.as_ref(), out);
                Ok(())
            }
            _ => self.on_item_event(kind, event, out),
        };
        handled.map_or(StreamStatus::Broken, |()| StreamStatus::Open)
    }

    fn on_item_event(
        &mut self,
        kind: &[u8],
        event: UpstreamEvent<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        // Other types, and unknown ones, have no counterpart.
        let handle = match kind {
            b"response.output_item.added" | b"response.output_item.done" => Self::on_item,
            b"response.output_text.delta"
            | b"response.output_text.done"
            | b"response.refusal.delta"
            | b"response.refusal.done"
            | b"response.output_text.annotation.added" => Self::on_text,
            b"response.reasoning_summary_text.delta"
            | b"response.reasoning_summary_text.done"
            | b"response.reasoning_text.delta"
            | b"response.reasoning_text.done" => Self::on_reasoning,
            b"response.function_call_arguments.delta"
            | b"response.function_call_arguments.done"
            | b"response.custom_tool_call_input.delta"
            | b"response.custom_tool_call_input.done" => Self::on_arguments,
            _ => return Ok(()),
        };
        self.start(None, out);
        handle(self, kind, event, out)
    }

    fn on_item(
        &mut self,
        kind: &[u8],
        event: UpstreamEvent<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        let key = event.key();
        let Some(item) = event.item else {
            return Ok(());
        };
        if kind.ends_with(b".done") {
            return self.items.on_item(&key, &item, &self.writer, out);
        }
        match item.kind() {
            ItemKind::Call(call) => self.items.calls.on_start(&key, &call, &self.writer, out),
            _ => Ok(()),
        }
    }

    fn on_text(
        &mut self,
        kind: &[u8],
        event: UpstreamEvent<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        let (key, index) = (event.key(), event.content_index);
        let (messages, writer) = (&mut self.items.messages, &self.writer);
        let part = match kind {
            b"response.output_text.delta" => UpstreamPart::of_text(event.delta, event.logprobs),
            b"response.output_text.done" => UpstreamPart::of_text(event.text, event.logprobs),
            b"response.refusal.delta" => UpstreamPart::of_refusal(event.delta),
            b"response.refusal.done" => UpstreamPart::of_refusal(event.refusal),
            _ => {
                return match &event.annotation {
                    Some(annotation) => {
                        messages.on_annotation(&key, index, annotation, writer, out)
                    }
                    None => Ok(()),
                };
            }
        };
        if kind.ends_with(b".done") {
            return messages.on_part(&key, index, part, writer, out);
        }
        messages.on_delta(&key, index, part, writer, out)
    }

    fn on_reasoning(
        &mut self,
        kind: &[u8],
        event: UpstreamEvent<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        let key = event.key();
        let is_delta = kind.ends_with(b".delta");
        let text = if is_delta { event.delta } else { event.text };
        let is_summary = kind.starts_with(b"response.reasoning_summary");
        let (source, index) = if is_summary {
            (ReasoningSource::Summary, event.summary_index)
        } else {
            (ReasoningSource::Content, event.content_index)
        };
        let Some(text) = text else {
            return Ok(());
        };
        let reasoning = ReasoningText {
            source,
            index,
            text,
            is_delta,
        };
        self.items
            .reasoning
            .on_text(&key, reasoning, &self.writer, out)
    }

    fn on_arguments(
        &mut self,
        kind: &[u8],
        event: UpstreamEvent<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        let key = event.key();
        let (calls, writer) = (&mut self.items.calls, &self.writer);
        if kind.ends_with(b".delta") {
            return match event.delta.filter(|delta| !delta.is_empty()) {
                Some(delta) => calls.on_delta(&key, delta, writer, out),
                None => Ok(()),
            };
        }
        match event.arguments.or(event.input) {
            Some(text) => calls.on_text(&key, &text, writer, out),
            None => Ok(()),
        }
    }

    fn start(&mut self, response: Option<&ReceivedResponse<'_>>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let id = response.and_then(|response| response.id.as_ref());
        if let Some(id) = id.and_then(Text::decode).filter(|id| !id.is_empty()) {
            self.writer.set_id(&id);
        }
        let delta = ChatDelta {
            role: Some("assistant"),
            content: Some(Text::encode("")),
            ..ChatDelta::default()
        };
        self.writer.write_delta(delta, out);
    }

    fn finish(
        &mut self,
        response: Option<ReceivedResponse<'_>>,
        is_incomplete: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidItems> {
        self.start(response.as_ref(), out);
        let outcome = match &response {
            Some(response) if is_incomplete => response.incomplete(),
            Some(response) => response.outcome(),
            None if is_incomplete => Outcome::Incomplete("length"),
            None => Outcome::Complete,
        };
        let (output, usage, tier) = response.map_or_else(Default::default, |response| {
            (response.output, response.usage, response.service_tier)
        });
        let items = output.unwrap_or_default();
        self.items.on_output(&items, &self.writer, out)?;
        let may_be_cut = matches!(outcome, Outcome::Incomplete(_));
        self.items.calls.finish(may_be_cut, &self.writer, out)?;
        if let Some(tier) = tier.as_ref().and_then(Text::decode) {
            self.writer.set_service_tier(&tier);
        }
        let reason = outcome.finish_reason(!self.items.calls.is_empty());
        let usage = ChatUsage::from_report(&usage);
        self.writer.finish(reason, usage, out);
        Ok(())
    }
}
