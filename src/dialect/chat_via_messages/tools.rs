//! Tools and `tool_choice`.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::dialect::chat_request::no_parameters;
use crate::dialect::field::{JsonField, JsonObject, JsonType};
use crate::dialect::text::Text;
use crate::dialect::translation_error::TranslationError;

#[derive(Serialize)]
pub(super) struct MessagesTool<'a> {
    name: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Text<'a>>,
    input_schema: InputSchema<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum InputSchema<'a> {
    Explicit(&'a RawValue),
    Default(Box<RawValue>),
}

#[derive(Serialize)]
pub(super) struct MessagesToolChoice<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Text<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disable_parallel_tool_use: bool,
}

impl MessagesToolChoice<'_> {
    pub(super) fn is_forced(&self) -> bool {
        matches!(self.kind, "any" | "tool")
    }
}

pub(super) fn tools<'a>(
    chat: &mut JsonObject<'a>,
) -> Result<Vec<MessagesTool<'a>>, TranslationError> {
    if let Some(functions) = chat.take("functions") {
        return functions.unsupported_parameter("is deprecated: use `tools`.");
    }
    let Some(field) = chat.take("tools") else {
        return Ok(Vec::new());
    };
    field.array()?.iter().map(tool).collect()
}

fn tool<'a>(field: &JsonField<'a>) -> Result<MessagesTool<'a>, TranslationError> {
    let mut outer = field.object()?;
    let kind = outer.require("type")?;
    if kind.string()? != "function" {
        return kind.unsupported_value("must be function: other tools cannot be translated.");
    }
    let mut function = outer.require("function")?.object()?;
    let parameters = function.take("parameters");
    let parameters = parameters.map(|field| field.raw_object()).transpose()?;
    let strict = function.take("strict");
    let cache_control = outer.take("cache_control");
    let tool = MessagesTool {
        name: function.require("name")?.text()?,
        description: function.take_text("description")?,
        input_schema: input_schema(parameters),
        strict: strict.map_or(Ok(false), |field| field.boolean())?,
        cache_control: cache_control.map(|field| field.raw_object()).transpose()?,
    };
    function.finish()?;
    outer.finish()?;
    Ok(tool)
}

/// Anthropic requires the schema of an object.
fn input_schema(parameters: Option<&RawValue>) -> InputSchema<'_> {
    let explicit = parameters.filter(|schema| {
        let members = schema
            .get()
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace());
        members.take(3).count() > 2
    });
    explicit.map_or_else(
        || InputSchema::Default(no_parameters()),
        InputSchema::Explicit,
    )
}

/// Anthropic's `tool_choice` includes `parallel_tool_calls`. It is rejected in a
/// request without tools, where only one choice means something.
pub(super) fn tool_choice<'a>(
    chat: &mut JsonObject<'a>,
    has_tools: bool,
) -> Result<Option<MessagesToolChoice<'a>>, TranslationError> {
    if let Some(call) = chat.take("function_call") {
        return call.unsupported_parameter("is deprecated: use `tool_choice`.");
    }
    let parallel = chat.take("parallel_tool_calls");
    let disable_parallel = !parallel.map_or(Ok(true), |field| field.boolean())?;
    let choice = chat.take("tool_choice");
    let (kind, name) = match &choice {
        Some(field) if field.json_type() == JsonType::String => (mode(field)?, None),
        Some(field) => ("tool", Some(named_tool(field)?)),
        None if disable_parallel => ("auto", None),
        None => return Ok(None),
    };
    if has_tools {
        return Ok(Some(MessagesToolChoice {
            kind,
            name,
            disable_parallel_tool_use: disable_parallel && kind != "none",
        }));
    }
    match choice.filter(|_| matches!(kind, "any" | "tool")) {
        Some(forced) => forced.unsupported_value("requires `tools`."),
        None => Ok(None),
    }
}

fn mode(field: &JsonField<'_>) -> Result<&'static str, TranslationError> {
    match &*field.string()? {
        "none" => Ok("none"),
        "auto" => Ok("auto"),
        "required" => Ok("any"),
        _ => field.unsupported_value("must be none, auto, required or a function."),
    }
}

fn named_tool<'a>(field: &JsonField<'a>) -> Result<Text<'a>, TranslationError> {
    let mut choice = field.object()?;
    let kind = choice.require("type")?;
    if kind.string()? != "function" {
        return kind.unsupported_value("must be function: other choices cannot be translated.");
    }
    let mut function = choice.require("function")?.object()?;
    let name = function.require("name")?.text()?;
    function.finish()?;
    choice.finish()?;
    Ok(name)
}
