//! The settings beside the messages and the tools.

use serde::Serialize;
use serde_json::value::RawValue;

use super::content::Conversation;
use crate::dialect::ToMessages;
use crate::dialect::field::{Field, Kind, Object};
use crate::dialect::refusal::Refusal;
use crate::dialect::text::Text;
use crate::dialect::thinking::{Effort, LEAST_BUDGET, Thinking};

/// `output_config`.
#[derive(Serialize)]
pub(super) struct OutputConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) effort: Option<Effort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<Format<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Format<'a> {
    JsonSchema { schema: &'a RawValue },
}

/// `thinking`.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ThinkingConfig<'a> {
    /// As the caller wrote it.
    Given(&'a RawValue),
    Asked(Asked),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Asked {
    Disabled,
    Enabled {
        budget_tokens: u64,
    },
    /// Newer models leave the thoughts out of the answer unless told so.
    Adaptive {
        display: &'static str,
    },
}

/// What becomes of `reasoning_effort` and `max_tokens`.
pub(super) struct Reasoning<'a> {
    pub(super) max_tokens: u64,
    pub(super) thinking: Option<ThinkingConfig<'a>>,
    pub(super) effort: Option<Effort>,
}

impl OutputConfig<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.effort.is_none() && self.format.is_none()
    }
}

/// `stream_options`; obfuscation only pads events.
pub(super) fn include_usage(chat: &mut Object<'_>) -> Result<bool, Refusal> {
    let Some(field) = chat.take("stream_options") else {
        return Ok(false);
    };
    let mut options = field.object()?;
    let include = options.take("include_usage");
    options.ignore(&["include_obfuscation"]);
    options.done()?;
    include.map_or(Ok(false), |field| field.flag())
}

/// `max_completion_tokens`, or `max_tokens`, its old name.
pub(super) fn max_tokens(chat: &mut Object<'_>) -> Result<Option<u64>, Refusal> {
    let newer = chat.take("max_completion_tokens");
    let older = chat.take("max_tokens");
    if let (Some(_), Some(older)) = (&newer, &older) {
        return Err(Refusal::invalid(
            &older.path,
            "must not be given together with `max_completion_tokens`.",
        ));
    }
    newer.or(older).map(|field| field.whole()).transpose()
}

/// `reasoning_effort`, with its path.
pub(super) fn effort<'a>(chat: &mut Object<'a>) -> Result<Option<(Field<'a>, Effort)>, Refusal> {
    let Some(field) = chat.take("reasoning_effort") else {
        return Ok(None);
    };
    let Some(effort) = Effort::of(&field.string()?) else {
        return field.not_this("must be none, minimal, low, medium, high, xhigh or max.");
    };
    Ok(Some((field, effort)))
}

/// `thinking` is no member of the chat API, but Anthropic's own compatibility
/// layer takes it; so those who know whom they call may say it.
pub(super) fn thinking<'a>(chat: &mut Object<'a>) -> Result<Option<&'a RawValue>, Refusal> {
    let field = chat.take("thinking");
    field.map(|field| field.any_object()).transpose()
}

/// `cache_control`, likewise.
pub(super) fn cache_control<'a>(chat: &mut Object<'a>) -> Result<Option<&'a RawValue>, Refusal> {
    let field = chat.take("cache_control");
    field.map(|field| field.any_object()).transpose()
}

/// Says how much to think, and how much to write.
pub(super) fn reason<'a>(
    wish: Option<(Field<'a>, Effort)>,
    given: Option<&'a RawValue>,
    limit: Option<u64>,
    conversation: &Conversation<'_>,
    upstream: &ToMessages<'_>,
) -> Result<Reasoning<'a>, Refusal> {
    let mut reasoning = Reasoning {
        max_tokens: limit.unwrap_or(upstream.default_max_tokens),
        thinking: given.map(ThinkingConfig::Given),
        effort: None,
    };
    let Some((field, effort)) = wish else {
        return Ok(reasoning);
    };
    if given.is_some() {
        return field.unsupported("must not be given together with `thinking`.");
    }
    let asked = match upstream.thinking {
        _ if effort == Effort::None => Asked::Disabled,
        Thinking::Adaptive => {
            reasoning.effort = Some(effort.anthropic());
            Asked::Adaptive {
                display: "summarized",
            }
        }
        // Such a model must begin a turn with its thoughts or not think in it,
        // and callers who know the chat API alone cannot give them back.
        Thinking::Budget if conversation.lacks_thoughts() => return Ok(reasoning),
        Thinking::Budget => {
            let budget_tokens = budget(&field, effort, limit)?;
            if limit.is_none() {
                reasoning.max_tokens = reasoning.max_tokens.saturating_add(budget_tokens);
            }
            Asked::Enabled { budget_tokens }
        }
    };
    reasoning.thinking = Some(ThinkingConfig::Asked(asked));
    Ok(reasoning)
}

/// The budget for an effort: at most half of what may be written in all.
fn budget(field: &Field<'_>, effort: Effort, limit: Option<u64>) -> Result<u64, Refusal> {
    let most = limit.map_or(u64::MAX, |limit| limit / 2);
    if most < LEAST_BUDGET {
        return field.not_this("needs a limit of at least 2048 tokens, or none.");
    }
    Ok(effort.budget().min(most))
}

/// `temperature`: Anthropic's ends at 1.
pub(super) fn temperature<'a>(chat: &mut Object<'a>) -> Result<Option<&'a RawValue>, Refusal> {
    let Some(field) = chat.take("temperature") else {
        return Ok(None);
    };
    if field.number()? > 1.0 {
        return field.not_this("must be at most 1 for this model.");
    }
    Ok(Some(field.raw()))
}

/// `stop`, one or several.
pub(super) fn stop<'a>(chat: &mut Object<'a>) -> Result<Vec<Text<'a>>, Refusal> {
    let Some(field) = chat.take("stop") else {
        return Ok(Vec::new());
    };
    if field.kind() == Kind::Text {
        return Ok(vec![field.text()?]);
    }
    field.list()?.iter().map(Field::text).collect()
}

/// `service_tier`. Anthropic's `auto`, which is what it does when nothing is
/// said, uses what priority capacity there is.
pub(super) fn service_tier(chat: &mut Object<'_>) -> Result<Option<&'static str>, Refusal> {
    let Some(field) = chat.take("service_tier") else {
        return Ok(None);
    };
    match &*field.string()? {
        "auto" => Ok(None),
        "default" => Ok(Some("standard_only")),
        _ => field.not_this("must be auto or default for this model."),
    }
}

/// `response_format`. A schema is always obeyed, and its name has no place.
pub(super) fn format<'a>(chat: &mut Object<'a>) -> Result<Option<Format<'a>>, Refusal> {
    let Some(field) = chat.take("response_format") else {
        return Ok(None);
    };
    let mut format = field.object()?;
    let kind = format.need("type")?;
    match &*kind.string()? {
        "text" => {
            format.done()?;
            Ok(None)
        }
        "json_schema" => {
            let mut wrapped = format.need("json_schema")?.object()?;
            let schema = wrapped.need("schema")?.any_object()?;
            wrapped.ignore(&["name", "strict"]);
            wrapped.done()?;
            format.done()?;
            Ok(Some(Format::JsonSchema { schema }))
        }
        _ => kind.not_this("must be text or json_schema for this model: it has no other."),
    }
}
