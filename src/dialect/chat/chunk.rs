//! Chunks of a streamed chat completion.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{ChatLogprobs, ChatUsage, ThinkingBlock};
use crate::dialect::ResponseContext;
use crate::dialect::events::write_event;
use crate::dialect::field::write_json;
use crate::dialect::text::Text;

/// Writes the chunks of one response.
#[derive(Debug)]
pub(in crate::dialect) struct ChunkWriter {
    id: String,
    model: String,
    created: u64,
    include_usage: bool,
    /// Known at the end.
    service_tier: Option<String>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
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
    logprobs: Option<ChatLogprobs<'a>>,
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
pub(in crate::dialect) struct ChatDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::dialect) role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::dialect) content: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::dialect) refusal: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::dialect) reasoning_content: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::dialect) thinking_blocks: Option<[ThinkingBlock<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::dialect) annotations: Option<[Box<RawValue>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::dialect) tool_calls: Option<[ChatToolCallDelta<'a>; 1]>,
}

#[derive(Serialize)]
pub(in crate::dialect) struct ChatToolCallDelta<'a> {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Text<'a>>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<ChatFunctionDelta<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<ChatCustomDelta<'a>>,
}

#[derive(Serialize)]
struct ChatFunctionDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Text<'a>>,
    arguments: Text<'a>,
}

#[derive(Serialize)]
struct ChatCustomDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Text<'a>>,
    input: Text<'a>,
}

/// What a call begins with.
pub(in crate::dialect) struct CallHead<'a> {
    index: usize,
    id: Text<'a>,
    name: Text<'a>,
    is_custom: bool,
}

// === impl CallHead ===

impl<'a> CallHead<'a> {
    /// `index` is the call's number among the calls of the message.
    pub(in crate::dialect) fn function(index: usize, id: Text<'a>, name: Text<'a>) -> Self {
        Self {
            index,
            id,
            name,
            is_custom: false,
        }
    }

    pub(in crate::dialect) fn custom(index: usize, id: Text<'a>, name: Text<'a>) -> Self {
        Self {
            is_custom: true,
            ..Self::function(index, id, name)
        }
    }
}

// === impl ChunkWriter ===

impl ChunkWriter {
    pub(in crate::dialect) fn new(context: &ResponseContext<'_>) -> Self {
        Self {
            id: context.fallback_id.to_owned(),
            model: context.model.to_owned(),
            created: context.created,
            include_usage: context.include_usage,
            service_tier: None,
        }
    }

    pub(in crate::dialect) fn set_id(&mut self, id: &str) {
        id.clone_into(&mut self.id);
    }

    pub(in crate::dialect) fn set_service_tier(&mut self, tier: &str) {
        self.service_tier = Some(tier.to_owned());
    }

    pub(in crate::dialect) fn write_delta(&self, delta: ChatDelta<'_>, out: &mut Vec<u8>) {
        self.write_choice(delta, None, None, out);
    }

    pub(in crate::dialect) fn write_text(&self, text: Option<Text<'_>>, out: &mut Vec<u8>) {
        if let Some(content) = text.filter(|text| !text.is_empty()) {
            let delta = ChatDelta {
                content: Some(content),
                ..ChatDelta::default()
            };
            self.write_delta(delta, out);
        }
    }

    pub(in crate::dialect) fn write_thinking(
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

    pub(in crate::dialect) fn write_text_with_logprobs(
        &self,
        text: Text<'_>,
        logprobs: Option<ChatLogprobs<'_>>,
        out: &mut Vec<u8>,
    ) {
        let delta = ChatDelta {
            content: Some(text),
            ..ChatDelta::default()
        };
        self.write_choice(delta, logprobs, None, out);
    }

    /// The first delta of a call.
    pub(in crate::dialect) fn start_tool_call(
        &self,
        head: CallHead<'_>,
        arguments: Text<'_>,
        out: &mut Vec<u8>,
    ) {
        let mut call =
            ChatToolCallDelta::new(head.index, head.is_custom, Some(head.name), arguments);
        call.kind = Some(if head.is_custom { "custom" } else { "function" });
        call.id = Some(head.id);
        self.write_tool_call(call, out);
    }

    pub(in crate::dialect) fn write_arguments(
        &self,
        index: usize,
        arguments: Text<'_>,
        out: &mut Vec<u8>,
    ) {
        self.write_tool_call(ChatToolCallDelta::new(index, false, None, arguments), out);
    }

    /// Of a custom tool.
    pub(in crate::dialect) fn write_custom_input(
        &self,
        index: usize,
        input: Text<'_>,
        out: &mut Vec<u8>,
    ) {
        self.write_tool_call(ChatToolCallDelta::new(index, true, None, input), out);
    }

    /// The last chunks.
    pub(in crate::dialect) fn finish(
        &self,
        finish_reason: &'static str,
        usage: ChatUsage,
        out: &mut Vec<u8>,
    ) {
        self.write_choice(ChatDelta::default(), None, Some(finish_reason), out);
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
        logprobs: Option<ChatLogprobs<'_>>,
        finish_reason: Option<&'static str>,
        out: &mut Vec<u8>,
    ) {
        let choice = ChatChunkChoice {
            index: 0,
            delta,
            logprobs,
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
            service_tier: self.service_tier.as_deref(),
        };
        // What is copied as the upstream wrote it may have line ends.
        if choices.iter().any(|choice| choice.logprobs.is_some()) {
            return write_event(&chunk, out);
        }
        out.extend_from_slice(b"data: ");
        write_json(&chunk, out);
        out.extend_from_slice(b"\n\n");
    }
}

// === impl ChatToolCallDelta ===

impl<'a> ChatToolCallDelta<'a> {
    /// `text` is a part of the arguments, or of a custom tool's input.
    fn new(index: usize, is_custom: bool, name: Option<Text<'a>>, text: Text<'a>) -> Self {
        let (function, custom) = if is_custom {
            (None, Some(ChatCustomDelta { name, input: text }))
        } else {
            let function = ChatFunctionDelta {
                name,
                arguments: text,
            };
            (Some(function), None)
        };
        Self {
            index,
            id: None,
            kind: None,
            function,
            custom,
        }
    }
}
