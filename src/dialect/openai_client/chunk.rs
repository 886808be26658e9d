//! Chunks of a streamed chat completion.

use serde::Serialize;

use super::upstream::{ChatUsage, ThinkingBlock};
use crate::dialect::ResponseContext;
use crate::dialect::field::write_json;
use crate::dialect::text::Text;

/// Writes the chunks of one response.
#[derive(Debug)]
pub(super) struct ChunkWriter {
    id: String,
    model: String,
    created: u64,
    include_usage: bool,
}

#[derive(Serialize)]
struct ChatChunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [ChatChunkChoice<'a>],
    /// Only if the client requested it.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<ChunkUsage>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ChunkUsage {
    /// `null`, in all chunks but the last.
    Pending,
    Final(ChatUsage),
}

#[derive(Serialize)]
struct ChatChunkChoice<'a> {
    index: u8,
    delta: ChatDelta<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
pub(super) struct ChatDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_content: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thinking_blocks: Option<[ThinkingBlock<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_calls: Option<[ChatToolCallDelta<'a>; 1]>,
}

#[derive(Serialize)]
pub(super) struct ChatToolCallDelta<'a> {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Text<'a>>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: ChatFunctionDelta<'a>,
}

#[derive(Serialize)]
struct ChatFunctionDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Text<'a>>,
    arguments: Text<'a>,
}

// === impl ChunkWriter ===

impl ChunkWriter {
    pub(super) fn new(context: &ResponseContext<'_>) -> Self {
        Self {
            id: context.fallback_id.to_owned(),
            model: context.model.to_owned(),
            created: context.created,
            include_usage: context.include_usage,
        }
    }

    pub(super) fn set_id(&mut self, id: &str) {
        id.clone_into(&mut self.id);
    }

    pub(super) fn write_delta(&self, delta: ChatDelta<'_>, out: &mut Vec<u8>) {
        self.write_choice(delta, None, out);
    }

    pub(super) fn write_text(&self, text: Option<Text<'_>>, out: &mut Vec<u8>) {
        if let Some(content) = text.filter(|text| !text.is_empty()) {
            let delta = ChatDelta {
                content: Some(content),
                ..ChatDelta::default()
            };
            self.write_delta(delta, out);
        }
    }

    pub(super) fn write_thinking(
        &self,
        index: usize,
        thinking: Option<Text<'_>>,
        signature: Option<Text<'_>>,
        out: &mut Vec<u8>,
    ) {
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
        self.write_delta(delta, out);
    }

    /// The first delta of a call.
    pub(super) fn start_tool_call(
        &self,
        index: usize,
        id: Text<'_>,
        name: Text<'_>,
        arguments: Text<'_>,
        out: &mut Vec<u8>,
    ) {
        let call = ChatToolCallDelta {
            index,
            id: Some(id),
            kind: Some("function"),
            function: ChatFunctionDelta {
                name: Some(name),
                arguments,
            },
        };
        self.write_tool_call(call, out);
    }

    pub(super) fn write_arguments(&self, index: usize, arguments: Text<'_>, out: &mut Vec<u8>) {
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

    /// The last chunks.
    pub(super) fn finish(&self, finish_reason: &'static str, usage: ChatUsage, out: &mut Vec<u8>) {
        self.write_choice(ChatDelta::default(), Some(finish_reason), out);
        if self.include_usage {
            self.write_chunk(&[], Some(ChunkUsage::Final(usage)), out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn write_tool_call(&self, call: ChatToolCallDelta<'_>, out: &mut Vec<u8>) {
        let delta = ChatDelta {
            tool_calls: Some([call]),
            ..ChatDelta::default()
        };
        self.write_delta(delta, out);
    }

    fn write_choice(
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
        let usage = self.include_usage.then_some(ChunkUsage::Pending);
        self.write_chunk(&[choice], usage, out);
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
