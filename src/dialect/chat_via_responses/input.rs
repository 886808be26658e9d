//! The messages of a request, as input items.
//!
//! Assistant messages have all members that the API's types require, made-up ids
//! included: vLLM rejects them without, llama.cpp accepts no other form.

use std::collections::HashSet;

use serde::Serialize;

use super::parts::{self, InputContent, OutputPart};
use crate::dialect::field::{JsonField, JsonObject};
use crate::dialect::history;
use crate::dialect::text::Text;
use crate::dialect::tool_id;
use crate::dialect::translation_error::TranslationError;

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum InputItem<'a> {
    Message(Message<'a>),
    FunctionCall {
        call_id: String,
        name: Text<'a>,
        arguments: Text<'a>,
    },
    FunctionCallOutput {
        call_id: String,
        output: InputContent<'a>,
    },
    CustomToolCall {
        call_id: String,
        name: Text<'a>,
        input: Text<'a>,
    },
    CustomToolCallOutput {
        call_id: String,
        output: InputContent<'a>,
    },
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Message<'a> {
    Input {
        role: Text<'a>,
        content: InputContent<'a>,
    },
    Output {
        id: String,
        role: &'static str,
        status: &'static str,
        content: Vec<OutputPart<'a>>,
    },
}

#[derive(Default)]
struct Input<'a> {
    items: Vec<InputItem<'a>>,
    /// Ids of calls of custom tools.
    custom_calls: HashSet<String>,
}

pub(super) fn items<'a>(messages: &JsonField<'a>) -> Result<Vec<InputItem<'a>>, TranslationError> {
    let messages = messages.array()?;
    let present = history::present_index(&messages);
    let mut input = Input::default();
    for (index, field) in messages.iter().enumerate() {
        input.add_message(field, Some(index) == present)?;
    }
    Ok(input.items)
}

impl<'a> Input<'a> {
    fn add_message(
        &mut self,
        field: &JsonField<'a>,
        is_present: bool,
    ) -> Result<(), TranslationError> {
        let mut message = field.object()?;
        let role = message.require("role")?;
        // Instructions are never past.
        if !is_present && !role.equals_any_of(&["\"system\"", "\"developer\""]) {
            message = message.in_past();
        }
        // Responses has no names of participants.
        message.ignore(&["name", "cache_control"]);
        match &*role.string()? {
            "system" | "developer" => {
                let content = parts::instructions(&message.require("content")?)?;
                self.add_input(role.text()?, content);
            }
            "user" => {
                let content = parts::input(&message.require("content")?)?;
                self.add_input(role.text()?, content);
            }
            "assistant" => self.add_assistant(&mut message)?,
            "tool" => self.add_result(&mut message)?,
            // Deprecated; its call is text too.
            "function" => {
                let content = InputContent::Text(history::as_text(field));
                self.add_input(Text::encode("user"), content);
            }
            _ => {
                return role
                    .unsupported_value("must be system, developer, user, assistant or tool.");
            }
        }
        message.finish()
    }

    fn add_input(&mut self, role: Text<'a>, content: InputContent<'a>) {
        self.items
            .push(InputItem::Message(Message::Input { role, content }));
    }

    /// An earlier response: text and tool calls. Reasoning is not sent back: it needs
    /// the upstream's own item.
    fn add_assistant(&mut self, message: &mut JsonObject<'a>) -> Result<(), TranslationError> {
        let mut content = parts::output(message)?;
        if let Some(field) = message.take("function_call") {
            let text = history::member_as_text("function_call", &field);
            content.push(OutputPart::text(text));
        }
        if !content.is_empty() {
            self.items.push(InputItem::Message(Message::Output {
                id: format!("msg_{}", self.items.len()),
                role: "assistant",
                status: "completed",
                content,
            }));
        }
        if let Some(field) = message.take("tool_calls") {
            for call in field.array()? {
                self.add_call(call.object()?)?;
            }
        }
        Ok(())
    }

    fn add_call(&mut self, mut call: JsonObject<'a>) -> Result<(), TranslationError> {
        let call_id = call_id(call.take("id").as_ref())?;
        let item = if let Some(custom) = call.take("custom") {
            let mut custom = custom.object()?;
            self.custom_calls.insert(call_id.clone());
            InputItem::CustomToolCall {
                call_id,
                name: custom.require("name")?.text()?,
                input: custom.require("input")?.text()?,
            }
        } else {
            let mut function = call.require("function")?.object()?;
            InputItem::FunctionCall {
                call_id,
                name: function.require("name")?.text()?,
                arguments: arguments(function.take("arguments").as_ref())?,
            }
        };
        self.items.push(item);
        Ok(())
    }

    fn add_result(&mut self, message: &mut JsonObject<'a>) -> Result<(), TranslationError> {
        let call_id = call_id(message.take("tool_call_id").as_ref())?;
        let content = message.take("content");
        let content = content.map(|content| parts::input(&content)).transpose()?;
        let output = content.filter(|content| !content.is_empty());
        let output = output.unwrap_or_else(|| InputContent::Text(Text::encode("")));
        self.items.push(if self.custom_calls.contains(&call_id) {
            InputItem::CustomToolCallOutput { call_id, output }
        } else {
            InputItem::FunctionCallOutput { call_id, output }
        });
        Ok(())
    }
}

/// Some upstreams send no ids.
fn call_id(field: Option<&JsonField<'_>>) -> Result<String, TranslationError> {
    let id = field.map(JsonField::string).transpose()?;
    Ok(tool_id::for_responses_upstream(&id.unwrap_or_default()).into_owned())
}

/// Some upstreams send an object in place of a string with it.
fn arguments<'a>(field: Option<&JsonField<'a>>) -> Result<Text<'a>, TranslationError> {
    let Some(field) = field else {
        return Ok(Text::encode("{}"));
    };
    match field.raw().get() {
        object if object.starts_with('{') => Ok(Text::encode(object)),
        _ => {
            let text = field.text()?;
            Ok(if text.is_blank() {
                Text::encode("{}")
            } else {
                text
            })
        }
    }
}
