//! What a Messages upstream answers, as far as it means something in a chat.
//!
//! What is unknown in it is passed over: an upstream may say more tomorrow.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::dialect::text::{self, Text};

/// A message, or what `message_start` says of it.
#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) content: Vec<Block<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) stop_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) stop_details: Option<StopDetails<'a>>,
    pub(super) usage: Option<Usage>,
}

/// A content block, of whatever type.
#[derive(Deserialize)]
pub(super) struct Block<'a> {
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

/// Why the model refused.
#[derive(Deserialize)]
pub(super) struct StopDetails<'a> {
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) explanation: Option<Text<'a>>,
}

/// `usage`. What was read from the cache and written to it is not part of
/// `input_tokens`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(super) struct Usage {
    input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct OutputDetails {
    thinking_tokens: Option<u64>,
}

/// The same in a chat.
#[derive(Debug, Serialize)]
pub(super) struct ChatUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Debug, Serialize)]
struct PromptDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Debug, Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

/// A thought and what Anthropic knows it by: no part of the chat API, but what
/// its callers must give back in the midst of tool calls.
#[derive(Serialize)]
pub(super) struct Thought<'a> {
    /// Its place among the thoughts, by which pieces of a stream are put
    /// together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<usize>,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signature: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<Text<'a>>,
}

impl Usage {
    /// With a later report: both count from the start, and either may leave out
    /// what the other has.
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

    pub(super) fn chat(self) -> ChatUsage {
        let cached_tokens = self.cache_read_input_tokens.unwrap_or_default();
        let cache_write_tokens = self.cache_creation_input_tokens.unwrap_or_default();
        let fresh = self.input_tokens.unwrap_or_default();
        let prompt_tokens = fresh
            .saturating_add(cached_tokens)
            .saturating_add(cache_write_tokens);
        let completion_tokens = self.output_tokens.unwrap_or_default();
        let thinking = self
            .output_tokens_details
            .and_then(|all| all.thinking_tokens);
        ChatUsage {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens.saturating_add(completion_tokens),
            prompt_tokens_details: PromptDetails {
                cached_tokens,
                cache_write_tokens,
            },
            completion_tokens_details: thinking
                .map(|reasoning_tokens| CompletionDetails { reasoning_tokens }),
        }
    }
}

/// `finish_reason` for a `stop_reason`.
pub(super) fn finish_reason(stop_reason: &Text<'_>) -> &'static str {
    match stop_reason.inner() {
        "max_tokens" | "model_context_window_exceeded" => "length",
        "tool_use" => "tool_calls",
        "refusal" => "content_filter",
        // `end_turn`, `stop_sequence`, `pause_turn`, and what is to come.
        _ => "stop",
    }
}
