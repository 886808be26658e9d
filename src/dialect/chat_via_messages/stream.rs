//! Translates a stream of Messages events into chat completion chunks.

use serde::Deserialize;

use super::open_blocks::{InvalidBlocks, OpenBlocks};
use super::upstream::{self, UpstreamBlock, UpstreamDelta, UpstreamMessage};
use crate::dialect::chat::{ChatDelta, ChatUsage, ChunkWriter};
use crate::dialect::lenient;
use crate::dialect::text::{self, Text};
use crate::dialect::{ResponseContext, StreamStatus};
use crate::wire::usage::UsageReport;

#[derive(Debug)]
pub struct StreamToChat {
    writer: ChunkWriter,
    blocks: OpenBlocks,
    started: bool,
    stop: Option<Stop>,
    usage: UsageReport,
}

/// Why the message ends.
#[derive(Debug)]
struct Stop {
    finish_reason: &'static str,
    explanation: Option<Text<'static>>,
}

#[derive(Deserialize)]
struct EventType<'a> {
    #[serde(rename = "type", borrow, default, deserialize_with = "text::lenient")]
    kind: Option<Text<'a>>,
}

/// An event of any known type.
#[derive(Deserialize)]
struct UpstreamEvent<'a> {
    #[serde(default, deserialize_with = "lenient::number")]
    index: Option<u64>,
    #[serde(borrow, default, deserialize_with = "lenient::object")]
    message: Option<UpstreamMessage<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient::object")]
    content_block: Option<UpstreamBlock<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient::object")]
    delta: Option<UpstreamDelta<'a>>,
    #[serde(default)]
    usage: UsageReport,
}

// === impl StreamToChat ===

impl StreamToChat {
    pub fn new(context: &ResponseContext<'_>) -> Self {
        Self {
            writer: ChunkWriter::new(context),
            blocks: OpenBlocks::new(context.fallback_id),
            started: false,
            stop: None,
            usage: UsageReport::default(),
        }
    }

    /// The type and data of one event, which reports no failure.
    pub fn on_data(
        &mut self,
        event_type: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> StreamStatus {
        // Not Anthropic's; the end is `message_stop`.
        if data == b"[DONE]" {
            return StreamStatus::Open;
        }
        let Ok(typed) = serde_json::from_slice::<EventType<'_>>(data) else {
            return StreamStatus::Broken;
        };
        let kind = typed.kind.as_ref().map(Text::escaped);
        let kind = kind.filter(|kind| !kind.is_empty()).map(str::as_bytes);
        let handled = match kind.or(event_type) {
            Some(b"message_stop") => return self.finish(out),
            Some(
                kind @ (b"message_start"
                | b"content_block_start"
                | b"content_block_delta"
                | b"content_block_stop"
                | b"message_delta"),
            ) => match serde_json::from_slice(data) {
                Ok(event) => self.dispatch(kind, event, out),
                Err(_) => Err(InvalidBlocks),
            },
            // `ping`, and unknown types.
            Some(_) => Ok(()),
            None => Err(InvalidBlocks),
        };
        handled.map_or(StreamStatus::Broken, |()| StreamStatus::Open)
    }

    fn dispatch(
        &mut self,
        kind: &[u8],
        event: UpstreamEvent<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), InvalidBlocks> {
        if kind == b"message_start" {
            self.on_message_start(event.message, out);
            return Ok(());
        }
        if !self.started {
            return Err(InvalidBlocks);
        }
        let (index, writer) = (event.index, &self.writer);
        match kind {
            b"content_block_start" => {
                let block = event.content_block.ok_or(InvalidBlocks)?;
                self.blocks.start(index, block, writer, out)
            }
            b"content_block_delta" => {
                let delta = event.delta.unwrap_or_default();
                self.blocks.on_delta(index, delta, writer, out)
            }
            b"content_block_stop" => self.blocks.stop(index, writer, out),
            _ => {
                self.usage = self.usage.merged_with(event.usage);
                self.on_message_delta(event.delta.unwrap_or_default());
                Ok(())
            }
        }
    }

    fn on_message_start(&mut self, message: Option<UpstreamMessage<'_>>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        if let Some(message) = message {
            self.usage = message.usage;
            let id = message.id.as_ref().and_then(Text::decode);
            if let Some(id) = id.filter(|id| !id.is_empty()) {
                self.writer.set_id(&id);
            }
        }
        let delta = ChatDelta {
            role: Some("assistant"),
            content: Some(Text::encode("")),
            ..ChatDelta::default()
        };
        self.writer.write_delta(delta, out);
    }

    fn on_message_delta(&mut self, delta: UpstreamDelta<'_>) {
        let reason = delta.stop_reason.filter(|reason| !reason.is_empty());
        let (None, Some(reason)) = (&self.stop, reason) else {
            return;
        };
        let details = delta.stop_details.unwrap_or_default();
        let explanation = details.explanation.filter(|text| !text.is_empty());
        self.stop = Some(Stop {
            finish_reason: upstream::finish_reason(&reason, false),
            explanation: explanation.and_then(|text| Text::concat(&[text.escaped()])),
        });
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> StreamStatus {
        let Some(Stop {
            mut finish_reason,
            explanation,
        }) = self.stop.take()
        else {
            return StreamStatus::Broken;
        };
        let may_be_cut = matches!(finish_reason, "length" | "content_filter");
        if self.blocks.finish(may_be_cut, &self.writer, out).is_err() {
            return StreamStatus::Broken;
        }
        if finish_reason == "stop" && self.blocks.has_tool_calls() {
            finish_reason = "tool_calls";
        }
        if explanation.is_some() {
            let delta = ChatDelta {
                refusal: explanation,
                ..ChatDelta::default()
            };
            self.writer.write_delta(delta, out);
        }
        let usage = ChatUsage::from_report(&self.usage);
        self.writer.finish(finish_reason, usage, out);
        StreamStatus::Complete
    }
}
