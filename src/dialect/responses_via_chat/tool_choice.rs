//! `tool_choice` and `parallel_tool_calls`.

use std::borrow::Cow;
use std::collections::HashSet;

use super::echo::{ToolKind, ToolOrigin};
use super::tool_names::ToolNames;
use super::tools::OfferedTool;
use crate::dialect::chat_request::ChatToolChoice;
use crate::dialect::field::{JsonField, JsonObject, JsonType};
use crate::dialect::text::Text;
use crate::dialect::translation_error::TranslationError;

/// A choice and, if it says so, whether calls may be parallel. Chat providers reject
/// both in a request without tools, where only one choice means something. Of
/// `allowed_tools`, `tools` loses the others: few providers know such a choice.
pub(super) fn tool_choice<'a>(
    request: &mut JsonObject<'a>,
    tools: &mut Vec<OfferedTool<'a>>,
    names: &ToolNames,
) -> Result<(Option<ChatToolChoice<'a>>, Option<bool>), TranslationError> {
    let parallel = request.take("parallel_tool_calls");
    let disable_parallel = !parallel.map_or(Ok(true), |field| field.boolean())?;
    let Some(field) = request.take("tool_choice") else {
        let disable_parallel = disable_parallel && !tools.is_empty();
        return Ok((None, disable_parallel.then_some(false)));
    };
    let choice = match field.json_type() {
        JsonType::String => ChatToolChoice::Mode(mode(&field)?),
        _ => object(&field, tools, names)?,
    };
    if !tools.is_empty() {
        return Ok((Some(choice), disable_parallel.then_some(false)));
    }
    match choice {
        ChatToolChoice::Mode("auto" | "none") => Ok((None, None)),
        _ => field.unsupported_value("requires a tool that this model has."),
    }
}

fn mode(field: &JsonField<'_>) -> Result<&'static str, TranslationError> {
    match &*field.string()? {
        "none" => Ok("none"),
        "auto" => Ok("auto"),
        "required" => Ok("required"),
        _ => field.unsupported_value("must be none, auto, required or a tool."),
    }
}

fn object<'a>(
    field: &JsonField<'a>,
    tools: &mut Vec<OfferedTool<'a>>,
    names: &ToolNames,
) -> Result<ChatToolChoice<'a>, TranslationError> {
    let mut choice = field.object()?;
    let kind = choice.require("type")?;
    match &*kind.string()? {
        "allowed_tools" => {
            let mode_field = choice.require("mode")?;
            let allowed = choice.require("tools")?.array()?;
            choice.finish()?;
            let mode = mode(&mode_field)?;
            let allowed: HashSet<_> = allowed
                .iter()
                .map(AllowedTool::read)
                .collect::<Result<_, _>>()?;
            tools.retain(|tool| {
                let mut names = AllowedTool::names_of(&tool.origin);
                names.any(|name| allowed.contains(&name))
            });
            Ok(ChatToolChoice::Mode(mode))
        }
        "function" | "custom" => {
            let chosen = AllowedTool::read(field)?;
            let tool = tools.iter().find(|tool| {
                let mut names = AllowedTool::names_of(&tool.origin);
                names.any(|name| name == chosen)
            });
            let Some(tool) = tool else {
                return field.unsupported_value("is not one of the `tools`.");
            };
            Ok(ChatToolChoice::function(Text::encode(
                &names.of(&tool.origin),
            )))
        }
        _ => kind
            .unsupported_value("is a tool that OpenAI runs itself; this model does not have it."),
    }
}

/// A tool, as a choice names it.
#[derive(PartialEq, Eq, Hash)]
enum AllowedTool {
    Tool {
        kind: ToolKind,
        namespace: Option<String>,
        name: String,
    },
    /// All of a namespace.
    Namespace(String),
    Search,
    /// Of another type, which chat providers do not have.
    Other,
}

impl AllowedTool {
    fn read(field: &JsonField<'_>) -> Result<Self, TranslationError> {
        let mut tool = field.object()?;
        let kind = tool.require("type")?;
        let kind = match &*kind.string()? {
            "function" => ToolKind::Function,
            "custom" => ToolKind::Custom,
            "namespace" => {
                return Ok(Self::Namespace(tool.require_string("name")?.into_owned()));
            }
            "tool_search" => return Ok(Self::Search),
            _ => return Ok(Self::Other),
        };
        let namespace = tool.take("namespace").map(|field| field.string());
        Ok(Self::Tool {
            kind,
            namespace: namespace.transpose()?.map(Cow::into_owned),
            name: tool.require_string("name")?.into_owned(),
        })
    }

    /// What a choice may call it: a tool in a namespace may be named without it.
    fn names_of(origin: &ToolOrigin) -> impl Iterator<Item = Self> {
        let named = |namespace: Option<&String>| match origin.kind {
            ToolKind::Search => Self::Search,
            kind => Self::Tool {
                kind,
                namespace: namespace.cloned(),
                name: origin.name.clone(),
            },
        };
        let namespace = origin.namespace.as_ref();
        let of_tool = [Some(named(None)), namespace.map(|it| named(Some(it)))];
        let whole = namespace.cloned().map(Self::Namespace);
        of_tool.into_iter().flatten().chain(whole)
    }
}
