//! Translates a chat completion into a Messages response.

use serde::Serialize;
use serde_json::value::RawValue;

use super::upstream::{
    self, MessagesUsage, UpstreamChatMessage, UpstreamCompletion, UpstreamToolCall,
};
use crate::dialect::field::to_json;
use crate::dialect::text::Text;
use crate::dialect::{InvalidUpstreamResponse, ResponseContext};

#[derive(Serialize)]
struct MessagesResponse<'a> {
    id: Text<'a>,
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
    let completion: UpstreamCompletion<'_> =
        serde_json::from_slice(body).map_err(|_| InvalidUpstreamResponse)?;
    let choice = completion.choices.into_iter().flatten().next();
    let choice = choice.ok_or(InvalidUpstreamResponse)?;
    let blocks = blocks(choice.message.ok_or(InvalidUpstreamResponse)?, context)?;
    let has_tool_calls = blocks
        .iter()
        .any(|block| matches!(block, MessagesResponseBlock::ToolUse { .. }));
    let finish_reason = choice.finish_reason.unwrap_or_else(|| Text::encode("stop"));
    let message = MessagesResponse {
        id: context.id_or_fallback(completion.id),
        kind: "message",
        role: "assistant",
        model: context.model,
        content: blocks,
        stop_reason: upstream::stop_reason(&finish_reason, has_tool_calls),
        stop_sequence: None,
        usage: MessagesUsage::find(body).unwrap_or_default(),
    };
    Ok(to_json(&message))
}

fn blocks<'a>(
    message: UpstreamChatMessage<'a>,
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
    blocks.extend(
        message
            .text()
            .map(|text| MessagesResponseBlock::Text { text }),
    );
    for (index, call) in message.tool_calls.into_iter().flatten().enumerate() {
        blocks.push(tool_use(call, index, context)?);
    }
    Ok(blocks)
}

fn tool_use<'a>(
    call: UpstreamToolCall<'a>,
    index: usize,
    context: &ResponseContext<'_>,
) -> Result<MessagesResponseBlock<'a>, InvalidUpstreamResponse> {
    let function = call.function.ok_or(InvalidUpstreamResponse)?;
    let arguments = function.arguments();
    let arguments = arguments
        .as_ref()
        .map(|text| text.decode().ok_or(InvalidUpstreamResponse));
    let arguments = arguments.transpose()?;
    let input = RawValue::from_string(arguments.unwrap_or("{}".into()).trim().to_owned())
        .ok()
        .filter(|input| input.get().starts_with('{'));
    Ok(MessagesResponseBlock::ToolUse {
        id: call
            .id
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| upstream::generated_tool_id(context.fallback_id, index)),
        name: function.name.ok_or(InvalidUpstreamResponse)?,
        input: input.ok_or(InvalidUpstreamResponse)?,
    })
}
