//! Parses one `usage` object of any API.
//!
//! A member of an unknown name or of an unexpected type is skipped, so that it
//! does not cost the other counts.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Usage;

/// Parses the object at the start of `bytes` and ignores the rest.
pub(super) fn parse(bytes: &[u8]) -> Option<Usage> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = Value::deserialize(&mut json).ok()?;
    Some(value.usage).filter(|usage| !usage.is_empty())
}

/// A JSON value, as far as it matters here.
#[derive(Default)]
struct Value {
    /// The value of a number.
    count: Option<u64>,
    /// The counts in an object.
    usage: Usage,
}

/// The members with counts, as spelt by Chat Completions, the Responses API,
/// Anthropic and DeepSeek.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Member {
    PromptTokens,
    InputTokens,
    #[serde(alias = "output_tokens")]
    CompletionTokens,
    #[serde(alias = "prompt_cache_hit_tokens")]
    CachedTokens,
    /// Anthropic does not include these in `input_tokens`.
    CacheReadInputTokens,
    CacheCreationInputTokens,
    #[serde(alias = "thinking_tokens")]
    ReasoningTokens,
    TotalTokens,
    #[serde(alias = "input_tokens_details")]
    PromptTokensDetails,
    #[serde(alias = "output_tokens_details")]
    CompletionTokensDetails,
    #[serde(other)]
    Unknown,
}

struct Reader;

#[derive(Default)]
struct Counts {
    usage: Usage,
    /// `input_tokens`, which may exclude cached tokens.
    uncached: Option<u64>,
    cache_read: Option<u64>,
    cache_written: Option<u64>,
}

impl Counts {
    fn record(&mut self, member: &Member, value: &Value) {
        let usage = &mut self.usage;
        let (slot, count) = match member {
            Member::PromptTokens => (&mut usage.input, value.count),
            Member::InputTokens => (&mut self.uncached, value.count),
            Member::CacheReadInputTokens => (&mut self.cache_read, value.count),
            Member::CacheCreationInputTokens => (&mut self.cache_written, value.count),
            Member::CompletionTokens => (&mut usage.output, value.count),
            Member::TotalTokens => (&mut usage.total, value.count),
            Member::CachedTokens => (&mut usage.cached, value.count),
            Member::ReasoningTokens => (&mut usage.reasoning, value.count),
            Member::PromptTokensDetails => (&mut usage.cached, value.usage.cached),
            Member::CompletionTokensDetails => (&mut usage.reasoning, value.usage.reasoning),
            Member::Unknown => return,
        };
        // Some upstreams write both spellings, with zero in the one they do not use.
        *slot = (*slot).max(count);
    }

    fn into_usage(self) -> Usage {
        let mut usage = self.usage;
        // Next to `prompt_tokens`, Anthropic's counts repeat tokens included in it.
        let cached = [self.cache_read, self.cache_written].into_iter().flatten();
        let total = self
            .uncached
            .map(|fresh| cached.fold(fresh, u64::saturating_add));
        let input = if usage.input.is_some() {
            self.uncached
        } else {
            total
        };
        usage.input = usage.input.max(input);
        usage.cached = usage.cached.max(self.cache_read);
        usage
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_u64<E>(self, count: u64) -> Result<Value, E> {
        Ok(Value {
            count: Some(count),
            ..Value::default()
        })
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        // 2^53: the largest range in which every whole number is exact.
        let is_whole = number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole, not negative and in range"
        )]
        let count = is_whole.then_some(number as u64);
        Ok(Value {
            count,
            ..Value::default()
        })
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<Value, E> {
        Ok(Value::default())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut counts = Counts::default();
        while let Some(member) = members.next_key::<Member>()? {
            if matches!(member, Member::Unknown) {
                members.next_value::<IgnoredAny>()?;
            } else {
                counts.record(&member, &members.next_value()?);
            }
        }
        Ok(Value {
            count: None,
            usage: counts.into_usage(),
        })
    }
}
