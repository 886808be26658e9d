//! Tools and who decides about them.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::dialect::field::{Field, Object};
use crate::dialect::refusal::Refusal;
use crate::dialect::text::Text;

/// One of `tools`.
#[derive(Serialize)]
pub(super) struct Tool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Text<'a>>,
    parameters: &'a RawValue,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
}

/// `tool_choice`.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ToolChoice<'a> {
    Mode(&'static str),
    Function {
        #[serde(rename = "type")]
        kind: &'static str,
        function: Name<'a>,
    },
}

#[derive(Serialize)]
pub(super) struct Name<'a> {
    name: Text<'a>,
}

pub(super) fn tools<'a>(request: &mut Object<'a>) -> Result<Vec<Tool<'a>>, Refusal> {
    let Some(field) = request.take("tools") else {
        return Ok(Vec::new());
    };
    field.list()?.iter().map(tool).collect()
}

fn tool<'a>(field: &Field<'a>) -> Result<Tool<'a>, Refusal> {
    let mut tool = field.object()?;
    let kind = tool.take("type");
    if let Some(kind) = kind.filter(|kind| !kind.is_any_of(&["\"custom\""])) {
        return kind.not_this("names a tool that Anthropic runs itself, which this model has not.");
    }
    // How the cache is filled, how pieces are sent, and what is offered anyhow.
    tool.ignore(&["cache_control", "eager_input_streaming"]);
    tool.ignore_neutral(&[
        ("defer_loading", &["false"]),
        ("allowed_callers", &["[\"direct\"]"]),
        ("input_examples", &["[]"]),
    ])?;
    let strict = tool.take("strict");
    let function = Function {
        name: tool.need("name")?.text()?,
        description: tool.take_text("description")?,
        parameters: tool.need("input_schema")?.any_object()?,
        strict: strict.map_or(Ok(false), |field| field.flag())?,
    };
    tool.done()?;
    Ok(Tool {
        kind: "function",
        function,
    })
}

/// `tool_choice`, and `parallel_tool_calls`, which is part of it here.
pub(super) fn choice<'a>(
    request: &mut Object<'a>,
) -> Result<(Option<ToolChoice<'a>>, Option<bool>), Refusal> {
    let Some(field) = request.take("tool_choice") else {
        return Ok((None, None));
    };
    let mut choice = field.object()?;
    let one_by_one = choice.take("disable_parallel_tool_use");
    let one_by_one = one_by_one.map_or(Ok(false), |field| field.flag())?;
    let kind = choice.need("type")?;
    let chosen = match &*kind.string()? {
        "auto" => ToolChoice::Mode("auto"),
        "any" => ToolChoice::Mode("required"),
        "none" => ToolChoice::Mode("none"),
        "tool" => ToolChoice::Function {
            kind: "function",
            function: Name {
                name: choice.need("name")?.text()?,
            },
        },
        _ => return kind.not_this("must be auto, any, tool or none."),
    };
    choice.done()?;
    Ok((Some(chosen), one_by_one.then_some(false)))
}
