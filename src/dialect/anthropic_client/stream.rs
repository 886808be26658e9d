//! Translates chat completion chunks into a stream of Messages events.
//!
//! Source: Anthropic's documentation, "Streaming messages". A message is a series
//! of blocks, one open at a time.

use serde::Serialize;

use super::upstream::{self, MessagesUsage, UpstreamChoice, UpstreamCompletion, UpstreamToolCall};
use crate::dialect::error::UpstreamError;
use crate::dialect::field::write_json;
use crate::dialect::text::Text;
use crate::dialect::{ResponseContext, StreamStatus};
use crate::wire::sse::SseEvent;

#[derive(Debug)]
pub struct StreamToMessages {
    id: String,
    model: String,
    started: bool,
    block_count: usize,
    open_block: Option<OpenClientBlock>,
    tool_call_count: usize,
    stop_reason: Option<&'static str>,
    usage: MessagesUsage,
}

#[derive(Debug, PartialEq, Eq)]
enum OpenClientBlock {
    Thinking,
    Text,
    /// With the upstream's index and id, which assign further chunks to it.
    ToolUse {
        index: Option<u64>,
        id: Option<String>,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum MessagesEvent<'a> {
    MessageStart {
        message: StartedMessage<'a>,
    },
    ContentBlockStart {
        index: usize,
        content_block: BlockStart<'a>,
    },
    ContentBlockDelta {
        index: usize,
        delta: MessagesDelta<'a>,
    },
    ContentBlockStop {
        index: usize,
    },
    MessageDelta {
        delta: MessagesStop,
        usage: MessagesUsage,
    },
    MessageStop,
    Ping,
}

#[derive(Serialize)]
struct StartedMessage<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: [(); 0],
    stop_reason: Option<()>,
    stop_sequence: Option<()>,
    usage: MessagesUsage,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum BlockStart<'a> {
    Thinking {
        thinking: &'static str,
        signature: &'static str,
    },
    Text {
        text: &'static str,
    },
    ToolUse {
        id: Text<'a>,
        name: Text<'a>,
        input: EmptyObject,
    },
}

#[derive(Serialize)]
struct EmptyObject {}

#[derive(Serialize)]
#[serde(tag = "type")]
enum MessagesDelta<'a> {
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: Text<'a> },
    #[serde(rename = "text_delta")]
    Text { text: Text<'a> },
    #[serde(rename = "input_json_delta")]
    Input { partial_json: Text<'a> },
}

#[derive(Serialize)]
struct MessagesStop {
    stop_reason: &'static str,
    stop_sequence: Option<()>,
}

// === impl StreamToMessages ===

impl StreamToMessages {
    pub fn new(context: &ResponseContext<'_>) -> Self {
        Self {
            id: context.fallback_id.to_owned(),
            model: context.model.to_owned(),
            started: false,
            block_count: 0,
            open_block: None,
            tool_call_count: 0,
            stop_reason: None,
            usage: MessagesUsage::default(),
        }
    }

    /// `content` is the lines of one event.
    pub fn on_event(&mut self, content: &[u8], out: &mut Vec<u8>) -> StreamStatus {
        let event = SseEvent::parse(content);
        let data = event.data.trim_ascii();
        if data.is_empty() {
            // A keep-alive comment.
            if content.starts_with(b":") {
                write_event(&MessagesEvent::Ping, out);
            }
            return StreamStatus::Open;
        }
        if data == b"[DONE]" {
            return match self.finish(out) {
                StreamStatus::Open => StreamStatus::Broken,
                status => status,
            };
        }
        let Ok(chunk) = serde_json::from_slice::<UpstreamCompletion<'_>>(data) else {
            return StreamStatus::Broken;
        };
        if chunk.error.is_some() || event.event_type == Some(b"error") {
            out.extend_from_slice(&UpstreamError::parse(data).to_messages_event());
            return StreamStatus::Failed;
        }
        if let Some(usage) = MessagesUsage::find(data) {
            self.usage = usage;
        }
        self.start_message(chunk.id.as_ref(), out);
        let mut choices = chunk.choices.unwrap_or_default();
        // The usage chunk after the response is the last one.
        if choices.is_empty() && self.stop_reason.is_some() {
            return self.finish(out);
        }
        choices.retain(|choice| choice.index.unwrap_or_default() == 0);
        let handled = choices
            .into_iter()
            .try_for_each(|choice| self.on_choice(choice, out));
        handled.map_or(StreamStatus::Broken, |()| StreamStatus::Open)
    }

    /// The stream has ended, with `[DONE]` or without.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> StreamStatus {
        let Some(stop_reason) = self.stop_reason else {
            return StreamStatus::Open;
        };
        let stop = MessagesEvent::MessageDelta {
            delta: MessagesStop {
                stop_reason,
                stop_sequence: None,
            },
            usage: self.usage,
        };
        write_event(&stop, out);
        write_event(&MessagesEvent::MessageStop, out);
        StreamStatus::Complete
    }

    fn start_message(&mut self, id: Option<&Text<'_>>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let id = id.and_then(Text::decode);
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            self.id = id.into_owned();
        }
        let message = StartedMessage {
            id: &self.id,
            kind: "message",
            role: "assistant",
            model: &self.model,
            content: [],
            stop_reason: None,
            stop_sequence: None,
            usage: self.usage,
        };
        write_event(&MessagesEvent::MessageStart { message }, out);
    }

    /// `None` if the chunk violates the protocol.
    fn on_choice(&mut self, choice: UpstreamChoice<'_>, out: &mut Vec<u8>) -> Option<()> {
        if let Some(message) = choice.delta.filter(|_| self.stop_reason.is_none()) {
            if let Some(thinking) = message.thinking() {
                let block = BlockStart::Thinking {
                    thinking: "",
                    signature: "",
                };
                self.ensure_open(OpenClientBlock::Thinking, block, out);
                self.write_delta(MessagesDelta::Thinking { thinking }, out);
            }
            if let Some(text) = message.text() {
                self.ensure_open(OpenClientBlock::Text, BlockStart::Text { text: "" }, out);
                self.write_delta(MessagesDelta::Text { text }, out);
            }
            for call in message.tool_calls.into_iter().flatten() {
                self.on_tool_call(call, out)?;
            }
        }
        if let Some(reason) = choice.finish_reason.filter(|_| self.stop_reason.is_none()) {
            self.close_block(out);
            self.stop_reason = Some(upstream::stop_reason(&reason, self.tool_call_count > 0));
        }
        Some(())
    }

    fn on_tool_call(&mut self, call: UpstreamToolCall<'_>, out: &mut Vec<u8>) -> Option<()> {
        let function = call.function?;
        let id = call.id.filter(|id| !id.is_empty());
        let name = function.name.as_ref().filter(|name| !name.is_empty());
        if !self.is_open_call(call.index, id.as_ref(), name) {
            let index = self.tool_call_count;
            self.tool_call_count += 1;
            let open = OpenClientBlock::ToolUse {
                index: call.index,
                id: id.as_ref().map(|id| id.escaped().to_owned()),
            };
            let block = BlockStart::ToolUse {
                id: id.unwrap_or_else(|| upstream::generated_tool_id(&self.id, index)),
                // A chunk of a call that is closed already has no name.
                name: name.cloned()?,
                input: EmptyObject {},
            };
            self.start_block(open, block, out);
        }
        if let Some(partial_json) = function.arguments() {
            self.write_delta(MessagesDelta::Input { partial_json }, out);
        }
        Some(())
    }

    /// Whether this chunk continues the open call. Some upstreams send the same
    /// index for all calls, others send none; then a name starts a new call.
    fn is_open_call(
        &self,
        index: Option<u64>,
        id: Option<&Text<'_>>,
        name: Option<&Text<'_>>,
    ) -> bool {
        let Some(OpenClientBlock::ToolUse {
            index: open_index,
            id: open_id,
        }) = &self.open_block
        else {
            return false;
        };
        let same_index = match index {
            Some(_) => index == *open_index,
            None => id.is_some() || name.is_none(),
        };
        same_index && id.is_none_or(|id| Some(id.escaped()) == open_id.as_deref())
    }

    fn ensure_open(&mut self, open: OpenClientBlock, block: BlockStart<'_>, out: &mut Vec<u8>) {
        if self.open_block.as_ref() != Some(&open) {
            self.start_block(open, block, out);
        }
    }

    fn start_block(
        &mut self,
        open: OpenClientBlock,
        content_block: BlockStart<'_>,
        out: &mut Vec<u8>,
    ) {
        self.close_block(out);
        let index = self.block_count;
        self.block_count += 1;
        self.open_block = Some(open);
        let start = MessagesEvent::ContentBlockStart {
            index,
            content_block,
        };
        write_event(&start, out);
    }

    fn write_delta(&self, delta: MessagesDelta<'_>, out: &mut Vec<u8>) {
        let index = self.block_count.saturating_sub(1);
        write_event(&MessagesEvent::ContentBlockDelta { index, delta }, out);
    }

    fn close_block(&mut self, out: &mut Vec<u8>) {
        if self.open_block.take().is_some() {
            let index = self.block_count.saturating_sub(1);
            write_event(&MessagesEvent::ContentBlockStop { index }, out);
        }
    }
}

impl MessagesEvent<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop => "message_stop",
            Self::Ping => "ping",
        }
    }
}

fn write_event(event: &MessagesEvent<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(event.name().as_bytes());
    out.extend_from_slice(b"\ndata: ");
    write_json(event, out);
    out.extend_from_slice(b"\n\n");
}
