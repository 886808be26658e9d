//! Tools.
//!
//! Chat providers know functions alone: a custom tool becomes a function of one string,
//! a namespace a prefix of its functions' names. Tools that `OpenAI` runs itself are
//! dropped where a client offers them without being asked (Codex: `web_search`); the
//! model then has one tool less.

use std::borrow::Cow;
use std::collections::HashSet;

use serde_json::value::RawValue;

use super::echo::{ToolKind, ToolOrigin};
use super::tool_names::ToolNames;
use crate::dialect::chat_request::{ChatFunction, ChatTool, no_parameters};
use crate::dialect::field::{JsonField, JsonObject};
use crate::dialect::text::Text;
use crate::dialect::translation_error::TranslationError;

/// Schema of the function that stands for a custom tool.
const CUSTOM_PARAMETERS: &str = r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}"#;

const CUSTOM_HINT: &str = "Here, the tool is a function with one argument, the string `input`: give it the whole text, as it is.";

/// The name of the function that stands for a search for tools.
const SEARCH_NAME: &str = "tool_search";

/// Tools that `OpenAI` runs itself, and that clients offer by default.
const DROPPED: [&str; 5] = [
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
    "image_generation",
];

/// The tools of a request.
#[derive(Debug, Default)]
pub(super) struct ClientTools<'a> {
    tools: Vec<ClientTool<'a>>,
}

/// A tool, as a function.
#[derive(Debug)]
struct ClientTool<'a> {
    origin: ToolOrigin,
    description: Option<Text<'a>>,
    parameters: Cow<'a, RawValue>,
    strict: bool,
}

/// A function of the upstream, and the tool that it stands for.
#[derive(Debug)]
pub(super) struct OfferedTool<'a> {
    pub(super) origin: ToolOrigin,
    pub(super) tool: ChatTool<'a>,
}

impl<'a> ClientTools<'a> {
    /// Adds those of a member `tools`.
    pub(super) fn add_all(&mut self, tools: &JsonField<'a>) -> Result<(), TranslationError> {
        for field in tools.array()? {
            self.add(&field)?;
        }
        Ok(())
    }

    fn add(&mut self, field: &JsonField<'a>) -> Result<(), TranslationError> {
        let mut tool = field.object()?;
        let kind = tool.require("type")?;
        match &*kind.string()? {
            "namespace" => self.add_namespace(tool),
            "tool_search" => self.add_search(tool),
            "function" | "custom" => self.add_function(&kind, tool, None),
            dropped if DROPPED.contains(&dropped) => Ok(()),
            _ if kind.is_past() => Ok(()),
            _ => kind.unsupported_value(
                "is a tool that OpenAI runs itself; this model does not have it.",
            ),
        }
    }

    fn add_namespace(&mut self, mut namespace: JsonObject<'a>) -> Result<(), TranslationError> {
        let name = namespace.require_string("name")?;
        let description = namespace.take_text("description")?;
        let tools = namespace.require("tools")?;
        namespace.finish()?;
        let first = self.tools.len();
        for field in tools.array()? {
            let mut tool = field.object()?;
            let kind = tool.require("type")?;
            if kind.equals_any_of(&["\"function\"", "\"custom\""]) {
                self.add_function(&kind, tool, Some(&name))?;
            } else if !kind.is_past() {
                return kind.unsupported_value("must be function or custom in a namespace.");
            }
        }
        // A function has no other member for it, and once is enough.
        let description = description.filter(|text| !text.is_blank());
        if let (Some(description), Some(tool)) = (description, self.tools.get_mut(first)) {
            let label = Text::encode(&format!("[{name}] "));
            let mut parts = vec![label.escaped(), description.escaped()];
            if let Some(own) = &tool.description {
                parts.extend(["\\n\\n", own.escaped()]);
            }
            tool.description = Text::concat(&parts);
        }
        Ok(())
    }

    /// A search that the client runs. One that `OpenAI` runs would find tools that are
    /// all offered anyway.
    fn add_search(&mut self, mut search: JsonObject<'a>) -> Result<(), TranslationError> {
        let execution = search.take("execution");
        let description = search.take_text("description")?;
        let parameters = parameters(&mut search)?;
        search.finish()?;
        if execution.is_some_and(|it| it.equals_any_of(&["\"client\""])) {
            self.tools.push(ClientTool {
                origin: ToolOrigin::search(),
                description,
                parameters,
                strict: false,
            });
        }
        Ok(())
    }

    /// A tool of type `function` or `custom`.
    fn add_function(
        &mut self,
        kind: &JsonField<'a>,
        mut tool: JsonObject<'a>,
        namespace: Option<&str>,
    ) -> Result<(), TranslationError> {
        // A tool whose definition may be loaded later is offered at once.
        tool.ignore(&["defer_loading", "output_schema"]);
        tool.ignore_defaults(&[
            (
                "allowed_callers",
                &[
                    "[]",
                    "[\"direct\"]",
                    "[\"direct\",\"programmatic\"]",
                    "[\"programmatic\",\"direct\"]",
                ],
            ),
            ("async", &["false"]),
        ])?;
        let name = tool.require_string("name")?.into_owned();
        let description = tool.take_text("description")?;
        let is_custom = kind.equals_any_of(&["\"custom\""]);
        let tool = if is_custom {
            let grammar = grammar(&mut tool)?;
            tool.finish()?;
            ClientTool {
                origin: origin(ToolKind::Custom, namespace, name),
                description: custom_description(description.as_ref(), grammar.as_ref()),
                parameters: Cow::Owned(custom_parameters()),
                strict: false,
            }
        } else {
            let strict = tool.take("strict");
            let parameters = parameters(&mut tool)?;
            tool.finish()?;
            ClientTool {
                origin: origin(ToolKind::Function, namespace, name),
                description,
                parameters,
                strict: strict.map_or(Ok(false), |field| field.boolean())?,
            }
        };
        self.tools.push(tool);
        Ok(())
    }

    /// The names of tools that have one.
    pub(super) fn names(&self, names: &ToolNames) -> Vec<String> {
        let tools = self.tools.iter();
        tools.map(|tool| names.of(&tool.origin)).collect()
    }

    /// Names the tools, of which each is offered once.
    pub(super) fn into_offered(self, names: &mut ToolNames) -> Vec<OfferedTool<'a>> {
        // Plain functions keep their names; other tools of the same name get another.
        let rank = |origin: &ToolOrigin| {
            (
                origin.namespace.is_some(),
                origin.kind != ToolKind::Function,
            )
        };
        let mut origins: Vec<_> = self.tools.iter().map(|tool| &tool.origin).collect();
        origins.sort_by_key(|origin| rank(origin));
        for origin in origins {
            if names.is_new(origin) {
                names.add(origin.clone());
            }
        }
        let mut offered = Vec::with_capacity(self.tools.len());
        let mut offered_names = HashSet::new();
        for tool in self.tools {
            let name = names.of(&tool.origin);
            let encoded = Text::encode(&name);
            if !offered_names.insert(name) {
                continue;
            }
            let function = ChatFunction {
                name: encoded,
                description: tool.description,
                parameters: tool.parameters,
                strict: tool.strict,
            };
            offered.push(OfferedTool {
                origin: tool.origin,
                tool: ChatTool::new(function),
            });
        }
        offered
    }
}

impl ToolOrigin {
    pub(super) fn search() -> Self {
        Self {
            kind: ToolKind::Search,
            namespace: None,
            name: SEARCH_NAME.to_owned(),
        }
    }
}

pub(super) fn origin(kind: ToolKind, namespace: Option<&str>, name: String) -> ToolOrigin {
    ToolOrigin {
        kind,
        namespace: namespace.map(ToOwned::to_owned),
        name,
    }
}

fn parameters<'a>(tool: &mut JsonObject<'a>) -> Result<Cow<'a, RawValue>, TranslationError> {
    match tool.take("parameters") {
        Some(field) => Ok(Cow::Borrowed(field.raw_object()?)),
        None => Ok(Cow::Owned(no_parameters())),
    }
}

fn custom_parameters() -> Box<RawValue> {
    RawValue::from_string(CUSTOM_PARAMETERS.to_owned()).unwrap_or_default()
}

/// The syntax and the definition of the input's grammar.
type Grammar<'a> = (Text<'a>, Text<'a>);

/// From `format` of a custom tool.
fn grammar<'a>(tool: &mut JsonObject<'a>) -> Result<Option<Grammar<'a>>, TranslationError> {
    let Some(field) = tool.take("format") else {
        return Ok(None);
    };
    let mut format = field.object()?;
    let kind = format.require("type")?;
    let grammar = match &*kind.string()? {
        "text" => None,
        "grammar" => {
            let syntax = format.require("syntax")?.text()?;
            Some((syntax, format.require("definition")?.text()?))
        }
        _ => return kind.unsupported_value("must be text or grammar."),
    };
    format.finish()?;
    Ok(grammar)
}

/// The client's description may call the tool one of free text.
fn custom_description(
    description: Option<&Text<'_>>,
    grammar: Option<&Grammar<'_>>,
) -> Option<Text<'static>> {
    let mut parts = Vec::new();
    if let Some(description) = description {
        parts.extend([description.escaped(), "\\n\\n"]);
    }
    parts.push(CUSTOM_HINT);
    if let Some((syntax, definition)) = grammar {
        let definition = definition.escaped();
        parts.extend([
            " It must match this ",
            syntax.escaped(),
            " grammar:\\n\\n",
            definition,
        ]);
    }
    Text::concat(&parts)
}
