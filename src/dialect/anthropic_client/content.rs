//! The messages of a request.
//!
//! A user turn of Messages can have several tool results and other content; in
//! chat each result is a message of its own, and the other content follows.

use serde::Serialize;

use super::media::{self, ChatContentPart};
use crate::dialect::chat::ChatToolCall;
use crate::dialect::field::{JsonField, JsonObject, JsonType};
use crate::dialect::text::Text;
use crate::dialect::translation_error::TranslationError;

#[derive(Debug, Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub(super) enum ChatRequestMessage<'a> {
    System {
        content: Text<'a>,
    },
    User {
        content: ChatContent<'a>,
    },
    Assistant {
        content: Option<Text<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reasoning_content: Option<Text<'a>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<ChatToolCall<'a>>,
    },
    Tool {
        tool_call_id: Text<'a>,
        content: Text<'a>,
    },
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ChatContent<'a> {
    Text(Text<'a>),
    Parts(Vec<ChatContentPart<'a>>),
}

/// Consecutive messages of the assistant.
#[derive(Default)]
struct AssistantTurn<'a> {
    thinking: Vec<Text<'a>>,
    texts: Vec<Text<'a>>,
    tool_calls: Vec<ChatToolCall<'a>>,
}

#[derive(Default)]
struct ChatConversation<'a> {
    messages: Vec<ChatRequestMessage<'a>>,
    /// It may continue with the next message.
    assistant_turn: Option<AssistantTurn<'a>>,
    /// The index of the last user message that is not a tool result.
    last_user_index: usize,
}

/// Translates `system` and `messages`. With `keep_thinking`, thinking since the last
/// user message is kept.
pub(super) fn messages<'a>(
    system: Option<&JsonField<'a>>,
    messages: &JsonField<'a>,
    keep_thinking: bool,
) -> Result<Vec<ChatRequestMessage<'a>>, TranslationError> {
    let mut conversation = ChatConversation::default();
    if let Some(field) = system {
        conversation.add_system(field)?;
    }
    for field in messages.array()? {
        conversation.add_message(&field)?;
    }
    conversation.finish_assistant_turn();
    let without_thinking = if keep_thinking {
        conversation.last_user_index
    } else {
        usize::MAX
    };
    for message in conversation.messages.iter_mut().take(without_thinking) {
        if let ChatRequestMessage::Assistant {
            reasoning_content, ..
        } = message
        {
            *reasoning_content = None;
        }
    }
    Ok(conversation.messages)
}

impl<'a> ChatConversation<'a> {
    fn add_message(&mut self, field: &JsonField<'a>) -> Result<(), TranslationError> {
        let mut message = field.object()?;
        let role = message.require("role")?;
        let content = message.require("content")?;
        message.finish()?;
        match &*role.string()? {
            "user" => self.add_user(&content),
            "assistant" => self.add_assistant(&content),
            "system" => self.add_system(&content),
            _ => role.unsupported_value("must be user, assistant or system."),
        }
    }

    fn add_system(&mut self, content: &JsonField<'a>) -> Result<(), TranslationError> {
        self.finish_assistant_turn();
        let content = Text::join(&texts(content)?, "\\n");
        let message = content.map(|content| ChatRequestMessage::System { content });
        self.messages.extend(message);
        Ok(())
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
                self.messages
                    .push(tool_result(&mut block, &mut attachments)?);
                block.finish()?;
            } else {
                parts.push(media::content_part(&kind, block)?);
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

    fn add_assistant(&mut self, content: &JsonField<'a>) -> Result<(), TranslationError> {
        let turn = self.assistant_turn.get_or_insert_default();
        if content.json_type() == JsonType::String {
            turn.texts.push(content.text()?);
            return Ok(());
        }
        for field in content.array()? {
            let mut block = field.object()?;
            let kind = block.require("type")?;
            // Chat has no counterpart for the caller of a tool and for sources.
            block.ignore(&["cache_control", "citations", "caller"]);
            match &*kind.string()? {
                "text" => turn.texts.push(block.require("text")?.text()?),
                "thinking" => {
                    turn.thinking.push(block.require("thinking")?.text()?);
                    block.ignore(&["signature"]);
                }
                // Only Anthropic can read it.
                "redacted_thinking" => block.ignore(&["data"]),
                "tool_use" => turn.tool_calls.push(ChatToolCall::new(
                    block.require("id")?.text()?,
                    block.require("name")?.text()?,
                    block.require("input")?.raw_object()?.get(),
                )),
                _ => {
                    return kind
                        .unsupported_value("must be text, thinking or tool_use for this model.");
                }
            }
            block.finish()?;
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
            tool_calls: turn.tool_calls,
        });
    }
}

/// A string, or text blocks.
fn texts<'a>(content: &JsonField<'a>) -> Result<Vec<Text<'a>>, TranslationError> {
    if content.json_type() == JsonType::String {
        return Ok(vec![content.text()?]);
    }
    let text = |field: &JsonField<'a>| {
        let mut block = field.object()?;
        let kind = block.require("type")?;
        if kind.string()? != "text" {
            return kind.unsupported_value("must be text here.");
        }
        block.ignore(&["cache_control", "citations"]);
        let text = block.require("text")?.text()?;
        block.finish()?;
        Ok(text)
    };
    content.array()?.iter().map(text).collect()
}

/// Content other than text goes to `attachments`.
fn tool_result<'a>(
    block: &mut JsonObject<'a>,
    attachments: &mut Vec<ChatContentPart<'a>>,
) -> Result<ChatRequestMessage<'a>, TranslationError> {
    block.ignore(&["cache_control"]);
    let is_error = block.take("is_error");
    let mut texts = Vec::new();
    match block.take("content") {
        None => {}
        Some(content) if content.json_type() == JsonType::String => texts.push(content.text()?),
        Some(content) => {
            for field in content.array()? {
                let mut block = field.object()?;
                let kind = block.require("type")?;
                match media::content_part(&kind, block)? {
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
    Ok(ChatRequestMessage::Tool {
        tool_call_id: block.require("tool_use_id")?.text()?,
        content,
    })
}
