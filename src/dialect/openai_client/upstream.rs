//! Responses of a Messages upstream, as far as chat has a counterpart, and the
//! parts of it that chat completions and chunks share.
//!
//! Unknown members and types are ignored, since the API may grow.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::dialect::text::{self, Text};

/// A response, or the `message` of `message_start`.
#[derive(Deserialize)]
pub(super) struct UpstreamMessage<'a> {
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) content: Vec<UpstreamBlock<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) stop_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) stop_details: Option<UpstreamStopDetails<'a>>,
    pub(super) usage: Option<UpstreamUsage>,
}

/// A content block of any type.
#[derive(Deserialize)]
pub(super) struct UpstreamBlock<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) text: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) signature: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) data: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) input: Option<&'a RawValue>,
}

/// Details of a refusal.
#[derive(Deserialize)]
pub(super) struct UpstreamStopDetails<'a> {
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) explanation: Option<Text<'a>>,
}

/// Tokens read from the cache and written to it are not part of `input_tokens`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct UpstreamUsage {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    output_tokens_details: Option<UpstreamOutputDetails>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct UpstreamOutputDetails {
    thinking_tokens: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(super) struct ChatUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: ChatPromptDetails,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens_details: Option<ChatCompletionDetails>,
}

#[derive(Debug, Serialize)]
struct ChatPromptDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Debug, Serialize)]
struct ChatCompletionDetails {
    reasoning_tokens: u64,
}

/// Thinking with Anthropic's signature. Not part of the chat API, but the client
/// must send it back between tool calls.
#[derive(Serialize)]
pub(super) struct ThinkingBlock<'a> {
    /// The block's number; clients join the chunks of a stream by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signature: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<Text<'a>>,
}

impl<'a> ThinkingBlock<'a> {
    pub(super) fn new(
        index: Option<usize>,
        thinking: Option<Text<'a>>,
        signature: Option<Text<'a>>,
    ) -> Self {
        Self {
            index,
            kind: "thinking",
            thinking,
            signature,
            data: None,
        }
    }

    pub(super) fn redacted(index: Option<usize>, data: Option<Text<'a>>) -> Self {
        Self {
            index,
            kind: "redacted_thinking",
            thinking: None,
            signature: None,
            data,
        }
    }
}

impl UpstreamUsage {
    /// Merges a later event: counts are totals, and each event may omit some.
    pub(super) fn update(&mut self, later: Self) {
        self.input_tokens = self.input_tokens.max(later.input_tokens);
        self.cache_creation_input_tokens = self
            .cache_creation_input_tokens
            .max(later.cache_creation_input_tokens);
        self.cache_read_input_tokens = self
            .cache_read_input_tokens
            .max(later.cache_read_input_tokens);
        self.output_tokens = self.output_tokens.max(later.output_tokens);
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details);
    }

    pub(super) fn to_chat(self) -> ChatUsage {
        let cached_tokens = self.cache_read_input_tokens.unwrap_or_default();
        let cache_write_tokens = self.cache_creation_input_tokens.unwrap_or_default();
        let uncached = self.input_tokens.unwrap_or_default();
        let prompt_tokens = uncached
            .saturating_add(cached_tokens)
            .saturating_add(cache_write_tokens);
        let completion_tokens = self.output_tokens.unwrap_or_default();
        let thinking = self
            .output_tokens_details
            .and_then(|details| details.thinking_tokens);
        ChatUsage {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens.saturating_add(completion_tokens),
            prompt_tokens_details: ChatPromptDetails {
                cached_tokens,
                cache_write_tokens,
            },
            completion_tokens_details: thinking
                .map(|reasoning_tokens| ChatCompletionDetails { reasoning_tokens }),
        }
    }
}

/// `finish_reason` for a `stop_reason`.
pub(super) fn finish_reason(stop_reason: &Text<'_>) -> &'static str {
    match stop_reason.escaped() {
        "max_tokens" | "model_context_window_exceeded" => "length",
        "tool_use" => "tool_calls",
        "refusal" => "content_filter",
        // `end_turn`, `stop_sequence`, `pause_turn`, and unknown ones.
        _ => "stop",
    }
}
