//! The conversation of a request.
//!
//! Consecutive items of the assistant (reasoning, messages, calls) become one message;
//! results of calls follow it. The last user message is what the client asks for now,
//! the rest is past ([`JsonField::in_past`]), except for instructions.

use super::content;
use super::conversation::{ChatMessages, MessageOrigin, ResponsesConversation};
use super::echo::{ToolKind, ToolOrigin};
use super::tool_names::ToolNames;
use super::tools::{ClientTools, origin};
use crate::dialect::ChatUpstream;
use crate::dialect::chat::{ChatArguments, ChatToolCall};
use crate::dialect::chat_request::{ChatContent, ChatContentPart};
use crate::dialect::field::{JsonField, JsonObject, JsonType};
use crate::dialect::history;
use crate::dialect::text::Text;
use crate::dialect::translation_error::TranslationError;

/// Between the texts of messages that become one.
const SEPARATOR: &str = "\\n\\n";

/// Members of an item that do not change the response.
const IGNORED: [&str; 4] = [
    "status",
    "phase",
    // Codex.
    "end_turn",
    "internal_chat_message_metadata_passthrough",
];

pub(super) const STATELESS: &str = "refers to what another provider stores: send the whole history in `input`, with `store: false`.";

struct InputReader<'a, 'u> {
    names: &'u ToolNames,
    conversation: ResponsesConversation<'a, 'u>,
}

/// Adds the tools that are within `input`.
pub(super) fn add_tools<'a>(
    input: &JsonField<'a>,
    tools: &mut ClientTools<'a>,
) -> Result<(), TranslationError> {
    if input.json_type() == JsonType::String {
        return Ok(());
    }
    for field in input.array()? {
        let json = field.raw().get();
        let is_past = json.contains("\"tool_search_output\"");
        if !is_past && !json.contains("\"additional_tools\"") {
            continue;
        }
        let mut item = field.object()?;
        let kind = item.take("type");
        let field = item.take("tools");
        match (kind, field) {
            (Some(kind), Some(field)) if kind.equals_any_of(&["\"additional_tools\""]) => {
                tools.add_all(&field)?;
            }
            (Some(kind), Some(field)) if kind.equals_any_of(&["\"tool_search_output\""]) => {
                tools.add_all(&field.in_past())?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Translates `instructions` and `input`.
pub(super) fn messages<'a>(
    instructions: Option<&JsonField<'a>>,
    input: &JsonField<'a>,
    names: &ToolNames,
    upstream: &ChatUpstream<'_>,
) -> Result<ChatMessages<'a>, TranslationError> {
    let mut reader = InputReader {
        names,
        conversation: ResponsesConversation::new(upstream),
    };
    if let Some(field) = instructions {
        reader.add_instructions(field)?;
    }
    reader.conversation.origin = MessageOrigin::Input;
    if input.json_type() == JsonType::String {
        reader.add_user(input)?;
    } else {
        let items = input.array()?;
        reader.conversation.present = history::present_index(&items);
        for (index, field) in items.iter().enumerate() {
            reader.conversation.origin = MessageOrigin::Item(index);
            reader.add_item(field)?;
        }
    }
    Ok(reader.conversation.finish())
}

impl<'a> InputReader<'a, '_> {
    fn add_item(&mut self, field: &JsonField<'a>) -> Result<(), TranslationError> {
        let mut item = field.object()?;
        let id = item.take("id");
        item.ignore(&IGNORED);
        let Some(kind) = item.take("type") else {
            // Messages need no type; neither do references.
            return match (item.take("role"), id) {
                (Some(role), _) => self.add_message(&role, item),
                (None, Some(id)) => id.unsupported_value(STATELESS),
                (None, None) => item.require("type").map(drop),
            };
        };
        let name = kind.string()?;
        match &*name {
            "message" => {
                let role = item.require("role")?;
                self.add_message(&role, item)
            }
            "function_call" => self.add_call(ToolKind::Function, "arguments", item.in_past()),
            "custom_tool_call" => self.add_call(ToolKind::Custom, "input", item.in_past()),
            "tool_search_call" => self.add_search_call(field, item.in_past()),
            "function_call_output" | "custom_tool_call_output" => {
                self.add_result(field, item.in_past())
            }
            "tool_search_output" => self.add_search_result(item.in_past()),
            "reasoning" => {
                let upstream = self.conversation.upstream;
                self.conversation
                    .turn()
                    .add_reasoning(item.in_past(), upstream)
            }
            "item_reference" => kind.unsupported_value(STATELESS),
            "compaction_trigger" => kind.unsupported_value(
                "is not possible with this model: let the client summarize the conversation.",
            ),
            "configuration_update" => kind.unsupported_value(
                "is not possible with this model: set `reasoning` and `text` of the request.",
            ),
            // Their tools are among those of the request.
            "additional_tools" | "mcp_list_tools" => Ok(()),
            // Of one of Codex's agents to another; its text names both.
            "agent_message" => self.add_user(&item.in_past().require("content")?),
            other => {
                let text = history::as_text(field);
                if other.ends_with("_output") || other.ends_with("_response") {
                    self.conversation.push_user(ChatContent::Text(text));
                } else {
                    self.conversation.turn().add_text(text);
                }
                Ok(())
            }
        }
    }

    /// A message, of which `type` and `role` were taken.
    fn add_message(
        &mut self,
        role: &JsonField<'a>,
        mut item: JsonObject<'a>,
    ) -> Result<(), TranslationError> {
        let is_present = self.conversation.is_at_present();
        let role_name = role.string()?;
        if !is_present && !matches!(&*role_name, "system" | "developer") {
            item = item.in_past();
        }
        let content = item.require("content")?;
        item.finish()?;
        match &*role_name {
            "system" | "developer" => self.add_instructions(&content),
            "user" => self.add_user(&content),
            "assistant" => {
                let text = content::text(&content, "")?;
                let turn = self.conversation.turn();
                if let Some(text) = text {
                    turn.add_text(text);
                }
                Ok(())
            }
            _ => role.unsupported_value("must be user, assistant, system or developer."),
        }
    }

    fn add_instructions(&mut self, content: &JsonField<'a>) -> Result<(), TranslationError> {
        let text = content::text(content, SEPARATOR)?;
        self.conversation.push_system(text);
        Ok(())
    }

    fn add_user(&mut self, content: &JsonField<'a>) -> Result<(), TranslationError> {
        let parts = content::parts(content)?;
        self.conversation.push_user(content::joined(parts));
        Ok(())
    }

    /// `input` is the member with the arguments.
    fn add_call(
        &mut self,
        kind: ToolKind,
        input: &str,
        mut item: JsonObject<'a>,
    ) -> Result<(), TranslationError> {
        let name = item.require_string("name")?.into_owned();
        let namespace = item
            .take("namespace")
            .map(|field| field.string())
            .transpose()?;
        let tool = origin(kind, namespace.as_deref(), name);
        let input = item.take(input);
        let arguments = match kind {
            ToolKind::Custom => wrapped(input.as_ref()),
            _ => arguments(input.as_ref())?,
        };
        self.push_call(&tool, arguments, &item.require("call_id")?)
    }

    fn add_search_call(
        &mut self,
        field: &JsonField<'a>,
        mut item: JsonObject<'a>,
    ) -> Result<(), TranslationError> {
        let Some(call_id) = item.take("call_id") else {
            // The provider ran it itself.
            self.conversation.turn().add_text(history::as_text(field));
            return Ok(());
        };
        let arguments = match item.take("arguments") {
            Some(field) if field.json_type() == JsonType::Object => field.raw().get().into(),
            field => arguments(field.as_ref())?,
        };
        self.push_call(&ToolOrigin::search(), arguments, &call_id)
    }

    fn push_call(
        &mut self,
        tool: &ToolOrigin,
        arguments: ChatArguments<'a>,
        call_id: &JsonField<'a>,
    ) -> Result<(), TranslationError> {
        let name = Text::encode(&self.names.of(tool));
        let call_id = call_id.string()?.into_owned();
        let id = self.conversation.tool_id(&call_id);
        let call = ChatToolCall::new(Text::encode(&id.id), name, arguments);
        let call = call.with_extra_content(id.extra);
        self.conversation.turn().add_call(call_id, call);
        Ok(())
    }

    fn add_result(
        &mut self,
        field: &JsonField<'a>,
        mut item: JsonObject<'a>,
    ) -> Result<(), TranslationError> {
        let Some(call_id) = item.take("call_id") else {
            self.conversation
                .push_user(ChatContent::Text(history::as_text(field)));
            return Ok(());
        };
        let parts = match item.take("output") {
            None => Vec::new(),
            Some(output) => match output.json_type() {
                JsonType::String | JsonType::Array => content::parts(&output)?,
                _ => {
                    let text = Text::encode(output.raw().get());
                    vec![ChatContentPart::Text { text }]
                }
            },
        };
        self.conversation.push_result(parts, &call_id)
    }

    /// The tools are offered from here on; the model has to know which.
    fn add_search_result(&mut self, mut item: JsonObject<'a>) -> Result<(), TranslationError> {
        let Some(call_id) = item.take("call_id") else {
            // The provider ran it itself.
            return Ok(());
        };
        let mut tools = ClientTools::default();
        if let Some(field) = item.take("tools") {
            tools.add_all(&field)?;
        }
        let text = match tools.names(self.names).join("\n") {
            names if names.is_empty() => "No tools were found.".to_owned(),
            names => format!("These tools are now available:\n{names}"),
        };
        let text = Text::encode(&text);
        self.conversation
            .push_result(vec![ChatContentPart::Text { text }], &call_id)
    }
}

/// Providers require an object, which a call may not have, where the response was
/// truncated.
fn arguments<'a>(field: Option<&JsonField<'a>>) -> Result<ChatArguments<'a>, TranslationError> {
    let Some(field) = field else {
        return Ok("{}".into());
    };
    let text = field.text()?;
    if text.is_blank() {
        return Ok("{}".into());
    }
    let json = text.decode();
    let is_object = json.is_none_or(|json| {
        json.trim_start().starts_with('{')
            && serde_json::from_str::<serde::de::IgnoredAny>(&json).is_ok()
    });
    Ok(if is_object {
        text.into()
    } else {
        wrapped(Some(field))
    })
}

/// The only argument of a custom tool.
fn wrapped<'a>(field: Option<&JsonField<'a>>) -> ChatArguments<'a> {
    let json = field.map_or("\"\"", |field| field.raw().get());
    ChatArguments::Json(format!("{{\"input\":{json}}}").into())
}
