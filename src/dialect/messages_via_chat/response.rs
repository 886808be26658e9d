//! Translates a chat completion into a Messages response.

use serde::Serialize;
use serde_json::value::RawValue;

use super::usage::{self, MessagesUsage};
use crate::dialect::chat_upstream::completion::{Finish, UpstreamChatMessage, UpstreamCompletion};
use crate::dialect::chat_upstream::whole_call::whole_calls;
use crate::dialect::field::to_json;
use crate::dialect::text::Text;
use crate::dialect::{InvalidUpstreamResponse, ResponseContext};

#[derive(Serialize)]
struct MessagesResponse<'a> {
    /// Never the upstream's: clients join messages by it, and some upstreams repeat
    /// theirs (Ollama has a thousand).
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<MessagesResponseBlock<'a>>,
    stop_reason: &'static str,
    stop_sequence: Option<()>,
    usage: MessagesUsage,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum MessagesResponseBlock<'a> {
    Thinking {
        thinking: Text<'a>,
        /// Empty: only Anthropic signs thinking.
        signature: &'static str,
    },
    Text {
        text: Text<'a>,
    },
    ToolUse {
        id: Text<'a>,
        name: Text<'a>,
        input: Box<RawValue>,
    },
}

pub fn translate(
    body: &[u8],
    context: &ResponseContext<'_>,
) -> Result<Vec<u8>, InvalidUpstreamResponse> {
    let (message, finish) = UpstreamCompletion::into_first(body).ok_or(InvalidUpstreamResponse)?;
    let blocks = blocks(message, finish, context)?;
    let has_calls = blocks
        .iter()
        .any(|block| matches!(block, MessagesResponseBlock::ToolUse { .. }));
    let message = MessagesResponse {
        id: context.fallback_id,
        kind: "message",
        role: "assistant",
        model: context.model,
        content: blocks,
        stop_reason: usage::stop_reason(finish, has_calls),
        stop_sequence: None,
        usage: MessagesUsage::find(body).unwrap_or_default(),
    };
    Ok(to_json(&message))
}

fn blocks<'a>(
    message: UpstreamChatMessage<'a>,
    finish: Finish,
    context: &ResponseContext<'_>,
) -> Result<Vec<MessagesResponseBlock<'a>>, InvalidUpstreamResponse> {
    let mut blocks = Vec::new();
    blocks.extend(
        message
            .thinking()
            .map(|thinking| MessagesResponseBlock::Thinking {
                thinking,
                signature: "",
            }),
    );
    let texts = [message.text(), message.refusal()].into_iter().flatten();
    blocks.extend(texts.map(|text| MessagesResponseBlock::Text { text }));
    for call in whole_calls(message, finish.may_cut(), "toolu_", context)? {
        blocks.push(MessagesResponseBlock::ToolUse {
            id: Text::encode(&call.id),
            name: call.name,
            input: RawValue::from_string(call.arguments).map_err(|_| InvalidUpstreamResponse)?,
        });
    }
    Ok(blocks)
}
