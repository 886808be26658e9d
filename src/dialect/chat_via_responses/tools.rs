//! Tools and `tool_choice`.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::dialect::field::{JsonField, JsonObject, JsonType};
use crate::dialect::text::Text;
use crate::dialect::translation_error::TranslationError;

/// JSON schema of a function without parameters.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ResponsesTool<'a> {
    Function {
        name: Text<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<Text<'a>>,
        /// Required, as is `strict` (`FunctionToolParam`).
        parameters: Parameters<'a>,
        /// Without it, Responses is strict and chat is not.
        strict: bool,
    },
    Custom {
        name: Text<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<Text<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        format: Option<InputFormat<'a>>,
    },
    WebSearch {
        #[serde(skip_serializing_if = "Option::is_none")]
        search_context_size: Option<Text<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_location: Option<UserLocation<'a>>,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Parameters<'a> {
    Explicit(&'a RawValue),
    Default(Box<RawValue>),
}

/// Of the input of a custom tool.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum InputFormat<'a> {
    Text,
    Grammar {
        syntax: Text<'a>,
        definition: Text<'a>,
    },
}

#[derive(Serialize)]
pub(super) struct UserLocation<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<Text<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ResponsesToolChoice<'a> {
    Mode(Text<'a>),
    Tool(ToolReference<'a>),
    AllowedTools {
        #[serde(rename = "type")]
        kind: &'static str,
        mode: Text<'a>,
        tools: Vec<ToolReference<'a>>,
    },
}

#[derive(Serialize)]
pub(super) struct ToolReference<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: Text<'a>,
}

pub(super) fn tools<'a>(
    chat: &mut JsonObject<'a>,
) -> Result<Vec<ResponsesTool<'a>>, TranslationError> {
    if let Some(functions) = chat.take("functions") {
        return functions.unsupported_parameter("is deprecated: use `tools`.");
    }
    let mut tools = Vec::new();
    if let Some(field) = chat.take("tools") {
        tools = field.array()?.iter().map(tool).collect::<Result<_, _>>()?;
    }
    if let Some(field) = chat.take("web_search_options") {
        tools.push(web_search(&field)?);
    }
    Ok(tools)
}

fn tool<'a>(field: &JsonField<'a>) -> Result<ResponsesTool<'a>, TranslationError> {
    let mut outer = field.object()?;
    // `OpenAI` caches automatically.
    outer.ignore(&["cache_control"]);
    let kind = outer.require("type")?;
    let tool = match &*kind.string()? {
        "function" => function(outer.require("function")?.object()?)?,
        "custom" => custom(outer.require("custom")?.object()?)?,
        _ => {
            let detail = "must be function or custom: other tools cannot be translated.";
            return kind.unsupported_value(detail);
        }
    };
    outer.finish()?;
    Ok(tool)
}

fn function(mut function: JsonObject<'_>) -> Result<ResponsesTool<'_>, TranslationError> {
    let parameters = function.take("parameters");
    let parameters = parameters.map(|field| field.raw_object()).transpose()?;
    let default = || RawValue::from_string(NO_PARAMETERS.to_owned()).unwrap_or_default();
    let strict = function.take("strict");
    let tool = ResponsesTool::Function {
        name: function.require("name")?.text()?,
        description: function.take_text("description")?,
        parameters: parameters.map_or_else(|| Parameters::Default(default()), Parameters::Explicit),
        strict: strict.map_or(Ok(false), |field| field.boolean())?,
    };
    function.finish()?;
    Ok(tool)
}

fn custom(mut custom: JsonObject<'_>) -> Result<ResponsesTool<'_>, TranslationError> {
    let format = custom.take("format");
    let tool = ResponsesTool::Custom {
        name: custom.require("name")?.text()?,
        description: custom.take_text("description")?,
        format: format.map(|field| input_format(&field)).transpose()?,
    };
    custom.finish()?;
    Ok(tool)
}

/// Chat has the grammar in a member of its own.
fn input_format<'a>(field: &JsonField<'a>) -> Result<InputFormat<'a>, TranslationError> {
    let mut outer = field.object()?;
    let kind = outer.require("type")?;
    let format = match &*kind.string()? {
        "text" => InputFormat::Text,
        "grammar" => {
            let mut grammar = outer.require("grammar")?.object()?;
            let format = InputFormat::Grammar {
                syntax: grammar.require("syntax")?.text()?,
                definition: grammar.require("definition")?.text()?,
            };
            grammar.finish()?;
            format
        }
        _ => return kind.unsupported_value("must be text or grammar."),
    };
    outer.finish()?;
    Ok(format)
}

fn web_search<'a>(field: &JsonField<'a>) -> Result<ResponsesTool<'a>, TranslationError> {
    let mut options = field.object()?;
    let location = options.take("user_location");
    let tool = ResponsesTool::WebSearch {
        search_context_size: options.take_text("search_context_size")?,
        user_location: location.map(|field| user_location(&field)).transpose()?,
    };
    options.finish()?;
    Ok(tool)
}

fn user_location<'a>(field: &JsonField<'a>) -> Result<UserLocation<'a>, TranslationError> {
    let mut outer = field.object()?;
    let kind = outer.require("type")?;
    if kind.string()? != "approximate" {
        return kind.unsupported_value("must be approximate.");
    }
    let mut location = outer.require("approximate")?.object()?;
    let translated = UserLocation {
        kind: "approximate",
        city: location.take_text("city")?,
        country: location.take_text("country")?,
        region: location.take_text("region")?,
        timezone: location.take_text("timezone")?,
    };
    location.finish()?;
    outer.finish()?;
    Ok(translated)
}

pub(super) fn tool_choice<'a>(
    chat: &mut JsonObject<'a>,
) -> Result<Option<ResponsesToolChoice<'a>>, TranslationError> {
    if let Some(call) = chat.take("function_call") {
        return call.unsupported_parameter("is deprecated: use `tool_choice`.");
    }
    let Some(field) = chat.take("tool_choice") else {
        return Ok(None);
    };
    if field.json_type() == JsonType::String {
        return Ok(Some(ResponsesToolChoice::Mode(field.text()?)));
    }
    let mut outer = field.object()?;
    let kind = outer.require("type")?;
    if kind.string()? != "allowed_tools" {
        return Ok(Some(ResponsesToolChoice::Tool(tool_reference(&field)?)));
    }
    let mut allowed = outer.require("allowed_tools")?.object()?;
    let tools = allowed.require("tools")?.array()?;
    let choice = ResponsesToolChoice::AllowedTools {
        kind: "allowed_tools",
        mode: allowed.require("mode")?.text()?,
        tools: tools.iter().map(tool_reference).collect::<Result<_, _>>()?,
    };
    allowed.finish()?;
    outer.finish()?;
    Ok(Some(choice))
}

fn tool_reference<'a>(field: &JsonField<'a>) -> Result<ToolReference<'a>, TranslationError> {
    let mut outer = field.object()?;
    let kind = outer.require("type")?;
    let kind = match &*kind.string()? {
        "function" => "function",
        "custom" => "custom",
        _ => {
            return kind.unsupported_value("must be function, custom or allowed_tools.");
        }
    };
    let mut tool = outer.require(kind)?.object()?;
    let name = tool.require("name")?.text()?;
    tool.finish()?;
    outer.finish()?;
    Ok(ToolReference { kind, name })
}
