//! The messages of a request.
//!
//! A user turn of Messages can have several tool results and other content; in
//! chat each result is a message of its own, and the other content follows. The last
//! user message, except for its tool results, is what the client asks for now; the
//! rest is past ([`JsonField::in_past`]).

use std::borrow::Cow;

use super::media;
use super::system::{self, ToolChange};
use crate::dialect::ChatUpstream;
use crate::dialect::chat::ChatToolCall;
use crate::dialect::chat_request::{ChatContent, ChatContentPart, ChatRequestMessage};
use crate::dialect::field::{JsonField, JsonObject, JsonType};
use crate::dialect::history;
use crate::dialect::system_position;
use crate::dialect::text::Text;
use crate::dialect::thinking::ReasoningEffort;
use crate::dialect::tool_id::{self, ChatToolId};
use crate::dialect::translation_error::TranslationError;

/// Consecutive messages of the assistant.
#[derive(Default)]
struct AssistantTurn<'a> {
    thinking: Vec<Text<'a>>,
    texts: Vec<Text<'a>>,
    tool_calls: Vec<ChatToolCall<'a>>,
}

/// What `system` and `messages` say.
pub(super) struct Conversation<'a> {
    pub(super) messages: Vec<ChatRequestMessage<'a>>,
    /// In their order.
    pub(super) tool_changes: Vec<ToolChange<'a>>,
    /// For this response, in place of the request's own.
    pub(super) effort: Option<ReasoningEffort>,
}

struct ChatConversation<'a, 'u> {
    upstream: &'u ChatUpstream<'u>,
    messages: Vec<ChatRequestMessage<'a>>,
    tool_changes: Vec<ToolChange<'a>>,
    effort: Option<ReasoningEffort>,
    /// It may continue with the next message.
    assistant_turn: Option<AssistantTurn<'a>>,
    /// The index of the last user message that is not a tool result.
    last_user_index: usize,
}

/// Translates `system` and `messages`.
pub(super) fn messages<'a>(
    system: Option<&JsonField<'a>>,
    messages: &JsonField<'a>,
    upstream: &ChatUpstream<'_>,
) -> Result<Conversation<'a>, TranslationError> {
    let mut conversation = ChatConversation {
        upstream,
        messages: Vec::new(),
        tool_changes: Vec::new(),
        effort: None,
        assistant_turn: None,
        last_user_index: 0,
    };
    if let Some(field) = system {
        conversation.add_system(system::prompt(field)?);
    }
    let messages = messages.array()?;
    let present = history::present_index(&messages);
    for (index, field) in messages.into_iter().enumerate() {
        let is_present = Some(index) == present;
        let field = if is_present { field } else { field.in_past() };
        conversation.add_message(&field, Some(index) < present)?;
    }
    conversation.finish_assistant_turn();
    conversation.prune_thinking();
    Ok(Conversation {
        messages: system_position::arrange(conversation.messages, upstream.system),
        tool_changes: conversation.tool_changes,
        effort: conversation.effort,
    })
}

impl<'a> ChatConversation<'a, '_> {
    fn add_message(
        &mut self,
        field: &JsonField<'a>,
        has_later_user_message: bool,
    ) -> Result<(), TranslationError> {
        let mut message = field.object()?;
        let role = message.require("role")?;
        if role.equals_any_of(&["\"system\""]) {
            let message = system::message(message, has_later_user_message)?;
            self.tool_changes.extend(message.tool_changes);
            self.effort = message.effort.or(self.effort);
            self.add_system(message.text);
            return Ok(());
        }
        let content = message.require("content")?;
        message.finish()?;
        match &*role.string()? {
            "user" => self.add_user(&content),
            "assistant" => self.add_assistant(&content),
            _ => role.unsupported_value("must be user, assistant or system."),
        }
    }

    fn add_system(&mut self, content: Option<Text<'a>>) {
        if let Some(content) = content {
            self.finish_assistant_turn();
            self.messages.push(ChatRequestMessage::System { content });
        }
    }

    fn add_user(&mut self, content: &JsonField<'a>) -> Result<(), TranslationError> {
        self.finish_assistant_turn();
        if content.json_type() == JsonType::String {
            self.last_user_index = self.messages.len();
            self.messages.push(ChatRequestMessage::User {
                content: ChatContent::Text(content.text()?),
            });
            return Ok(());
        }
        let before = self.messages.len();
        let mut parts = Vec::new();
        let mut attachments = Vec::new();
        for field in content.array()? {
            let mut block = field.object()?;
            let kind = block.require("type")?;
            if kind.string()? == "tool_result" {
                let result = self.tool_result(block.in_past(), &mut attachments)?;
                self.messages.push(result);
            } else {
                parts.push(media::content_part(&field, &kind, block)?);
            }
        }
        if self.messages.len() == before {
            self.last_user_index = before;
        }
        // A tool message has only text, so images and files go to the user message.
        attachments.append(&mut parts);
        let content = match attachments.as_slice() {
            [] => return Ok(()),
            [ChatContentPart::Text { text }] => ChatContent::Text(text.clone()),
            _ => ChatContent::Parts(attachments),
        };
        self.messages.push(ChatRequestMessage::User { content });
        Ok(())
    }

    /// Content other than text goes to `attachments`.
    fn tool_result(
        &self,
        mut block: JsonObject<'a>,
        attachments: &mut Vec<ChatContentPart<'a>>,
    ) -> Result<ChatRequestMessage<'a>, TranslationError> {
        let is_error = block.take("is_error");
        let mut texts = Vec::new();
        match block.take("content") {
            None => {}
            Some(content) if content.json_type() == JsonType::String => texts.push(content.text()?),
            Some(content) => {
                for field in content.array()? {
                    let mut block = field.object()?;
                    let kind = block.require("type")?;
                    match media::content_part(&field, &kind, block)? {
                        ChatContentPart::Text { text } => texts.push(text),
                        part => attachments.push(part),
                    }
                }
            }
        }
        let mut content = Text::join(&texts, "\\n").unwrap_or_else(|| Text::encode(""));
        // Chat has no other mark of a failed tool.
        if is_error.map_or(Ok(false), |field| field.boolean())? {
            content = Text::concat(&["Error: ", content.escaped()]).unwrap_or(content);
        }
        let id = block.require_string("tool_use_id")?;
        Ok(ChatRequestMessage::Tool {
            tool_call_id: Text::encode(&self.tool_id(&id).id),
            content: ChatContent::Text(content),
        })
    }

    fn add_assistant(&mut self, content: &JsonField<'a>) -> Result<(), TranslationError> {
        let mut turn = self.assistant_turn.take().unwrap_or_default();
        if content.json_type() == JsonType::String {
            turn.texts.push(content.text()?);
        } else {
            for field in content.array()? {
                self.add_assistant_block(&field.in_past(), &mut turn)?;
            }
        }
        self.assistant_turn = Some(turn);
        Ok(())
    }

    fn add_assistant_block(
        &self,
        field: &JsonField<'a>,
        turn: &mut AssistantTurn<'a>,
    ) -> Result<(), TranslationError> {
        let mut block = field.object()?;
        match &*block.require_string("type")? {
            "text" => turn.texts.push(block.require("text")?.text()?),
            "thinking" => {
                let thinking = block.take_text("thinking")?;
                turn.thinking
                    .extend(thinking.filter(|thinking| !thinking.is_empty()));
            }
            // Only Anthropic can read it.
            "redacted_thinking" => {}
            "tool_use" => {
                let id = block.require_string("id")?;
                let id = self.tool_id(&id);
                let name = block.require("name")?.text()?;
                let input = block.take("input");
                let call = ChatToolCall::new(Text::encode(&id.id), name, arguments(input.as_ref()));
                turn.tool_calls.push(call.with_extra_content(id.extra));
            }
            _ => turn.add_paragraph(history::as_text(field)),
        }
        Ok(())
    }

    fn finish_assistant_turn(&mut self) {
        let Some(turn) = self.assistant_turn.take() else {
            return;
        };
        let no_tool_calls = turn.tool_calls.is_empty();
        let content = Text::join(&turn.texts, "");
        self.messages.push(ChatRequestMessage::Assistant {
            content: content.or_else(|| no_tool_calls.then(|| Text::encode(""))),
            reasoning_content: Text::join(&turn.thinking, "\\n\\n"),
            thinking_blocks: Vec::new(),
            tool_calls: turn.tool_calls,
        });
    }

    /// Keeps the thinking that the upstream requires: `DeepSeek` rejects a call, of any
    /// turn, without its `reasoning_content`, even an empty one ("Thinking Mode", Tool
    /// Calls), and ignores that of earlier turns without calls.
    fn prune_thinking(&mut self) {
        let is_required = self.upstream.reasoning_history;
        for (index, message) in self.messages.iter_mut().enumerate() {
            let ChatRequestMessage::Assistant {
                reasoning_content,
                tool_calls,
                ..
            } = message
            else {
                continue;
            };
            let has_calls = !tool_calls.is_empty();
            if is_required && has_calls {
                reasoning_content.get_or_insert_with(|| Text::encode(""));
            } else if !is_required || index < self.last_user_index {
                *reasoning_content = None;
            }
        }
    }

    fn tool_id<'i>(&self, id: &'i str) -> ChatToolId<'i> {
        tool_id::for_chat_upstream(id, self.upstream.tool_ids, self.upstream.provider)
    }
}

impl<'a> AssistantTurn<'a> {
    fn add_paragraph(&mut self, text: Text<'a>) {
        let last = self.texts.last();
        if last.is_some_and(|text| !text.escaped().ends_with("\\n")) {
            self.texts.push(Text::encode("\n"));
        }
        self.texts.push(text);
        self.texts.push(Text::encode("\n"));
    }
}

/// Chat requires an object, which a call may not have, where the response was
/// truncated.
fn arguments<'a>(input: Option<&JsonField<'a>>) -> Cow<'a, str> {
    match input {
        None => "{}".into(),
        Some(input) if input.json_type() == JsonType::Object => input.raw().get().into(),
        Some(input) => format!("{{\"input\":{}}}", input.raw()).into(),
    }
}
