//! Responses of a chat upstream, as far as Messages has a counterpart, and the
//! parts of it that responses and events share.
//!
//! Upstreams differ: members that are missing or of another type are ignored
//! unless they are indispensable.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::dialect::lenient;
use crate::dialect::text::{self, Text};
use crate::wire::usage::UsageReport;

/// A completion, or a chunk of one.
#[derive(Default, Deserialize)]
pub(super) struct UpstreamCompletion<'a> {
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient::list")]
    pub(super) choices: Option<Vec<UpstreamChoice<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct UpstreamChoice<'a> {
    #[serde(default, deserialize_with = "lenient::number")]
    pub(super) index: Option<u64>,
    #[serde(borrow, default, deserialize_with = "lenient::object")]
    pub(super) message: Option<UpstreamChatMessage<'a>>,
    /// Of chunks, in place of `message`.
    #[serde(borrow, default, deserialize_with = "lenient::object")]
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
    #[serde(borrow, default, deserialize_with = "lenient::list")]
    tool_calls: Option<Vec<UpstreamToolCall<'a>>>,
    /// The API's older form of a call, which some servers send in place of
    /// `tool_calls`, others beside them.
    #[serde(borrow, default, deserialize_with = "lenient::object")]
    function_call: Option<UpstreamFunctionCall<'a>>,
}

#[derive(Deserialize)]
struct UpstreamContentPart<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
pub(super) struct UpstreamToolCall<'a> {
    #[serde(default, deserialize_with = "lenient::number")]
    pub(super) index: Option<u64>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient::object")]
    pub(super) function: Option<UpstreamFunctionCall<'a>>,
    /// Gemini's `thought_signature`, which must be sent back with the call.
    #[serde(borrow)]
    extra_content: Option<&'a RawValue>,
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
        let texts = names.into_iter().flatten().filter_map(Text::from_raw);
        texts
            .chain(self.content.and_then(content_thinking))
            .find(|text| !text.is_empty())
    }

    pub(super) fn into_calls(self) -> Vec<UpstreamToolCall<'a>> {
        let calls = self.tool_calls.unwrap_or_default();
        if !calls.is_empty() {
            return calls;
        }
        let call = self.function_call.map(|function| UpstreamToolCall {
            function: Some(function),
            ..UpstreamToolCall::default()
        });
        call.into_iter().collect()
    }
}

/// `content` is a string, or parts of which some are text (Mistral).
fn content_text(raw: &RawValue) -> Option<Text<'_>> {
    if let Some(text) = Text::from_raw(raw) {
        return Some(text);
    }
    let parts = content_parts(raw)?;
    let texts = parts.iter().filter_map(|part| Text::from_raw(part.text?));
    Text::join(&texts.collect::<Vec<_>>(), "")
}

/// The parts of type `thinking`, which have text, or parts of their own (Mistral).
fn content_thinking(raw: &RawValue) -> Option<Text<'_>> {
    let parts = content_parts(raw)?;
    let thinking = parts.iter().filter_map(|part| content_text(part.thinking?));
    Text::join(&thinking.collect::<Vec<_>>(), "")
}

fn content_parts(raw: &RawValue) -> Option<Vec<UpstreamContentPart<'_>>> {
    let is_list = raw.get().starts_with('[');
    is_list.then(|| serde_json::from_str(raw.get()).ok())?
}

impl<'a> UpstreamToolCall<'a> {
    pub(super) fn extra_content(&self) -> Option<&'a RawValue> {
        self.extra_content.filter(|extra| {
            let inside = extra.get().strip_prefix('{');
            inside.is_some_and(|inside| !inside.trim_start().starts_with('}'))
        })
    }
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
    /// The usage of a response.
    pub(super) fn find(bytes: &[u8]) -> Option<Self> {
        UsageReport::find(bytes).as_ref().map(Self::from_report)
    }

    pub(super) fn from_report(report: &UsageReport) -> Self {
        let usage = report.usage();
        let cached = usage.cached.unwrap_or_default();
        let written = usage.cache_write.unwrap_or_default();
        let uncached = usage.input.unwrap_or_default().saturating_sub(cached);
        Self {
            input_tokens: uncached.saturating_sub(written),
            cache_creation_input_tokens: written,
            cache_read_input_tokens: cached,
            output_tokens: usage.billed_output(),
            output_tokens_details: usage
                .reasoning
                .map(|thinking_tokens| MessagesOutputDetails { thinking_tokens }),
        }
    }
}

/// `stop_reason` for a `finish_reason`, in any case. Calls alone decide whether it is
/// `tool_use`: some upstreams send `stop` with calls, others `tool_calls` without.
pub(super) fn stop_reason(finish_reason: &Text<'_>, has_tool_calls: bool) -> &'static str {
    match &*finish_reason.escaped().to_ascii_lowercase() {
        // Mistral has `model_length`, Z.ai `model_context_window_exceeded`.
        "length" | "model_length" | "max_tokens" | "model_context_window_exceeded" => "max_tokens",
        // Z.ai has `sensitive`, Gemini the others.
        "content_filter" | "sensitive" | "safety" | "recitation" | "blocklist"
        | "prohibited_content" | "spii" => "refusal",
        _ if has_tool_calls => "tool_use",
        _ => "end_turn",
    }
}
