//! Translates a chat completion into a Messages response.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::value::RawValue;

use super::upstream::{
    self, MessagesUsage, UpstreamChatMessage, UpstreamCompletion, UpstreamFunctionCall,
    UpstreamToolCall,
};
use crate::dialect::field::to_json;
use crate::dialect::text::Text;
use crate::dialect::tool_id;
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
    let completion: UpstreamCompletion<'_> =
        serde_json::from_slice(body).map_err(|_| InvalidUpstreamResponse)?;
    let choice = completion.choices.into_iter().flatten().next();
    let choice = choice.ok_or(InvalidUpstreamResponse)?;
    let finish_reason = choice.finish_reason.filter(|reason| !reason.is_empty());
    let finish_reason = finish_reason.unwrap_or_else(|| Text::encode("stop"));
    let stop_reason = |has_tool_calls| upstream::stop_reason(&finish_reason, has_tool_calls);
    let is_truncated = matches!(stop_reason(false), "max_tokens" | "refusal");
    let message = choice.message.ok_or(InvalidUpstreamResponse)?;
    let blocks = blocks(message, is_truncated, context)?;
    let has_tool_calls = blocks
        .iter()
        .any(|block| matches!(block, MessagesResponseBlock::ToolUse { .. }));
    let message = MessagesResponse {
        id: context.fallback_id,
        kind: "message",
        role: "assistant",
        model: context.model,
        content: blocks,
        stop_reason: stop_reason(has_tool_calls),
        stop_sequence: None,
        usage: MessagesUsage::find(body).unwrap_or_default(),
    };
    Ok(to_json(&message))
}

fn blocks<'a>(
    message: UpstreamChatMessage<'a>,
    is_truncated: bool,
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
    let mut ids = HashSet::new();
    let calls = message.into_calls().into_iter();
    for (index, call) in calls.filter(|call| !is_empty(call)).enumerate() {
        match input(&call) {
            Some(input) => blocks.push(MessagesResponseBlock::ToolUse {
                id: Text::encode(&id(&call, index, &mut ids, context)),
                name: name(&call).ok_or(InvalidUpstreamResponse)?,
                input,
            }),
            // The last call of a response that its limit or a filter ended.
            None if is_truncated => {}
            None => return Err(InvalidUpstreamResponse),
        }
    }
    Ok(blocks)
}

/// Some upstreams fill `tool_calls` with calls of nothing.
fn is_empty(call: &UpstreamToolCall<'_>) -> bool {
    let arguments = call
        .function
        .as_ref()
        .and_then(UpstreamFunctionCall::arguments);
    name(call).is_none() && arguments.is_none()
}

fn name<'a>(call: &UpstreamToolCall<'a>) -> Option<Text<'a>> {
    let name = call.function.as_ref()?.name.clone();
    name.filter(|name| !name.is_empty())
}

/// The arguments, if they are an object.
fn input(call: &UpstreamToolCall<'_>) -> Option<Box<RawValue>> {
    let arguments = call.function.as_ref()?.arguments();
    let arguments = arguments.as_ref().map_or(Some("{}".into()), Text::decode)?;
    let arguments = match arguments.trim() {
        "" | "null" => "{}",
        arguments => arguments,
    };
    let input = RawValue::from_string(arguments.to_owned()).ok()?;
    input.get().starts_with('{').then_some(input)
}

/// The call's own id, unless it has none, or an earlier one has the same.
fn id(
    call: &UpstreamToolCall<'_>,
    index: usize,
    ids: &mut HashSet<String>,
    context: &ResponseContext<'_>,
) -> String {
    let own = call.id.as_ref().and_then(Text::decode);
    let own = own.filter(|id| !id.is_empty() && ids.insert(id.to_string()));
    let id = own.unwrap_or_else(|| tool_id::generated(context.fallback_id, index).into());
    tool_id::for_messages_client(&id, call.extra_content(), context.provider).into_owned()
}
