//! System prompts and system messages.
//!
//! Source: Anthropic's "Mid-conversation system messages and tool changes".

use crate::dialect::field::{JsonField, JsonObject, JsonType};
use crate::dialect::history;
use crate::dialect::text::Text;
use crate::dialect::thinking::ReasoningEffort;
use crate::dialect::translation_error::TranslationError;

/// A line that Claude Code puts before its system prompt. It differs in each
/// conversation, so that no upstream could reuse the cached prompt behind it, and tells a
/// model nothing.
const BILLING_LINE: &str = "x-anthropic-billing-header:";

/// A system message behind the beginning of a conversation.
pub(super) struct SystemMessage<'a> {
    pub(super) text: Option<Text<'a>>,
    pub(super) tool_changes: Vec<ToolChange<'a>>,
    pub(super) effort: Option<ReasoningEffort>,
}

/// A tool that is offered from here on, or is not any more.
#[derive(Debug)]
pub(super) enum ToolChange<'a> {
    /// By a name in `tools`.
    Added(String),
    Defined(JsonField<'a>),
    Removed(String),
    /// Of an MCP server, which a request with `mcp_servers` alone has.
    OfServer,
}

/// The system prompt: a string, or text blocks. `None` if it says nothing.
pub(super) fn prompt<'a>(content: &JsonField<'a>) -> Result<Option<Text<'a>>, TranslationError> {
    if content.json_type() == JsonType::String {
        return Ok(joined(vec![content.text()?]));
    }
    let blocks = content.array()?;
    let texts = blocks.iter().map(text_block);
    Ok(joined(texts.collect::<Result<_, _>>()?))
}

/// A message of the role `system`, of which `role` was taken.
pub(super) fn message(
    mut message: JsonObject<'_>,
    has_later_user_message: bool,
) -> Result<SystemMessage<'_>, TranslationError> {
    let mut texts = Vec::new();
    let mut tool_changes = Vec::new();
    // A message may have nothing but an effort.
    match message.take("content") {
        None => {}
        Some(content) if content.json_type() == JsonType::String => texts.push(content.text()?),
        Some(content) => {
            for block in content.array()? {
                match tool_change(&block)? {
                    Some(change) => tool_changes.push(change),
                    None => texts.push(text_block(&block)?),
                }
            }
        }
    }
    let clear_at = message.take("clear_at");
    let is_cleared = has_later_user_message
        && clear_at.is_some_and(|it| it.equals_any_of(&["\"next_user_message\""]));
    let effort = match message.take("output_config") {
        Some(config) if !has_later_user_message => config.object()?.take("effort"),
        _ => None,
    };
    let effort = effort.map(|effort| effort.string()).transpose()?;
    Ok(SystemMessage {
        text: joined(texts).filter(|_| !is_cleared),
        tool_changes,
        effort: effort.and_then(|effort| ReasoningEffort::parse(&effort)),
    })
}

fn joined(texts: Vec<Text<'_>>) -> Option<Text<'_>> {
    let texts = texts.into_iter().filter_map(without_billing_line);
    let texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
    Text::join(&texts, "\\n")
}

fn without_billing_line(text: Text<'_>) -> Option<Text<'_>> {
    if !text.escaped().starts_with(BILLING_LINE) {
        return Some(text);
    }
    let decoded = text.decode()?;
    let (_, rest) = decoded.split_once('\n')?;
    Some(Text::encode(rest.trim_start_matches('\n')))
}

fn text_block<'a>(field: &JsonField<'a>) -> Result<Text<'a>, TranslationError> {
    let mut block = field.object()?;
    let kind = block.require("type")?;
    if kind.string()? != "text" {
        if field.is_past() {
            return Ok(history::as_text(field));
        }
        return kind.unsupported_value("must be text here.");
    }
    block.ignore(&["cache_control", "citations"]);
    let text = block.require("text")?.text()?;
    block.finish()?;
    Ok(text)
}

/// `None` if the block is something else.
fn tool_change<'a>(field: &JsonField<'a>) -> Result<Option<ToolChange<'a>>, TranslationError> {
    let mut block = field.object()?;
    let kind = block.require_string("type")?;
    let is_addition = kind == "tool_addition";
    if !is_addition && kind != "tool_removal" {
        return Ok(None);
    }
    let mut tool = block.require("tool")?.object()?;
    let change = match &*tool.require_string("type")? {
        "tool_reference" => {
            let name = tool.require_string("name")?.into_owned();
            let change = if is_addition {
                ToolChange::Added
            } else {
                ToolChange::Removed
            };
            change(name)
        }
        "tool_definition" if is_addition => ToolChange::Defined(tool.require("definition")?),
        _ => ToolChange::OfServer,
    };
    Ok(Some(change))
}
