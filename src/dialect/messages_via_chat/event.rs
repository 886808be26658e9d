//! Events of a streamed message.
//!
//! Source: Anthropic's documentation, "Streaming messages". A message is a series
//! of blocks, one open at a time.

use serde::Serialize;

use super::usage::MessagesUsage;
use crate::dialect::chat_upstream::TextKind;
use crate::dialect::field::write_json;
use crate::dialect::text::Text;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum MessagesEvent<'a> {
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
pub(super) struct StartedMessage<'a> {
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
pub(super) enum BlockStart<'a> {
    Thinking {
        thinking: &'static str,
        /// Empty: only Anthropic signs thinking.
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
pub(super) struct EmptyObject {}

#[derive(Serialize)]
#[serde(tag = "type")]
pub(super) enum MessagesDelta<'a> {
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: Text<'a> },
    #[serde(rename = "text_delta")]
    Text { text: Text<'a> },
    #[serde(rename = "input_json_delta")]
    Input { partial_json: Text<'a> },
}

#[derive(Serialize)]
pub(super) struct MessagesStop {
    stop_reason: &'static str,
    stop_sequence: Option<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockKind {
    Thinking,
    Text,
    ToolUse,
}

/// Writes blocks one after the other.
#[derive(Debug, Default)]
pub(super) struct BlockWriter {
    block_count: usize,
    open: Option<BlockKind>,
}

// === impl MessagesEvent ===

impl<'a> MessagesEvent<'a> {
    pub(super) fn start(id: &'a str, model: &'a str, usage: MessagesUsage) -> Self {
        Self::MessageStart {
            message: StartedMessage {
                id,
                kind: "message",
                role: "assistant",
                model,
                content: [],
                stop_reason: None,
                stop_sequence: None,
                usage,
            },
        }
    }

    pub(super) fn stop(stop_reason: &'static str, usage: MessagesUsage) -> Self {
        Self::MessageDelta {
            delta: MessagesStop {
                stop_reason,
                stop_sequence: None,
            },
            usage,
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(self.name().as_bytes());
        out.extend_from_slice(b"\ndata: ");
        write_json(self, out);
        out.extend_from_slice(b"\n\n");
    }

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

// === impl BlockWriter ===

impl BlockWriter {
    /// Text or thinking, in the open block if it is of this kind.
    pub(super) fn write_text(&mut self, kind: TextKind, text: Text<'_>, out: &mut Vec<u8>) {
        let (kind, start, delta) = match kind {
            TextKind::Thinking => (
                BlockKind::Thinking,
                BlockStart::Thinking {
                    thinking: "",
                    signature: "",
                },
                MessagesDelta::Thinking { thinking: text },
            ),
            TextKind::Text | TextKind::Refusal => (
                BlockKind::Text,
                BlockStart::Text { text: "" },
                MessagesDelta::Text { text },
            ),
        };
        if self.open != Some(kind) {
            self.start(kind, start, out);
        }
        self.write_delta(delta, out);
    }

    pub(super) fn start_tool_use(&mut self, id: Text<'_>, name: Text<'_>, out: &mut Vec<u8>) {
        let start = BlockStart::ToolUse {
            id,
            name,
            input: EmptyObject {},
        };
        self.start(BlockKind::ToolUse, start, out);
    }

    /// More arguments of the call that was started last.
    pub(super) fn write_input(&self, partial_json: Text<'_>, out: &mut Vec<u8>) {
        self.write_delta(MessagesDelta::Input { partial_json }, out);
    }

    pub(super) fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            let index = self.block_count.saturating_sub(1);
            MessagesEvent::ContentBlockStop { index }.write(out);
        }
    }

    fn start(&mut self, kind: BlockKind, content_block: BlockStart<'_>, out: &mut Vec<u8>) {
        self.close(out);
        let index = self.block_count;
        self.block_count += 1;
        self.open = Some(kind);
        let start = MessagesEvent::ContentBlockStart {
            index,
            content_block,
        };
        start.write(out);
    }

    fn write_delta(&self, delta: MessagesDelta<'_>, out: &mut Vec<u8>) {
        let index = self.block_count.saturating_sub(1);
        MessagesEvent::ContentBlockDelta { index, delta }.write(out);
    }
}
