//! What a chat upstream answers, as far as it means something in a message.
//!
//! Upstreams differ: what is missing or of another type is passed over where
//! the rest makes sense without it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::dialect::text::{self, Text};
use crate::wire::usage::{self, find_usage};

/// A completion, or a chunk of one.
#[derive(Deserialize)]
pub(super) struct Completion<'a> {
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) choices: Option<Vec<Choice<'a>>>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub(super) struct Choice<'a> {
    pub(super) index: Option<u64>,
    #[serde(borrow)]
    pub(super) message: Option<Said<'a>>,
    /// The same in a chunk.
    #[serde(borrow)]
    pub(super) delta: Option<Said<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) finish_reason: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Said<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    /// The same at other upstreams.
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) tool_calls: Option<Vec<Call<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct Call<'a> {
    pub(super) index: Option<u64>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) function: Option<Function<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Function<'a> {
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

/// `usage` of a message. What came out of the cache is not part of
/// `input_tokens`.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Usage {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct OutputDetails {
    thinking_tokens: u64,
}

impl<'a> Said<'a> {
    /// What the model says, or why it does not.
    pub(super) fn words(&self) -> Option<Text<'a>> {
        let content = self.content.and_then(words);
        let refusal = self.refusal.and_then(Text::raw);
        let said = |text: &Text<'_>| !text.is_empty();
        content.filter(said).or_else(|| refusal.filter(said))
    }

    /// What the model thinks.
    pub(super) fn thoughts(&self) -> Option<Text<'a>> {
        let both = [self.reasoning_content, self.reasoning];
        let mut texts = both.into_iter().flatten().filter_map(Text::raw);
        texts.find(|text| !text.is_empty())
    }
}

/// `content`: a string, or parts of which some are text (Mistral).
fn words(raw: &RawValue) -> Option<Text<'_>> {
    #[derive(Deserialize)]
    struct Part<'a> {
        #[serde(borrow)]
        text: Option<&'a RawValue>,
    }

    if let Some(text) = Text::raw(raw) {
        return Some(text);
    }
    let parts: Vec<Part<'_>> = serde_json::from_str(raw.get()).ok()?;
    let texts: Vec<_> = parts
        .iter()
        .filter_map(|part| Text::raw(part.text?))
        .collect();
    Text::join(&texts, "")
}

impl<'a> Function<'a> {
    /// Arguments, or a piece of them: JSON in a string.
    pub(super) fn arguments(&self) -> Option<Text<'a>> {
        let raw = self.arguments?;
        // Some upstreams forget the string around it.
        let bare = raw.get().starts_with('{');
        let text = if bare {
            Some(Text::of(raw.get()))
        } else {
            Text::raw(raw)
        };
        text.filter(|text| !text.is_empty())
    }
}

impl Usage {
    /// What an answer or a chunk reports.
    pub(super) fn find(bytes: &[u8]) -> Option<Self> {
        find_usage(bytes).map(Self::of)
    }

    fn of(usage: usage::Usage) -> Self {
        let cached = usage.cached.unwrap_or_default();
        Self {
            input_tokens: usage.input.unwrap_or_default().saturating_sub(cached),
            cache_creation_input_tokens: 0,
            cache_read_input_tokens: cached,
            output_tokens: usage.billed_output(),
            output_tokens_details: usage
                .reasoning
                .map(|thinking_tokens| OutputDetails { thinking_tokens }),
        }
    }
}

/// `stop_reason` for a `finish_reason`. Some upstreams say `stop` although
/// tools are called.
pub(super) fn stop_reason(finish_reason: &Text<'_>, any_calls: bool) -> &'static str {
    match finish_reason.inner() {
        "length" => "max_tokens",
        "content_filter" => "refusal",
        "tool_calls" | "function_call" => "tool_use",
        _ if any_calls => "tool_use",
        _ => "end_turn",
    }
}

/// A call's id where the upstream gives none.
pub(super) fn call_id(answer: &str, place: usize) -> Text<'static> {
    Text::of(&format!("{answer}_{place}"))
}
