//! Request options other than messages and tools.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::dialect::ResponsesUpstream;
use crate::dialect::chat;
use crate::dialect::field::{JsonField, JsonObject};
use crate::dialect::text::Text;
use crate::dialect::translation_error::TranslationError;

/// `OpenAI`: "Invalid `max_output_tokens`: integer below minimum value. Expected a value
/// >= 16".
const MIN_OUTPUT_TOKENS: u64 = 16;

const WITH_LOGPROBS: &str = "message.output_text.logprobs";

#[derive(Serialize)]
pub(super) struct TextConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<TextFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verbosity: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum TextFormat<'a> {
    JsonObject,
    JsonSchema {
        name: Text<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<Text<'a>>,
        schema: &'a RawValue,
        #[serde(skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
    },
}

#[derive(Serialize)]
pub(super) struct ReasoningParam<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<Text<'a>>,
}

#[derive(Serialize)]
pub(super) struct StreamParam {
    pub(super) include_obfuscation: bool,
}

pub(super) struct Logprobs {
    pub(super) top: Option<u64>,
    /// What the response must include.
    pub(super) include: Option<&'static str>,
}

impl TextConfig<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.format.is_none() && self.verbosity.is_none()
    }
}

/// From `response_format` and `verbosity`.
pub(super) fn text<'a>(chat: &mut JsonObject<'a>) -> Result<TextConfig<'a>, TranslationError> {
    Ok(TextConfig {
        format: text_format(chat)?,
        verbosity: chat.take_text("verbosity")?,
    })
}

fn text_format<'a>(chat: &mut JsonObject<'a>) -> Result<Option<TextFormat<'a>>, TranslationError> {
    let Some(field) = chat.take("response_format") else {
        return Ok(None);
    };
    let mut outer = field.object()?;
    let kind = outer.require("type")?;
    let format = match &*kind.string()? {
        "text" => None,
        "json_object" => Some(TextFormat::JsonObject),
        "json_schema" => {
            let mut format = outer.require("json_schema")?.object()?;
            let strict = format.take("strict");
            let translated = TextFormat::JsonSchema {
                name: format.require("name")?.text()?,
                description: format.take_text("description")?,
                schema: format.require("schema")?.raw_object()?,
                strict: strict.map(|field| field.boolean()).transpose()?,
            };
            format.finish()?;
            Some(translated)
        }
        _ => {
            return kind.unsupported_value("must be text, json_object or json_schema.");
        }
    };
    outer.finish()?;
    Ok(format)
}

/// From `reasoning_effort`, whose levels are those of `reasoning.effort`, or from
/// `reasoning`. That is no member of the chat API, which has no option for a summary of
/// the reasoning; and a summary that the client did not ask for would be refused to
/// organizations that are not verified.
pub(super) fn reasoning<'a>(
    chat: &mut JsonObject<'a>,
    upstream: &ResponsesUpstream<'_>,
) -> Result<Option<ReasoningParam<'a>>, TranslationError> {
    let effort = chat.take("reasoning_effort");
    let mut reasoning = ReasoningParam {
        effort: effort.as_ref().map(JsonField::text).transpose()?,
        summary: None,
    };
    if let Some(field) = chat.take("reasoning") {
        if effort.is_some() {
            return field
                .unsupported_parameter("must not be given together with `reasoning_effort`.");
        }
        let mut members = field.object()?;
        reasoning.effort = members.take_text("effort")?;
        reasoning.summary = members.take_text("summary")?;
        members.finish()?;
    }
    let says_something = reasoning.effort.is_some() || reasoning.summary.is_some();
    Ok((says_something && upstream.reasoning).then_some(reasoning))
}

pub(super) fn max_output_tokens(
    chat: &mut JsonObject<'_>,
) -> Result<Option<u64>, TranslationError> {
    let limit = chat::max_tokens(chat)?;
    // Agents test a model with a limit of 1. Zero is an error in both APIs.
    Ok(limit.map(|limit| match limit {
        1..MIN_OUTPUT_TOKENS => MIN_OUTPUT_TOKENS,
        limit => limit,
    }))
}

/// From `logprobs` and `top_logprobs`.
pub(super) fn logprobs(chat: &mut JsonObject<'_>) -> Result<Logprobs, TranslationError> {
    let wanted = chat.take("logprobs");
    let wanted = wanted.map_or(Ok(false), |field| field.boolean())?;
    let Some(field) = chat.take("top_logprobs") else {
        return Ok(Logprobs {
            top: None,
            include: wanted.then_some(WITH_LOGPROBS),
        });
    };
    let top = field.integer()?;
    if top > 0 && !wanted {
        let detail = "requires `logprobs` to be true.";
        return Err(TranslationError::invalid_value(&field.path, detail));
    }
    Ok(Logprobs {
        top: wanted.then_some(top),
        include: wanted.then_some(WITH_LOGPROBS),
    })
}
