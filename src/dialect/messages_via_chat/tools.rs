//! Tools and `tool_choice`.

use std::borrow::Cow;
use std::collections::HashMap;

use super::system::ToolChange;
use crate::dialect::chat_request::{ChatFunction, ChatTool, ChatToolChoice};
use crate::dialect::field::{JsonField, JsonObject};
use crate::dialect::text::Text;
use crate::dialect::translation_error::TranslationError;

/// `tool_search_tool_regex_20251119`, `tool_search_tool_bm25_20251119`.
const TOOL_SEARCH: &str = "tool_search_tool_";

pub(super) fn tools<'a>(
    request: &mut JsonObject<'a>,
    changes: Vec<ToolChange<'a>>,
) -> Result<Vec<ChatTool<'a>>, TranslationError> {
    let fields = request.take("tools").map(|field| field.array());
    let fields = fields.transpose()?.unwrap_or_default();
    let mut tools = Vec::new();
    for field in fields {
        tools.extend(offered(&field)?);
    }
    let mut states: HashMap<Cow<'_, str>, ToolState> = HashMap::new();
    for change in changes {
        match change {
            ToolChange::Added(name) => states.entry(name.into()).or_default().is_removed = false,
            ToolChange::Removed(name) => states.entry(name.into()).or_default().is_removed = true,
            ToolChange::OfServer => {}
            ToolChange::Defined(field) => {
                let Some(mut tool) = offered(&field)? else {
                    continue;
                };
                let state = states.entry(tool.name.clone()).or_default();
                state.definition += 1;
                state.is_removed = false;
                tool.definition = state.definition;
                tools.push(tool);
            }
        }
    }
    let tools = tools.into_iter().filter(|tool| {
        let state = states.get(&tool.name);
        state.is_none_or(|state| !state.is_removed && state.definition == tool.definition)
    });
    Ok(tools.map(|tool| tool.tool).collect())
}

struct OfferedTool<'a> {
    name: Cow<'a, str>,
    tool: ChatTool<'a>,
    /// See [`ToolState::definition`].
    definition: usize,
}

/// What the conversation has made of the tools of one name.
#[derive(Default)]
struct ToolState {
    is_removed: bool,
    /// How often it was defined anew. Only the last definition counts.
    definition: usize,
}

/// `None` for Anthropic's search for tools whose definitions are loaded later: all are
/// offered at once.
fn offered<'a>(field: &JsonField<'a>) -> Result<Option<OfferedTool<'a>>, TranslationError> {
    let mut members = field.object()?;
    let kind = members.take("type").map(|kind| kind.string()).transpose()?;
    if kind.is_some_and(|kind| kind.starts_with(TOOL_SEARCH)) {
        return Ok(None);
    }
    let tool = tool(field)?;
    let name = members.require_string("name")?;
    Ok(Some(OfferedTool {
        name,
        tool,
        definition: 0,
    }))
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
    check_callers(&mut tool)?;
    let examples = tool.take("input_examples").map(|field| examples(&field));
    let description = tool.take_text("description")?;
    let description: Vec<_> = [description, examples.transpose()?.flatten()]
        .into_iter()
        .flatten()
        .collect();
    let strict = tool.take("strict");
    let function = ChatFunction {
        name: tool.require("name")?.text()?,
        description: Text::join(&description, "\\n\\n"),
        parameters: Cow::Borrowed(tool.require("input_schema")?.raw_object()?),
        strict: strict.map_or(Ok(false), |field| field.boolean())?,
    };
    tool.finish()?;
    Ok(ChatTool::new(function))
}

/// A tool that the model may call itself; others are for code that Anthropic runs.
fn check_callers(tool: &mut JsonObject<'_>) -> Result<(), TranslationError> {
    let Some(field) = tool.take("allowed_callers") else {
        return Ok(());
    };
    let mut callers = field.array()?.into_iter();
    if callers.any(|caller| caller.equals_any_of(&["\"direct\""])) {
        return Ok(());
    }
    field.unsupported_value("must contain direct; this model's provider runs no code.")
}

/// Chat has no member for examples, so they follow the description.
fn examples(field: &JsonField<'_>) -> Result<Option<Text<'static>>, TranslationError> {
    let mut lines = vec!["Examples of input:".to_owned()];
    for example in field.array()? {
        lines.push(example.raw_object()?.get().to_owned());
    }
    Ok((lines.len() > 1).then(|| Text::encode(&lines.join("\n"))))
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
        "tool" => ChatToolChoice::function(choice.require("name")?.text()?),
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
