//! Tools and `tool_choice`.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::dialect::field::{JsonField, JsonObject};
use crate::dialect::text::Text;
use crate::dialect::translation_error::TranslationError;

#[derive(Serialize)]
pub(super) struct ChatTool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: ChatFunction<'a>,
}

#[derive(Serialize)]
struct ChatFunction<'a> {
    name: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Text<'a>>,
    parameters: &'a RawValue,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ChatToolChoice<'a> {
    Mode(&'static str),
    Function {
        #[serde(rename = "type")]
        kind: &'static str,
        function: ChatFunctionName<'a>,
    },
}

#[derive(Serialize)]
pub(super) struct ChatFunctionName<'a> {
    name: Text<'a>,
}

pub(super) fn tools<'a>(
    request: &mut JsonObject<'a>,
) -> Result<Vec<ChatTool<'a>>, TranslationError> {
    let Some(field) = request.take("tools") else {
        return Ok(Vec::new());
    };
    field.array()?.iter().map(tool).collect()
}

fn tool<'a>(field: &JsonField<'a>) -> Result<ChatTool<'a>, TranslationError> {
    let mut tool = field.object()?;
    let kind = tool.take("type");
    if let Some(kind) = kind.filter(|kind| !kind.equals_any_of(&["\"custom\""])) {
        return kind.unsupported_value(
            "is a tool that Anthropic runs itself; this model does not have it.",
        );
    }
    // They do not change the response. A tool whose definition may be loaded later is
    // offered at once.
    tool.ignore(&["cache_control", "eager_input_streaming", "defer_loading"]);
    tool.ignore_defaults(&[
        ("allowed_callers", &["[\"direct\"]"]),
        ("input_examples", &["[]"]),
    ])?;
    let strict = tool.take("strict");
    let function = ChatFunction {
        name: tool.require("name")?.text()?,
        description: tool.take_text("description")?,
        parameters: tool.require("input_schema")?.raw_object()?,
        strict: strict.map_or(Ok(false), |field| field.boolean())?,
    };
    tool.finish()?;
    Ok(ChatTool {
        kind: "function",
        function,
    })
}

/// `tool_choice` and `parallel_tool_calls`, which Messages has in one. `OpenAI`
/// rejects both in a request without tools, where only one choice means something.
pub(super) fn tool_choice<'a>(
    request: &mut JsonObject<'a>,
    has_tools: bool,
) -> Result<(Option<ChatToolChoice<'a>>, Option<bool>), TranslationError> {
    let Some(field) = request.take("tool_choice") else {
        return Ok((None, None));
    };
    let mut choice = field.object()?;
    let disable_parallel = choice.take("disable_parallel_tool_use");
    let disable_parallel = disable_parallel.map_or(Ok(false), |field| field.boolean())?;
    let kind = choice.require("type")?;
    let tool_choice = match &*kind.string()? {
        "auto" => ChatToolChoice::Mode("auto"),
        "any" => ChatToolChoice::Mode("required"),
        "none" => ChatToolChoice::Mode("none"),
        "tool" => ChatToolChoice::Function {
            kind: "function",
            function: ChatFunctionName {
                name: choice.require("name")?.text()?,
            },
        },
        _ => return kind.unsupported_value("must be auto, any, tool or none."),
    };
    choice.finish()?;
    if has_tools {
        return Ok((Some(tool_choice), disable_parallel.then_some(false)));
    }
    match tool_choice {
        ChatToolChoice::Mode("auto" | "none") => Ok((None, None)),
        _ => field.unsupported_value("requires `tools`."),
    }
}
