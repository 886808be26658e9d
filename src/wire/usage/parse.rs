//! Parses a `usage` object.
//!
//! A member of an unknown name is skipped. One of an unexpected type does not cost
//! the other counts, but makes the report inexact.

use std::fmt;

use serde::Deserialize;
use serde::de::value::{BytesDeserializer, Error};
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::report::Count;
use super::{ServiceTier, UsageReport};

/// No request has more tokens; larger numbers are errors of the upstream.
const MAX_COUNT: u64 = 1_000_000_000_000;

/// The members of interest, as spelt by Chat Completions, the Responses API,
/// Anthropic, DeepSeek, Mistral, OpenRouter, Perplexity and xAI.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
pub(super) enum Member {
    PromptTokens,
    InputTokens,
    #[serde(alias = "output_tokens")]
    CompletionTokens,
    TotalTokens,
    #[serde(alias = "prompt_cache_hit_tokens")]
    CachedTokens,
    CacheReadInputTokens,
    #[serde(alias = "cache_creation_tokens")]
    CacheWriteTokens,
    CacheCreationInputTokens,
    #[serde(rename = "ephemeral_5m_input_tokens")]
    Created5m,
    #[serde(rename = "ephemeral_1h_input_tokens")]
    Created1h,
    #[serde(alias = "thinking_tokens")]
    ReasoningTokens,
    AudioTokens,
    ImageTokens,
    WebSearchRequests,
    #[serde(alias = "input_tokens_details", alias = "input_token_details")]
    PromptTokensDetails,
    #[serde(alias = "output_tokens_details", alias = "output_token_details")]
    CompletionTokensDetails,
    #[serde(alias = "server_tool_use")]
    CacheCreation,
    /// Not zero where something is billed by another measure.
    #[serde(
        rename = "num_sources_used",
        alias = "num_search_queries",
        alias = "num_server_side_tools_used",
        alias = "code_execution_requests",
        alias = "prompt_audio_seconds",
        alias = "seconds",
        alias = "video_tokens"
    )]
    OtherCharge,
    /// Perplexity: each request has a fee by this size.
    SearchContextSize,
    ServiceTier,
    /// Anthropic's fast mode.
    Speed,
    /// Anthropic: processing in one region has a price of its own.
    InferenceGeo,
    /// Anthropic: the steps of a request, of which those that are not messages are
    /// not part of the counts.
    Iterations,
    #[serde(other)]
    Unknown,
}

/// A JSON value, as far as it matters here.
#[derive(Default)]
struct Counted {
    /// The value of a number.
    count: Option<u64>,
    /// Neither a count, nor empty, nor an object.
    is_invalid: bool,
    /// The counts in an object.
    report: UsageReport,
}

struct CountedVisitor;

// === impl UsageReport ===

impl UsageReport {
    fn record(&mut self, member: &Member, value: &Counted) {
        if let Some(count) = value.count {
            self.record_count(member, count);
        }
        self.record_details(member, &value.report);
        self.unreadable |= value.is_invalid;
    }

    pub(super) fn record_count(&mut self, member: &Member, count: u64) {
        if let Some(slot) = member.count() {
            self.raise(slot, Some(count));
        } else if matches!(member, Member::OtherCharge) {
            self.other_charges |= count > 0;
        }
    }

    /// Records the counts of an object within this one.
    pub(super) fn record_details(&mut self, member: &Member, details: &Self) {
        let inner = |count| details.get(count);
        match member {
            Member::PromptTokensDetails => {
                for (from, to) in [
                    (Count::Cached, Count::Cached),
                    (Count::CacheWrite, Count::CacheWrite),
                    (Count::Audio, Count::AudioInput),
                    (Count::Image, Count::ImageInput),
                ] {
                    self.raise(to, inner(from));
                }
            }
            Member::CompletionTokensDetails => {
                for (from, to) in [
                    (Count::Reasoning, Count::Reasoning),
                    (Count::Audio, Count::AudioOutput),
                    (Count::Image, Count::ImageOutput),
                ] {
                    self.raise(to, inner(from));
                }
            }
            Member::CacheCreation => {
                for count in [Count::Created5m, Count::Created1h, Count::Searches] {
                    self.raise(count, inner(count));
                }
            }
            _ => {}
        }
        self.other_charges |= details.other_charges;
        self.unreadable |= details.unreadable;
    }

    /// Records a member that is no count.
    fn record_text(&mut self, member: &Member, value: &Value) {
        let tier = match member {
            Member::InferenceGeo => match value.as_str() {
                None | Some("" | "global" | "not_available") => None,
                Some(_) => Some(ServiceTier::Other),
            },
            Member::Iterations => {
                let steps = value.as_array().into_iter().flatten();
                let mut kinds = steps.filter_map(|step| step.get("type")?.as_str());
                self.other_charges |= kinds.any(|kind| kind != "message");
                None
            }
            Member::SearchContextSize => {
                self.other_charges |= value.as_str().is_some_and(|size| !size.is_empty());
                None
            }
            _ => ServiceTier::from_member(value),
        };
        self.add_tier(tier);
    }
}

impl Member {
    pub(super) fn from_name(name: &[u8]) -> Option<Self> {
        Self::deserialize(BytesDeserializer::<Error>::new(name)).ok()
    }

    /// True for the members that are objects with counts.
    pub(super) fn has_details(&self) -> bool {
        matches!(
            self,
            Self::PromptTokensDetails | Self::CompletionTokensDetails | Self::CacheCreation
        )
    }

    /// The count in a number of this name.
    fn count(&self) -> Option<Count> {
        Some(match self {
            Self::PromptTokens => Count::Prompt,
            Self::InputTokens => Count::Input,
            Self::CompletionTokens => Count::Completion,
            Self::TotalTokens => Count::Total,
            Self::CachedTokens => Count::Cached,
            Self::CacheReadInputTokens => Count::CacheRead,
            Self::CacheWriteTokens => Count::CacheWrite,
            Self::CacheCreationInputTokens => Count::CacheCreated,
            Self::Created5m => Count::Created5m,
            Self::Created1h => Count::Created1h,
            Self::ReasoningTokens => Count::Reasoning,
            Self::AudioTokens => Count::Audio,
            Self::ImageTokens => Count::Image,
            Self::WebSearchRequests => Count::Searches,
            _ => return None,
        })
    }
}

impl<'de> Deserialize<'de> for UsageReport {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Counted::deserialize(deserializer).map(|value| value.report)
    }
}

impl Counted {
    fn from_number(count: u64) -> Self {
        if count > MAX_COUNT {
            return Self::invalid();
        }
        Self {
            count: Some(count),
            ..Self::default()
        }
    }

    fn invalid() -> Self {
        Self::unless_empty(false)
    }

    /// Of another type than a count. An empty value stands for none.
    fn unless_empty(is_empty: bool) -> Self {
        Self {
            is_invalid: !is_empty,
            ..Self::default()
        }
    }
}

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountedVisitor)
    }
}

impl<'de> Visitor<'de> for CountedVisitor {
    type Value = Counted;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_u64<E>(self, count: u64) -> Result<Counted, E> {
        Ok(Counted::from_number(count))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Counted, E> {
        #[expect(
            clippy::cast_precision_loss,
            reason = "below 2^53, where every whole number is exact"
        )]
        let is_whole = number.fract() == 0.0 && (0.0..=MAX_COUNT as f64).contains(&number);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole, not negative and in range"
        )]
        Ok(if is_whole {
            Counted::from_number(number as u64)
        } else {
            Counted::invalid()
        })
    }

    fn visit_i64<E>(self, _: i64) -> Result<Counted, E> {
        Ok(Counted::invalid())
    }

    fn visit_bool<E>(self, value: bool) -> Result<Counted, E> {
        Ok(Counted::unless_empty(!value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Counted, E> {
        Ok(Counted::unless_empty(text.is_empty()))
    }

    fn visit_unit<E>(self) -> Result<Counted, E> {
        Ok(Counted::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Counted, A::Error> {
        let mut is_empty = true;
        while items.next_element::<IgnoredAny>()?.is_some() {
            is_empty = false;
        }
        Ok(Counted::unless_empty(is_empty))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Counted, A::Error> {
        let mut report = UsageReport::default();
        while let Some(member) = members.next_key::<Member>()? {
            match member {
                Member::Unknown => {
                    members.next_value::<IgnoredAny>()?;
                }
                Member::SearchContextSize
                | Member::ServiceTier
                | Member::Speed
                | Member::InferenceGeo
                | Member::Iterations => {
                    report.record_text(&member, &members.next_value()?);
                }
                _ => report.record(&member, &members.next_value()?),
            }
        }
        Ok(Counted {
            report,
            ..Counted::default()
        })
    }
}
