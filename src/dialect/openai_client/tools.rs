//! Tools and who decides about them.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::dialect::field::{Field, Kind, Object};
use crate::dialect::refusal::Refusal;
use crate::dialect::text::Text;

/// A function that takes nothing, in JSON schema.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;

/// One of `tools`.
#[derive(Serialize)]
pub(super) struct Tool<'a> {
    name: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Text<'a>>,
    input_schema: Schema<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    strict: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Schema<'a> {
    Given(&'a RawValue),
    Default(Box<RawValue>),
}

/// `tool_choice`.
#[derive(Serialize)]
pub(super) struct ToolChoice<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Text<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    disable_parallel_tool_use: bool,
}

pub(super) fn tools<'a>(chat: &mut Object<'a>) -> Result<Vec<Tool<'a>>, Refusal> {
    if let Some(functions) = chat.take("functions") {
        return functions.unsupported("is out of date: use `tools`.");
    }
    let Some(field) = chat.take("tools") else {
        return Ok(Vec::new());
    };
    field.list()?.iter().map(tool).collect()
}

fn tool<'a>(field: &Field<'a>) -> Result<Tool<'a>, Refusal> {
    let mut outer = field.object()?;
    let kind = outer.need("type")?;
    if kind.string()? != "function" {
        return kind.not_this("must be function: no other tool can be translated.");
    }
    let mut function = outer.need("function")?.object()?;
    let parameters = function.take("parameters");
    let parameters = parameters.map(|field| field.any_object()).transpose()?;
    let strict = function.take("strict");
    let cache_control = outer.take("cache_control");
    let tool = Tool {
        name: function.need("name")?.text()?,
        description: function.take_text("description")?,
        input_schema: schema(parameters),
        strict: strict.map_or(Ok(false), |field| field.flag())?,
        cache_control: cache_control.map(|field| field.any_object()).transpose()?,
    };
    function.done()?;
    outer.done()?;
    Ok(tool)
}

/// Anthropic wants an object's schema in any case.
fn schema(parameters: Option<&RawValue>) -> Schema<'_> {
    let given = parameters.filter(|schema| {
        let members = schema
            .get()
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace());
        members.take(3).count() > 2
    });
    given.map_or_else(
        || Schema::Default(RawValue::from_string(NO_PARAMETERS.to_owned()).unwrap_or_default()),
        Schema::Given,
    )
}

/// `tool_choice` and `parallel_tool_calls`, which Anthropic has in one.
pub(super) fn choice<'a>(
    chat: &mut Object<'a>,
    any_tools: bool,
) -> Result<Option<ToolChoice<'a>>, Refusal> {
    if let Some(call) = chat.take("function_call") {
        return call.unsupported("is out of date: use `tool_choice`.");
    }
    let parallel = chat.take("parallel_tool_calls");
    let one_by_one = !parallel.map_or(Ok(true), |field| field.flag())?;
    let (kind, name) = match chat.take("tool_choice") {
        Some(field) if field.kind() == Kind::Text => (mode(&field)?, None),
        Some(field) => ("tool", Some(named(&field)?)),
        None if one_by_one && any_tools => ("auto", None),
        None => return Ok(None),
    };
    Ok(Some(ToolChoice {
        kind,
        name,
        disable_parallel_tool_use: one_by_one && kind != "none",
    }))
}

fn mode(field: &Field<'_>) -> Result<&'static str, Refusal> {
    match &*field.string()? {
        "none" => Ok("none"),
        "auto" => Ok("auto"),
        "required" => Ok("any"),
        _ => field.not_this("must be none, auto, required or a function."),
    }
}

fn named<'a>(field: &Field<'a>) -> Result<Text<'a>, Refusal> {
    let mut choice = field.object()?;
    let kind = choice.need("type")?;
    if kind.string()? != "function" {
        return kind.not_this("must be function: no other choice can be translated.");
    }
    let mut function = choice.need("function")?.object()?;
    let name = function.need("name")?.text()?;
    function.done()?;
    choice.done()?;
    Ok(name)
}
