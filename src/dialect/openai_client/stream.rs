//! Translates a stream of Messages events into chat completion chunks.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::chunk::{
    ChatChunk, ChatChunkChoice, ChatDelta, ChatFunctionDelta, ChatToolCallDelta, ChunkUsage,
};
use super::upstream::{
    self, ThinkingBlock, UpstreamBlock, UpstreamMessage, UpstreamStopDetails, UpstreamUsage,
};
use crate::dialect::error::UpstreamError;
use crate::dialect::field::write_json;
use crate::dialect::text::{self, Text};
use crate::dialect::{ResponseContext, StreamStatus};
use crate::wire::sse::SseEvent;

#[derive(Debug)]
pub struct StreamToChat {
    id: String,
    model: String,
    created: u64,
    include_usage: bool,
    started: bool,
    finished: bool,
    usage: UpstreamUsage,
    open_block: OpenUpstreamBlock,
    tool_call_count: usize,
    thinking_block_count: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OpenUpstreamBlock {
    Other,
    /// With its index among the thinking blocks.
    Thinking(usize),
    /// With its index among the tool calls.
    ToolCall(usize, Arguments),
}

/// Which arguments of the tool call have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arguments {
    Missing,
    Streamed,
    /// All of them, at the start of the block: deltas would duplicate them.
    Complete,
}

#[derive(Deserialize)]
struct EventType<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

/// An event of any known type.
#[derive(Deserialize)]
struct UpstreamEvent<'a> {
    #[serde(borrow)]
    message: Option<UpstreamMessage<'a>>,
    #[serde(borrow)]
    content_block: Option<UpstreamBlock<'a>>,
    #[serde(borrow)]
    delta: Option<UpstreamDelta<'a>>,
    usage: Option<UpstreamUsage>,
}

#[derive(Deserialize)]
struct UpstreamDelta<'a> {
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    text: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    thinking: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    signature: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    partial_json: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    stop_reason: Option<Text<'a>>,
    #[serde(borrow)]
    stop_details: Option<UpstreamStopDetails<'a>>,
}

// === impl StreamToChat ===

impl StreamToChat {
    pub fn new(context: &ResponseContext<'_>) -> Self {
        Self {
            id: context.fallback_id.to_owned(),
            model: context.model.to_owned(),
            created: context.created,
            include_usage: context.include_usage,
            started: false,
            finished: false,
            usage: UpstreamUsage::default(),
            open_block: OpenUpstreamBlock::Other,
            tool_call_count: 0,
            thinking_block_count: 0,
        }
    }

    /// `content` is the lines of one event.
    pub fn on_event(&mut self, content: &[u8], out: &mut Vec<u8>) -> StreamStatus {
        let event = SseEvent::parse(content);
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return StreamStatus::Open;
        }
        let Ok(event_type) = serde_json::from_slice::<EventType<'_>>(data) else {
            return StreamStatus::Broken;
        };
        match &*event_type.kind {
            "error" => {
                out.extend_from_slice(&UpstreamError::parse(data).to_chat_event());
                StreamStatus::Failed
            }
            "message_stop" => self.finish(out),
            "message_start"
            | "content_block_start"
            | "content_block_delta"
            | "content_block_stop"
            | "message_delta" => {
                let event = serde_json::from_slice(data).ok();
                let handled = event.and_then(|event| self.dispatch(&event_type.kind, event, out));
                handled.map_or(StreamStatus::Broken, |()| StreamStatus::Open)
            }
            // `ping`, and unknown types.
            _ => StreamStatus::Open,
        }
    }

    /// `None` if the event violates the protocol.
    fn dispatch(&mut self, kind: &str, event: UpstreamEvent<'_>, out: &mut Vec<u8>) -> Option<()> {
        match kind {
            "message_start" if !self.started => self.on_message_start(event.message, out),
            _ if !self.started => return None,
            "content_block_start" => self.on_block_start(event.content_block?, out)?,
            "content_block_delta" => self.on_block_delta(event.delta?, out),
            "content_block_stop" => self.close_block(out),
            "message_delta" => self.on_message_delta(event.delta, event.usage, out),
            _ => {}
        }
        Some(())
    }

    fn on_message_start(&mut self, message: Option<UpstreamMessage<'_>>, out: &mut Vec<u8>) {
        self.started = true;
        if let Some(message) = message {
            self.usage = message.usage.unwrap_or_default();
            let id = message.id.as_ref().and_then(Text::decode);
            if let Some(id) = id.filter(|id| !id.is_empty()) {
                self.id = id.into_owned();
            }
        }
        let delta = ChatDelta {
            role: Some("assistant"),
            content: Some(Text::encode("")),
            ..ChatDelta::default()
        };
        self.write_delta(delta, None, out);
    }

    /// `None` if a required member is missing.
    fn on_block_start(&mut self, block: UpstreamBlock<'_>, out: &mut Vec<u8>) -> Option<()> {
        self.close_block(out);
        match &*block.kind {
            "text" => self.write_text(block.text, out),
            "thinking" => {
                self.open_block = OpenUpstreamBlock::Thinking(self.thinking_block_count);
                self.thinking_block_count += 1;
                self.write_thinking(block.thinking, block.signature, out);
            }
            "redacted_thinking" => {
                let index = Some(self.thinking_block_count);
                self.thinking_block_count += 1;
                let delta = ChatDelta {
                    thinking_blocks: Some([ThinkingBlock::redacted(index, block.data)]),
                    ..ChatDelta::default()
                };
                self.write_delta(delta, None, out);
            }
            "tool_use" => {
                let (id, name) = (block.id?, block.name?);
                let index = self.tool_call_count;
                self.tool_call_count += 1;
                let input = block.input.map(RawValue::get);
                let input = input.filter(|input| input.len() > 2);
                let arguments = input.map_or(Arguments::Missing, |_| Arguments::Complete);
                self.open_block = OpenUpstreamBlock::ToolCall(index, arguments);
                let call = ChatToolCallDelta {
                    index,
                    id: Some(id),
                    kind: Some("function"),
                    function: ChatFunctionDelta {
                        name: Some(name),
                        arguments: Text::encode(input.unwrap_or_default()),
                    },
                };
                self.write_tool_call(call, out);
            }
            _ => {}
        }
        Some(())
    }

    fn on_block_delta(&mut self, delta: UpstreamDelta<'_>, out: &mut Vec<u8>) {
        match self.open_block {
            OpenUpstreamBlock::ToolCall(_, Arguments::Complete) => {}
            OpenUpstreamBlock::ToolCall(index, _) => {
                if let Some(json) = delta.partial_json.filter(|json| !json.is_empty()) {
                    self.open_block = OpenUpstreamBlock::ToolCall(index, Arguments::Streamed);
                    self.write_arguments(index, json, out);
                }
            }
            OpenUpstreamBlock::Thinking(_) => {
                self.write_thinking(delta.thinking, delta.signature, out);
            }
            OpenUpstreamBlock::Other => self.write_text(delta.text, out),
        }
    }

    fn close_block(&mut self, out: &mut Vec<u8>) {
        if let OpenUpstreamBlock::ToolCall(index, Arguments::Missing) =
            std::mem::replace(&mut self.open_block, OpenUpstreamBlock::Other)
        {
            // Clients parse the arguments as JSON, so they must not be empty.
            self.write_arguments(index, Text::encode("{}"), out);
        }
    }

    fn on_message_delta(
        &mut self,
        delta: Option<UpstreamDelta<'_>>,
        usage: Option<UpstreamUsage>,
        out: &mut Vec<u8>,
    ) {
        if let Some(usage) = usage {
            self.usage.update(usage);
        }
        let Some(reason) = delta.as_ref().and_then(|delta| delta.stop_reason.clone()) else {
            return;
        };
        if self.finished {
            return;
        }
        self.finished = true;
        self.close_block(out);
        let details = delta.and_then(|delta| delta.stop_details);
        if let Some(explanation) = details.and_then(|details| details.explanation) {
            let delta = ChatDelta {
                refusal: Some(explanation),
                ..ChatDelta::default()
            };
            self.write_delta(delta, None, out);
        }
        let reason = upstream::finish_reason(&reason);
        self.write_delta(ChatDelta::default(), Some(reason), out);
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> StreamStatus {
        if !self.finished {
            return StreamStatus::Broken;
        }
        if self.include_usage {
            self.write_chunk(&[], Some(ChunkUsage::Final(self.usage.to_chat())), out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
        StreamStatus::Complete
    }

    fn write_text(&self, text: Option<Text<'_>>, out: &mut Vec<u8>) {
        let Some(content) = text.filter(|text| !text.is_empty()) else {
            return;
        };
        let delta = ChatDelta {
            content: Some(content),
            ..ChatDelta::default()
        };
        self.write_delta(delta, None, out);
    }

    fn write_thinking(
        &self,
        thinking: Option<Text<'_>>,
        signature: Option<Text<'_>>,
        out: &mut Vec<u8>,
    ) {
        let OpenUpstreamBlock::Thinking(index) = self.open_block else {
            return;
        };
        let thinking = thinking.filter(|thinking| !thinking.is_empty());
        let signature = signature.filter(|signature| !signature.is_empty());
        if thinking.is_none() && signature.is_none() {
            return;
        }
        let delta = ChatDelta {
            reasoning_content: thinking.clone(),
            thinking_blocks: Some([ThinkingBlock::new(Some(index), thinking, signature)]),
            ..ChatDelta::default()
        };
        self.write_delta(delta, None, out);
    }

    fn write_arguments(&self, index: usize, arguments: Text<'_>, out: &mut Vec<u8>) {
        let function = ChatFunctionDelta {
            name: None,
            arguments,
        };
        let call = ChatToolCallDelta {
            index,
            id: None,
            kind: None,
            function,
        };
        self.write_tool_call(call, out);
    }

    fn write_tool_call(&self, call: ChatToolCallDelta<'_>, out: &mut Vec<u8>) {
        let delta = ChatDelta {
            tool_calls: Some([call]),
            ..ChatDelta::default()
        };
        self.write_delta(delta, None, out);
    }

    fn write_delta(
        &self,
        delta: ChatDelta<'_>,
        finish_reason: Option<&'static str>,
        out: &mut Vec<u8>,
    ) {
        let choice = ChatChunkChoice {
            index: 0,
            delta,
            logprobs: None,
            finish_reason,
        };
        self.write_chunk(
            &[choice],
            self.include_usage.then_some(ChunkUsage::Pending),
            out,
        );
    }

    fn write_chunk(
        &self,
        choices: &[ChatChunkChoice<'_>],
        usage: Option<ChunkUsage>,
        out: &mut Vec<u8>,
    ) {
        let chunk = ChatChunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            choices,
            usage,
        };
        out.extend_from_slice(b"data: ");
        write_json(&chunk, out);
        out.extend_from_slice(b"\n\n");
    }
}
