//! The settings beside the messages and the tools.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::dialect::field::{Field, Object};
use crate::dialect::refusal::Refusal;
use crate::dialect::text::Text;
use crate::dialect::thinking::Effort;

/// `OpenAI` takes no longer name of an end user.
const USER_LIMIT: usize = 64;

/// `response_format`.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ResponseFormat<'a> {
    JsonSchema { json_schema: Wrapped<'a> },
}

#[derive(Serialize)]
pub(super) struct Wrapped<'a> {
    /// There must be one; Anthropic has none.
    name: &'static str,
    schema: &'a RawValue,
    strict: bool,
}

/// `thinking` and `output_config`: how hard to think, and in what form to
/// answer.
pub(super) fn output<'a>(
    request: &mut Object<'a>,
) -> Result<(Option<Effort>, Option<ResponseFormat<'a>>), Refusal> {
    let mut effort = None;
    let mut format = None;
    if let Some(field) = request.take("output_config") {
        let mut config = field.object()?;
        if let Some(field) = config.take("effort") {
            effort = Effort::of(&field.string()?);
            if effort.is_none() {
                return field.not_this("must be low, medium, high, xhigh or max.");
            }
        }
        format = config
            .take("format")
            .map(|field| schema(&field))
            .transpose()?;
        config.done()?;
    }
    // The old place of the same.
    if let Some(field) = request.take("output_format") {
        format = Some(schema(&field)?);
    }
    match request.take("thinking") {
        None => Ok((effort, format)),
        Some(field) => Ok((thinking(&field, effort)?, format)),
    }
}

fn thinking(field: &Field<'_>, effort: Option<Effort>) -> Result<Option<Effort>, Refusal> {
    let mut thinking = field.object()?;
    let kind = thinking.need("type")?;
    let effort = match &*kind.string()? {
        "disabled" => None,
        "adaptive" => effort,
        "enabled" => {
            let budget = thinking.need("budget_tokens")?.whole()?;
            Some(effort.unwrap_or_else(|| Effort::of_budget(budget)))
        }
        _ => return kind.not_this("must be enabled, adaptive or disabled."),
    };
    // What an upstream shows of its thoughts is its own affair.
    thinking.ignore(&["display"]);
    thinking.done()?;
    Ok(effort)
}

fn schema<'a>(field: &Field<'a>) -> Result<ResponseFormat<'a>, Refusal> {
    let mut format = field.object()?;
    let kind = format.need("type")?;
    if kind.string()? != "json_schema" {
        return kind.not_this("must be json_schema.");
    }
    let schema = format.need("schema")?.any_object()?;
    format.done()?;
    Ok(ResponseFormat::JsonSchema {
        json_schema: Wrapped {
            name: "answer",
            schema,
            strict: true,
        },
    })
}

/// `stop_sequences`.
pub(super) fn stop<'a>(request: &mut Object<'a>) -> Result<Vec<Text<'a>>, Refusal> {
    let Some(field) = request.take("stop_sequences") else {
        return Ok(Vec::new());
    };
    field.list()?.iter().map(Field::text).collect()
}

/// `metadata.user_id`. One that is too long is left out: nobody would be served
/// better by an error.
pub(super) fn user<'a>(request: &mut Object<'a>) -> Result<Option<Text<'a>>, Refusal> {
    let Some(field) = request.take("metadata") else {
        return Ok(None);
    };
    let mut metadata = field.object()?;
    let user = metadata.take_text("user_id")?;
    metadata.done()?;
    Ok(user.filter(|user| (1..=USER_LIMIT).contains(&user.inner().len())))
}

/// `service_tier`.
pub(super) fn service_tier(request: &mut Object<'_>) -> Result<Option<&'static str>, Refusal> {
    let Some(field) = request.take("service_tier") else {
        return Ok(None);
    };
    match &*field.string()? {
        "auto" => Ok(None),
        "standard_only" => Ok(Some("default")),
        _ => field.not_this("must be auto or standard_only."),
    }
}
