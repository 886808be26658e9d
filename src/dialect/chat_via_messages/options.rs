//! Request options other than messages and tools.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::content::MessagesConversation;
use crate::dialect::MessagesUpstream;
use crate::dialect::field::{JsonField, JsonObject, JsonType};
use crate::dialect::text::Text;
use crate::dialect::thinking::{MIN_BUDGET_TOKENS, ReasoningEffort, ThinkingMode};
use crate::dialect::translation_error::TranslationError;

#[derive(Serialize)]
pub(super) struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) effort: Option<ReasoningEffort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<OutputFormat<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum OutputFormat<'a> {
    JsonSchema { schema: &'a RawValue },
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ThinkingParam<'a> {
    /// The client's own `thinking`.
    Explicit(&'a RawValue),
    FromEffort(EffortThinking),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum EffortThinking {
    Disabled,
    Enabled {
        budget_tokens: u64,
    },
    /// By default, newer models omit thinking from the response.
    Adaptive {
        display: &'static str,
    },
}

/// The client's own `thinking`.
#[derive(Deserialize)]
struct ExplicitThinking<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    budget_tokens: Option<u64>,
}

/// The Messages options that follow from `reasoning_effort` and `max_tokens`.
pub(super) struct ReasoningOptions<'a> {
    pub(super) max_tokens: u64,
    pub(super) thinking: Option<ThinkingParam<'a>>,
    pub(super) effort: Option<ReasoningEffort>,
}

impl ReasoningOptions<'_> {
    pub(super) fn is_thinking(&self) -> bool {
        match &self.thinking {
            None | Some(ThinkingParam::FromEffort(EffortThinking::Disabled)) => false,
            Some(ThinkingParam::FromEffort(_)) => true,
            Some(ThinkingParam::Explicit(_)) => self
                .explicit()
                .is_some_and(|explicit| matches!(&*explicit.kind, "enabled" | "adaptive")),
        }
    }

    fn explicit(&self) -> Option<ExplicitThinking<'_>> {
        match self.thinking {
            Some(ThinkingParam::Explicit(raw)) => serde_json::from_str(raw.get()).ok(),
            _ => None,
        }
    }
}

impl OutputConfig<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.effort.is_none() && self.format.is_none()
    }
}

/// `reasoning_effort`, with the field for errors.
pub(super) fn effort<'a>(
    chat: &mut JsonObject<'a>,
) -> Result<Option<(JsonField<'a>, ReasoningEffort)>, TranslationError> {
    let Some(field) = chat.take("reasoning_effort") else {
        return Ok(None);
    };
    let Some(effort) = ReasoningEffort::parse(&field.string()?) else {
        return field.unsupported_value("must be none, minimal, low, medium, high, xhigh or max.");
    };
    Ok(Some((field, effort)))
}

/// Not a member of the chat API, but Anthropic's own compatibility layer accepts
/// it, so clients that know their provider may send it.
pub(super) fn thinking<'a>(
    chat: &mut JsonObject<'a>,
) -> Result<Option<&'a RawValue>, TranslationError> {
    let field = chat.take("thinking");
    field.map(|field| field.raw_object()).transpose()
}

/// Like `thinking`, not a member of the chat API.
pub(super) fn cache_control<'a>(
    chat: &mut JsonObject<'a>,
) -> Result<Option<&'a RawValue>, TranslationError> {
    let field = chat.take("cache_control");
    field.map(|field| field.raw_object()).transpose()
}

pub(super) fn resolve_reasoning<'a>(
    requested: Option<(JsonField<'a>, ReasoningEffort)>,
    explicit: Option<&'a RawValue>,
    limit: Option<u64>,
    conversation: &MessagesConversation<'_>,
    upstream: &MessagesUpstream<'_>,
) -> Result<ReasoningOptions<'a>, TranslationError> {
    let mut reasoning = ReasoningOptions {
        max_tokens: limit.unwrap_or(upstream.default_max_tokens),
        thinking: explicit.map(ThinkingParam::Explicit),
        effort: None,
    };
    let Some((field, effort)) = requested else {
        if limit.is_none() {
            // Anthropic requires more than the budget.
            let budget = reasoning
                .explicit()
                .and_then(|explicit| explicit.budget_tokens);
            reasoning.max_tokens = reasoning
                .max_tokens
                .saturating_add(budget.unwrap_or_default());
        }
        return Ok(reasoning);
    };
    if explicit.is_some() {
        return field.unsupported_parameter("must not be given together with `thinking`.");
    }
    let thinking = match upstream.thinking {
        _ if effort == ReasoningEffort::None => EffortThinking::Disabled,
        ThinkingMode::Adaptive => {
            reasoning.effort = Some(effort.to_anthropic());
            EffortThinking::Adaptive {
                display: "summarized",
            }
        }
        // Such a model must start a turn with its thinking or not think at all,
        // and clients that know only the chat API cannot send it back.
        ThinkingMode::Budget if conversation.lacks_thinking() => return Ok(reasoning),
        ThinkingMode::Budget => {
            let budget_tokens = budget(&field, effort, limit)?;
            if limit.is_none() {
                reasoning.max_tokens = reasoning.max_tokens.saturating_add(budget_tokens);
            }
            EffortThinking::Enabled { budget_tokens }
        }
    };
    reasoning.thinking = Some(ThinkingParam::FromEffort(thinking));
    Ok(reasoning)
}

/// At most half of the limit, so that the other half is left for the response.
fn budget(
    field: &JsonField<'_>,
    effort: ReasoningEffort,
    limit: Option<u64>,
) -> Result<u64, TranslationError> {
    let max = limit.map_or(u64::MAX, |limit| limit / 2);
    if max < MIN_BUDGET_TOKENS {
        return field.unsupported_value("needs a `max_tokens` of at least 2048, or no limit.");
    }
    Ok(effort.budget_tokens().min(max))
}

/// A string or an array.
pub(super) fn stop<'a>(chat: &mut JsonObject<'a>) -> Result<Vec<Text<'a>>, TranslationError> {
    let Some(field) = chat.take("stop") else {
        return Ok(Vec::new());
    };
    if field.json_type() == JsonType::String {
        return Ok(vec![field.text()?]);
    }
    field.array()?.iter().map(JsonField::text).collect()
}

/// Without `service_tier`, Anthropic uses its own `auto`: priority capacity where
/// available.
pub(super) fn service_tier(
    chat: &mut JsonObject<'_>,
) -> Result<Option<&'static str>, TranslationError> {
    let Some(field) = chat.take("service_tier") else {
        return Ok(None);
    };
    match &*field.string()? {
        "auto" => Ok(None),
        "default" => Ok(Some("standard_only")),
        _ => field.unsupported_value("must be auto or default for this model."),
    }
}

/// From `response_format`. Anthropic always follows the schema, and has no name
/// for it.
pub(super) fn output_format<'a>(
    chat: &mut JsonObject<'a>,
) -> Result<Option<OutputFormat<'a>>, TranslationError> {
    let Some(field) = chat.take("response_format") else {
        return Ok(None);
    };
    let mut format = field.object()?;
    let kind = format.require("type")?;
    match &*kind.string()? {
        "text" => {
            format.finish()?;
            Ok(None)
        }
        "json_schema" => {
            let mut json_schema = format.require("json_schema")?.object()?;
            let schema = json_schema.require("schema")?.raw_object()?;
            json_schema.ignore(&["name", "strict"]);
            json_schema.finish()?;
            format.finish()?;
            Ok(Some(OutputFormat::JsonSchema { schema }))
        }
        _ => kind.unsupported_value("must be text or json_schema for this model."),
    }
}
