//! Translates a Messages response into a chat completion.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::value::RawValue;

use super::upstream::{self, UpstreamBlock, UpstreamMessage};
use crate::dialect::chat::{ChatCompletion, ChatMessage, ChatToolCall, ChatUsage, ThinkingBlock};
use crate::dialect::field::to_json;
use crate::dialect::text::Text;
use crate::dialect::tool_id;
use crate::dialect::{InvalidUpstreamResponse, ResponseContext};

pub fn translate(
    body: &[u8],
    context: &ResponseContext<'_>,
) -> Result<Vec<u8>, InvalidUpstreamResponse> {
    let response: UpstreamMessage<'_> =
        serde_json::from_slice(body).map_err(|_| InvalidUpstreamResponse)?;
    let blocks = response.blocks().ok_or(InvalidUpstreamResponse)?;
    let mut message = chat_message(blocks, context)?;
    let stop_reason = response.stop_reason.filter(|reason| !reason.is_empty());
    let stop_reason = stop_reason.unwrap_or_else(|| Text::encode("end_turn"));
    let finish_reason = upstream::finish_reason(&stop_reason, !message.tool_calls.is_empty());
    message.refusal = response
        .stop_details
        .and_then(|details| details.explanation);
    let usage = ChatUsage::from_report(&response.usage);
    let completion = ChatCompletion::new(response.id, message, finish_reason, usage, context);
    Ok(to_json(&completion))
}

fn chat_message<'a>(
    blocks: Vec<UpstreamBlock<'a>>,
    context: &ResponseContext<'_>,
) -> Result<ChatMessage<'a>, InvalidUpstreamResponse> {
    let mut texts = Vec::new();
    let mut thinking_blocks = Vec::new();
    let mut tool_calls = Vec::new();
    let mut ids = HashSet::new();
    for block in blocks {
        match &*block.kind {
            "text" => texts.extend(block.text),
            "thinking" => {
                thinking_blocks.push(ThinkingBlock::new(None, block.thinking, block.signature));
            }
            "redacted_thinking" => thinking_blocks.push(ThinkingBlock::redacted(None, block.data)),
            "tool_use" => {
                let index = tool_calls.len();
                let id = block.id.filter(|id| !id.is_empty());
                let id = id.filter(|id| ids.insert(id.escaped().to_owned()));
                let generated = || tool_id::generated(context.fallback_id, index);
                let name = block.name.filter(|name| !name.is_empty());
                tool_calls.push(ChatToolCall::new(
                    id.unwrap_or_else(|| Text::encode(&generated())),
                    name.ok_or(InvalidUpstreamResponse)?,
                    block.input.map_or("{}".into(), arguments),
                ));
            }
            // Other types come only on request, which a chat request cannot make.
            _ => {}
        }
    }
    let thinking: Vec<_> = thinking_blocks
        .iter()
        .filter_map(|block| block.thinking.clone())
        .filter(|thinking| !thinking.is_empty())
        .collect();
    let is_empty = texts.is_empty() && tool_calls.is_empty();
    Ok(ChatMessage {
        role: "assistant",
        content: Text::join(&texts, "").or_else(|| is_empty.then(|| Text::encode(""))),
        refusal: None,
        reasoning_content: Text::join(&thinking, "\\n\\n"),
        thinking_blocks,
        annotations: Vec::new(),
        tool_calls,
    })
}

/// Some upstreams write the object into a string.
pub(super) fn arguments(input: &RawValue) -> Cow<'_, str> {
    let object = match Text::from_raw(input) {
        None => Some(input.get().into()),
        Some(text) => text.decode().map(|text| text.trim().to_owned().into()),
    };
    let object = object.filter(|text: &Cow<'_, str>| text.starts_with('{'));
    object.unwrap_or("{}".into())
}
