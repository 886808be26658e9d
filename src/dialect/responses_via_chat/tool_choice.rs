//! `tool_choice` and `parallel_tool_calls`.

use super::echo::ToolKind;
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
            let allowed: Vec<_> = allowed
                .iter()
                .map(AllowedTool::read)
                .collect::<Result<_, _>>()?;
            tools.retain(|tool| allowed.iter().any(|allowed| allowed.includes(tool)));
            Ok(ChatToolChoice::Mode(mode))
        }
        "function" | "custom" => {
            let chosen = AllowedTool::read(field)?;
            let tool = tools.iter().find(|tool| chosen.includes(tool));
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

/// A tool, by its type and name.
struct AllowedTool {
    /// `None`: of another type, which chat providers do not have.
    kind: Option<ToolKind>,
    namespace: Option<String>,
    name: Option<String>,
}

impl AllowedTool {
    fn read(field: &JsonField<'_>) -> Result<Self, TranslationError> {
        let mut tool = field.object()?;
        let kind = tool.require("type")?;
        let kind_name = kind.string()?;
        let text = |field: Option<JsonField<'_>>| match field {
            Some(field) => field.string().map(|text| Some(text.into_owned())),
            None => Ok(None),
        };
        let mut namespace = text(tool.take("namespace"))?;
        let mut name = text(tool.take("name"))?;
        let kind = match &*kind_name {
            "function" | "custom" if name.is_none() => {
                return Err(TranslationError::missing_field(&format!(
                    "{}.name",
                    field.path
                )));
            }
            "function" => Some(ToolKind::Function),
            "custom" => Some(ToolKind::Custom),
            "tool_search" => Some(ToolKind::Search),
            "namespace" => {
                namespace = name.take();
                None
            }
            _ => None,
        };
        Ok(Self {
            kind,
            namespace,
            name,
        })
    }

    /// A tool in a namespace may be named without it.
    fn includes(&self, tool: &OfferedTool<'_>) -> bool {
        let origin = &tool.origin;
        let is_of_namespace = self.namespace.is_none() || self.namespace == origin.namespace;
        match self.kind {
            Some(ToolKind::Search) => origin.kind == ToolKind::Search,
            Some(kind) => {
                is_of_namespace && origin.kind == kind && self.name.as_ref() == Some(&origin.name)
            }
            // All of a namespace.
            None => self.namespace.is_some() && is_of_namespace,
        }
    }
}
