//! Completions and chunks, as far as other dialects have a counterpart.
//!
//! Upstreams differ: members that are missing or of another type are ignored
//! unless they are indispensable.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialect::lenient;
use crate::dialect::text::{self, Text};

/// A completion, or a chunk of one.
#[derive(Default, Deserialize)]
pub(in crate::dialect) struct UpstreamCompletion<'a> {
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(in crate::dialect) id: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient::list")]
    pub(in crate::dialect) choices: Option<Vec<UpstreamChoice<'a>>>,
}

#[derive(Deserialize)]
pub(in crate::dialect) struct UpstreamChoice<'a> {
    #[serde(default, deserialize_with = "lenient::number")]
    pub(in crate::dialect) index: Option<u64>,
    #[serde(borrow, default, deserialize_with = "lenient::object")]
    pub(in crate::dialect) message: Option<UpstreamChatMessage<'a>>,
    /// Of chunks, in place of `message`.
    #[serde(borrow, default, deserialize_with = "lenient::object")]
    pub(in crate::dialect) delta: Option<UpstreamChatMessage<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(in crate::dialect) finish_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(in crate::dialect) struct UpstreamChatMessage<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    /// Another name of `reasoning_content`.
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
    /// Thinking with Anthropic's signature, of our own translation and of `LiteLLM`.
    #[serde(borrow, default, deserialize_with = "lenient::list")]
    thinking_blocks: Option<Vec<UpstreamThinkingBlock<'a>>>,
    #[serde(borrow, default, deserialize_with = "lenient::list")]
    tool_calls: Option<Vec<UpstreamToolCall<'a>>>,
    /// The API's older form of a call, which some servers send in place of
    /// `tool_calls`, others beside them.
    #[serde(borrow, default, deserialize_with = "lenient::object")]
    function_call: Option<UpstreamFunctionCall<'a>>,
}

/// In chunks, a part of one.
#[derive(Debug, Default, Deserialize)]
pub(in crate::dialect) struct UpstreamThinkingBlock<'a> {
    #[serde(default, deserialize_with = "lenient::number")]
    pub(in crate::dialect) index: Option<u64>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(in crate::dialect) thinking: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(in crate::dialect) signature: Option<Text<'a>>,
    /// Of a `redacted_thinking` block, in place of the others.
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(in crate::dialect) data: Option<Text<'a>>,
}

/// Why a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::dialect) enum Finish {
    /// The model stopped, with calls or without.
    Stop,
    TokenLimit,
    Filter,
}

#[derive(Deserialize)]
struct UpstreamContentPart<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
pub(in crate::dialect) struct UpstreamToolCall<'a> {
    #[serde(default, deserialize_with = "lenient::number")]
    pub(in crate::dialect) index: Option<u64>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(in crate::dialect) id: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient::object")]
    pub(in crate::dialect) function: Option<UpstreamFunctionCall<'a>>,
    /// Gemini's `thought_signature`, which must be sent back with the call.
    #[serde(borrow)]
    extra_content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(in crate::dialect) struct UpstreamFunctionCall<'a> {
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(in crate::dialect) name: Option<Text<'a>>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

impl<'a> UpstreamCompletion<'a> {
    /// The first message of a complete response, and why it ended.
    pub(in crate::dialect) fn into_first(
        body: &'a [u8],
    ) -> Option<(UpstreamChatMessage<'a>, Finish)> {
        let completion: Self = serde_json::from_slice(body).ok()?;
        let choice = completion.choices.into_iter().flatten().next()?;
        let reason = choice.finish_reason.filter(|reason| !reason.is_empty());
        let finish = reason.as_ref().map_or(Finish::Stop, Finish::of);
        Some((choice.message?, finish))
    }
}

impl<'a> UpstreamChatMessage<'a> {
    pub(in crate::dialect) fn text(&self) -> Option<Text<'a>> {
        let content = self.content.and_then(content_text);
        content.filter(|text| !text.is_empty())
    }

    pub(in crate::dialect) fn refusal(&self) -> Option<Text<'a>> {
        let refusal = self.refusal.and_then(Text::from_raw);
        refusal.filter(|text| !text.is_empty())
    }

    pub(in crate::dialect) fn take_thinking_blocks(&mut self) -> Vec<UpstreamThinkingBlock<'a>> {
        self.thinking_blocks.take().unwrap_or_default()
    }

    pub(in crate::dialect) fn thinking(&self) -> Option<Text<'a>> {
        let names = [self.reasoning_content, self.reasoning];
        let texts = names.into_iter().flatten().filter_map(Text::from_raw);
        texts
            .chain(self.content.and_then(content_thinking))
            .find(|text| !text.is_empty())
    }

    pub(in crate::dialect) fn into_calls(self) -> Vec<UpstreamToolCall<'a>> {
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
    pub(in crate::dialect) fn extra_content(&self) -> Option<&'a RawValue> {
        self.extra_content.filter(|extra| {
            let inside = extra.get().strip_prefix('{');
            inside.is_some_and(|inside| !inside.trim_start().starts_with('}'))
        })
    }
}

impl<'a> UpstreamFunctionCall<'a> {
    /// JSON in a string; in chunks, a part of it.
    pub(in crate::dialect) fn arguments(&self) -> Option<Text<'a>> {
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

impl UpstreamThinkingBlock<'_> {
    pub(in crate::dialect) fn into_owned(self) -> UpstreamThinkingBlock<'static> {
        UpstreamThinkingBlock {
            index: self.index,
            thinking: self.thinking.map(Text::into_owned),
            signature: self.signature.map(Text::into_owned),
            data: self.data.map(Text::into_owned),
        }
    }

    /// Bytes of its texts.
    pub(in crate::dialect) fn len(&self) -> usize {
        let texts = [&self.thinking, &self.signature, &self.data];
        let texts = texts.into_iter().flatten();
        texts.map(|text| text.escaped().len()).sum()
    }
}

impl Finish {
    /// From a `finish_reason`, in any case.
    pub(in crate::dialect) fn of(finish_reason: &Text<'_>) -> Self {
        match &*finish_reason.escaped().to_ascii_lowercase() {
            // Mistral has `model_length`, Z.ai `model_context_window_exceeded`.
            "length" | "model_length" | "max_tokens" | "model_context_window_exceeded" => {
                Self::TokenLimit
            }
            // Z.ai has `sensitive`, Gemini the others.
            "content_filter" | "sensitive" | "safety" | "recitation" | "blocklist"
            | "prohibited_content" | "spii" => Self::Filter,
            _ => Self::Stop,
        }
    }

    /// The last calls may be incomplete.
    pub(in crate::dialect) fn may_cut(self) -> bool {
        self != Self::Stop
    }
}
