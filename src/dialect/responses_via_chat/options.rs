//! Request options other than the conversation and tools.

use crate::dialect::chat_request::{ChatJsonSchema, ChatResponseFormat};
use crate::dialect::field::{JsonField, JsonObject};
use crate::dialect::text::Text;
use crate::dialect::thinking::ReasoningEffort;
use crate::dialect::translation_error::TranslationError;

/// `OpenAI`'s limit for `user`.
const MAX_USER_LENGTH: usize = 64;

/// Values of `include` that ask for members of items that this model has not, or that it
/// has anyway.
const INCLUDED: [&str; 7] = [
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
];

/// `text.format`. `verbosity` is a wish that only some models of `OpenAI` know.
pub(super) fn response_format<'a>(
    request: &mut JsonObject<'a>,
) -> Result<Option<ChatResponseFormat<'a>>, TranslationError> {
    let Some(field) = request.take("text") else {
        return Ok(None);
    };
    let mut text = field.object()?;
    let format = text.take("format");
    text.ignore(&["verbosity"]);
    text.finish()?;
    format.as_ref().map_or(Ok(None), self::format)
}

fn format<'a>(field: &JsonField<'a>) -> Result<Option<ChatResponseFormat<'a>>, TranslationError> {
    let mut format = field.object()?;
    let kind = format.require("type")?;
    let response_format = match &*kind.string()? {
        "text" => None,
        "json_object" => Some(ChatResponseFormat::JsonObject),
        "json_schema" => {
            let strict = format.take("strict");
            let json_schema = ChatJsonSchema {
                name: format.require("name")?.text()?,
                description: format.take_text("description")?,
                schema: format.require("schema")?.raw_object()?,
                strict: strict.map(|field| field.boolean()).transpose()?,
            };
            Some(ChatResponseFormat::JsonSchema { json_schema })
        }
        _ => return kind.unsupported_value("must be text, json_object or json_schema."),
    };
    format.finish()?;
    Ok(response_format)
}

/// `reasoning.effort`. Chat has no option for what reasoning to show, or to read again.
pub(super) fn effort(
    request: &mut JsonObject<'_>,
) -> Result<Option<ReasoningEffort>, TranslationError> {
    let Some(field) = request.take("reasoning") else {
        return Ok(None);
    };
    let mut reasoning = field.object()?;
    reasoning.ignore(&["summary", "generate_summary", "context"]);
    reasoning.ignore_defaults(&[("mode", &["\"standard\""])])?;
    let effort = reasoning.take("effort");
    reasoning.finish()?;
    let Some(field) = effort else {
        return Ok(None);
    };
    let effort = ReasoningEffort::parse(&field.string()?);
    if effort.is_none() {
        return field.unsupported_value("must be none, minimal, low, medium, high, xhigh or max.");
    }
    Ok(effort)
}

/// The end user's id; `safety_identifier` is the newer name of `user`. One that is too
/// long for chat is omitted: an error would help no client.
pub(super) fn user<'a>(request: &mut JsonObject<'a>) -> Result<Option<Text<'a>>, TranslationError> {
    let safety_identifier = request.take_text("safety_identifier")?;
    let user = request.take_text("user")?;
    let user = safety_identifier.or(user);
    Ok(user.filter(|user| (1..=MAX_USER_LENGTH).contains(&user.escaped().len())))
}

/// `auto` is the default.
pub(super) fn service_tier<'a>(
    request: &mut JsonObject<'a>,
) -> Result<Option<Text<'a>>, TranslationError> {
    let field = request.take("service_tier");
    let field = field.filter(|field| !field.equals_any_of(&["\"auto\""]));
    field.map(|field| field.text()).transpose()
}

/// Padding of events changes nothing.
pub(super) fn check_stream_options(request: &mut JsonObject<'_>) -> Result<(), TranslationError> {
    let Some(field) = request.take("stream_options") else {
        return Ok(());
    };
    let mut options = field.object()?;
    options.ignore(&["include_obfuscation"]);
    options.finish()
}

pub(super) fn check_include(request: &mut JsonObject<'_>) -> Result<(), TranslationError> {
    let Some(field) = request.take("include") else {
        return Ok(());
    };
    for field in field.array()? {
        if !INCLUDED.contains(&&*field.string()?) {
            return field.unsupported_value("is not available from this model.");
        }
    }
    Ok(())
}

/// `auto` permits that items are dropped, and requires nothing.
pub(super) fn check_truncation(request: &mut JsonObject<'_>) -> Result<(), TranslationError> {
    match request.take("truncation") {
        Some(field) if !field.equals_any_of(&["\"auto\"", "\"disabled\""]) => {
            field.unsupported_value("must be auto or disabled.")
        }
        _ => Ok(()),
    }
}

/// Members that refer to what `OpenAI` has stored, and one that needs a store.
pub(super) fn check_stateless(request: &mut JsonObject<'_>) -> Result<(), TranslationError> {
    for name in ["previous_response_id", "conversation"] {
        if let Some(field) = request.take(name) {
            return field.unsupported_parameter(super::input::STATELESS);
        }
    }
    if let Some(field) = request.take("prompt") {
        return field.unsupported_parameter(
            "refers to what another provider stores: send its text in `instructions` or `input`.",
        );
    }
    match request.take("background") {
        Some(field) if field.boolean()? => {
            field.unsupported_parameter("is not available from this model: use `stream`.")
        }
        _ => Ok(()),
    }
}
