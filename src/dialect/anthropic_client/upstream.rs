//! Responses of a chat upstream, as far as Messages has a counterpart, and the
//! parts of it that responses and events share.
//!
//! Upstreams differ: members that are missing or of another type are ignored
//! unless they are indispensable.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::dialect::text::{self, Text};
use crate::wire::usage::{self, find_usage};

/// A completion, or a chunk of one.
#[derive(Deserialize)]
pub(super) struct UpstreamCompletion<'a> {
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) choices: Option<Vec<UpstreamChoice<'a>>>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct UpstreamChoice<'a> {
    pub(super) index: Option<u64>,
    #[serde(borrow)]
    pub(super) message: Option<UpstreamChatMessage<'a>>,
    /// Of chunks, in place of `message`.
    #[serde(borrow)]
    pub(super) delta: Option<UpstreamChatMessage<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) finish_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct UpstreamChatMessage<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    /// Another name of `reasoning_content`.
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) tool_calls: Option<Vec<UpstreamToolCall<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct UpstreamToolCall<'a> {
    pub(super) index: Option<u64>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) function: Option<UpstreamFunctionCall<'a>>,
}

#[derive(Deserialize)]
pub(super) struct UpstreamFunctionCall<'a> {
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

/// Tokens read from the cache are not part of `input_tokens`.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct MessagesUsage {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<MessagesOutputDetails>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct MessagesOutputDetails {
    thinking_tokens: u64,
}

impl<'a> UpstreamChatMessage<'a> {
    /// The content, or else the refusal.
    pub(super) fn text(&self) -> Option<Text<'a>> {
        let content = self.content.and_then(content_text);
        let refusal = self.refusal.and_then(Text::from_raw);
        let not_empty = |text: &Text<'_>| !text.is_empty();
        content
            .filter(not_empty)
            .or_else(|| refusal.filter(not_empty))
    }

    pub(super) fn thinking(&self) -> Option<Text<'a>> {
        let names = [self.reasoning_content, self.reasoning];
        let mut texts = names.into_iter().flatten().filter_map(Text::from_raw);
        texts.find(|text| !text.is_empty())
    }
}

/// `content` is a string, or parts of which some are text (Mistral).
fn content_text(raw: &RawValue) -> Option<Text<'_>> {
    #[derive(Deserialize)]
    struct Part<'a> {
        #[serde(borrow)]
        text: Option<&'a RawValue>,
    }

    if let Some(text) = Text::from_raw(raw) {
        return Some(text);
    }
    let parts: Vec<Part<'_>> = serde_json::from_str(raw.get()).ok()?;
    let texts: Vec<_> = parts
        .iter()
        .filter_map(|part| Text::from_raw(part.text?))
        .collect();
    Text::join(&texts, "")
}

impl<'a> UpstreamFunctionCall<'a> {
    /// JSON in a string; in chunks, a part of it.
    pub(super) fn arguments(&self) -> Option<Text<'a>> {
        let raw = self.arguments?;
        // Some upstreams send an object instead of a string.
        let is_object = raw.get().starts_with('{');
        let text = if is_object {
            Some(Text::encode(raw.get()))
        } else {
            Text::from_raw(raw)
        };
        text.filter(|text| !text.is_empty())
    }
}

impl MessagesUsage {
    /// The usage of a response or a chunk.
    pub(super) fn find(bytes: &[u8]) -> Option<Self> {
        find_usage(bytes).map(Self::from_usage)
    }

    fn from_usage(usage: usage::Usage) -> Self {
        let cached = usage.cached.unwrap_or_default();
        Self {
            input_tokens: usage.input.unwrap_or_default().saturating_sub(cached),
            cache_creation_input_tokens: 0,
            cache_read_input_tokens: cached,
            output_tokens: usage.billed_output(),
            output_tokens_details: usage
                .reasoning
                .map(|thinking_tokens| MessagesOutputDetails { thinking_tokens }),
        }
    }
}

/// `stop_reason` for a `finish_reason`. Some upstreams send `stop` with tool calls.
pub(super) fn stop_reason(finish_reason: &Text<'_>, has_tool_calls: bool) -> &'static str {
    match finish_reason.escaped() {
        "length" => "max_tokens",
        "content_filter" => "refusal",
        "tool_calls" | "function_call" => "tool_use",
        _ if has_tool_calls => "tool_use",
        _ => "end_turn",
    }
}

/// Used if the upstream sends no id of a tool call.
pub(super) fn generated_tool_id(message_id: &str, index: usize) -> Text<'static> {
    Text::encode(&format!("{message_id}_{index}"))
}
