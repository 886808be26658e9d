//! Request options other than messages and tools.

use crate::dialect::chat_request::{ChatJsonSchema, ChatResponseFormat};
use crate::dialect::field::{JsonField, JsonObject};
use crate::dialect::text::Text;
use crate::dialect::thinking::ReasoningEffort;
use crate::dialect::translation_error::TranslationError;

/// `OpenAI`'s limit for `user`.
const MAX_USER_LENGTH: usize = 64;

/// `reasoning_effort` and `response_format`, from `thinking`, `output_config` and
/// `output_format`.
pub(super) fn effort_and_format<'a>(
    request: &mut JsonObject<'a>,
) -> Result<(Option<ReasoningEffort>, Option<ChatResponseFormat<'a>>), TranslationError> {
    let mut effort = None;
    let mut format = None;
    if let Some(field) = request.take("output_config") {
        let mut config = field.object()?;
        if let Some(field) = config.take("effort") {
            effort = ReasoningEffort::parse(&field.string()?);
            if effort.is_none() {
                return field.unsupported_value("must be low, medium, high, xhigh or max.");
            }
        }
        format = config
            .take("format")
            .map(|field| response_format(&field))
            .transpose()?;
        config.finish()?;
    }
    // The old name of `output_config.format`.
    if let Some(field) = request.take("output_format") {
        format = Some(response_format(&field)?);
    }
    match request.take("thinking") {
        None => Ok((effort, format)),
        Some(field) => Ok((thinking(&field, effort)?, format)),
    }
}

fn thinking(
    field: &JsonField<'_>,
    effort: Option<ReasoningEffort>,
) -> Result<Option<ReasoningEffort>, TranslationError> {
    let mut thinking = field.object()?;
    let kind = thinking.require("type")?;
    let effort = match &*kind.string()? {
        "disabled" => None,
        "adaptive" => effort,
        "enabled" => {
            let budget = thinking.require("budget_tokens")?.integer()?;
            Some(effort.unwrap_or_else(|| ReasoningEffort::from_budget(budget)))
        }
        _ => return kind.unsupported_value("must be enabled, adaptive or disabled."),
    };
    // Chat has no option for what thinking to show.
    thinking.ignore(&["display"]);
    thinking.finish()?;
    Ok(effort)
}

fn response_format<'a>(field: &JsonField<'a>) -> Result<ChatResponseFormat<'a>, TranslationError> {
    let mut format = field.object()?;
    let kind = format.require("type")?;
    if kind.string()? != "json_schema" {
        return kind.unsupported_value("must be json_schema.");
    }
    let schema = format.require("schema")?.raw_object()?;
    format.finish()?;
    Ok(ChatResponseFormat::JsonSchema {
        json_schema: ChatJsonSchema {
            name: Text::encode("answer"),
            description: None,
            schema,
            strict: Some(true),
        },
    })
}

pub(super) fn stop_sequences<'a>(
    request: &mut JsonObject<'a>,
) -> Result<Vec<Text<'a>>, TranslationError> {
    let Some(field) = request.take("stop_sequences") else {
        return Ok(Vec::new());
    };
    field.array()?.iter().map(JsonField::text).collect()
}

/// `metadata.user_id`. One that is too long is omitted: an error would help no
/// client.
pub(super) fn user<'a>(request: &mut JsonObject<'a>) -> Result<Option<Text<'a>>, TranslationError> {
    let Some(field) = request.take("metadata") else {
        return Ok(None);
    };
    let mut metadata = field.object()?;
    let user = metadata.take_text("user_id")?;
    metadata.finish()?;
    Ok(user.filter(|user| (1..=MAX_USER_LENGTH).contains(&user.escaped().len())))
}

pub(super) fn service_tier(
    request: &mut JsonObject<'_>,
) -> Result<Option<&'static str>, TranslationError> {
    let Some(field) = request.take("service_tier") else {
        return Ok(None);
    };
    match &*field.string()? {
        "auto" => Ok(None),
        "standard_only" => Ok(Some("default")),
        _ => field.unsupported_value("must be auto or standard_only."),
    }
}
