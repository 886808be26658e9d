//! The messages of a request.
//!
//! System and developer messages move to `system` from any position: no other
//! position works for every Claude model. Consecutive messages of one role become
//! one turn, as Anthropic requires of the results of parallel tool calls. The last user
//! message is what the client asks for now; the rest is past ([`JsonField::in_past`]).

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::media::{self, MediaSource};
use super::tool_calls::{self, ToolUseIds};
use crate::dialect::field::{JsonField, JsonObject, JsonType};
use crate::dialect::history;
use crate::dialect::text::Text;
use crate::dialect::translation_error::TranslationError;

#[derive(Debug, Serialize)]
pub(super) struct MessagesTurn<'a> {
    role: MessagesRole,
    content: Vec<MessagesBlock<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum MessagesRole {
    User,
    Assistant,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum MessagesBlock<'a> {
    Text {
        text: Text<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
    },
    Image {
        source: MediaSource<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
    },
    Document {
        source: MediaSource<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        title: Option<Text<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
    },
    Thinking {
        thinking: Text<'a>,
        signature: Text<'a>,
    },
    RedactedThinking {
        data: Text<'a>,
    },
    ToolUse {
        id: String,
        name: Text<'a>,
        input: Cow<'a, RawValue>,
    },
    ToolResult {
        tool_use_id: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<MessagesBlock<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
    },
}

/// Marks the end of a prefix to cache.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum CacheControl<'a> {
    /// The client's own `cache_control`.
    Explicit(&'a RawValue),
    /// `OpenAI`'s `prompt_cache_breakpoint`.
    Breakpoint {
        #[serde(rename = "type")]
        kind: &'static str,
    },
}

#[derive(Debug, Default)]
pub(super) struct MessagesConversation<'a> {
    pub(super) system: Vec<MessagesBlock<'a>>,
    pub(super) turns: Vec<MessagesTurn<'a>>,
    ids: ToolUseIds,
}

pub(super) fn conversation<'a>(
    messages: &JsonField<'a>,
) -> Result<MessagesConversation<'a>, TranslationError> {
    let mut conversation = MessagesConversation::default();
    let messages = messages.array()?;
    let present = history::present_index(&messages);
    for (index, field) in messages.iter().enumerate() {
        conversation.add_message(field, Some(index) == present)?;
    }
    for turn in &mut conversation.turns {
        turn.put_results_first();
    }
    conversation.trim_prefill();
    Ok(conversation)
}

impl MessagesTurn<'_> {
    /// Anthropic: "the `tool_result` blocks must come FIRST in the content array".
    fn put_results_first(&mut self) {
        self.content
            .sort_by_key(|block| !matches!(block, MessagesBlock::ToolResult { .. }));
    }

    fn is_tool_result(&self) -> bool {
        matches!(self.content.first(), Some(MessagesBlock::ToolResult { .. }))
    }

    fn starts_with_thinking(&self) -> bool {
        matches!(
            self.content.first(),
            Some(MessagesBlock::Thinking { .. } | MessagesBlock::RedactedThinking { .. })
        )
    }
}

impl<'a> MessagesConversation<'a> {
    /// Whether the model is in the middle of a turn with tool calls whose thinking
    /// the client did not send back.
    pub(super) fn lacks_thinking(&self) -> bool {
        // The turn includes all steps whose user message is a tool result.
        let steps = self.turns.rchunks_exact(2).map_while(|step| match step {
            [assistant, user] => user.is_tool_result().then_some(assistant),
            _ => None,
        });
        steps
            .last()
            .is_some_and(|first| !first.starts_with_thinking())
    }

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
        // Anthropic has no names of participants.
        message.ignore(&["name"]);
        match &*role.string()? {
            "system" | "developer" => {
                let parts = parts(&message.require("content")?, text_part)?;
                self.system.extend(parts);
            }
            "user" => {
                let content = message.require("content")?;
                let parts = parts(&content, user_part)?;
                if parts.is_empty() && !content.is_past() {
                    return Err(TranslationError::invalid_value(
                        &content.path,
                        "must not be empty.",
                    ));
                }
                self.append(MessagesRole::User, parts);
            }
            "assistant" => {
                let blocks = self.assistant(&mut message)?;
                self.append(MessagesRole::Assistant, blocks);
            }
            "tool" => {
                let id = tool_calls::id(message.take("tool_call_id").as_ref())?;
                let cache_control = cache_control(&mut message)?;
                let content = message.take("content");
                let content = content.map(|content| parts(&content, user_part));
                let result = MessagesBlock::ToolResult {
                    tool_use_id: self.ids.of_result(&id),
                    content: content.transpose()?.unwrap_or_default(),
                    cache_control,
                };
                self.append(MessagesRole::User, vec![result]);
            }
            // Deprecated; its call is text too.
            "function" => {
                let text = history::as_text(field);
                self.append(MessagesRole::User, text_block(text).into_iter().collect());
            }
            _ => {
                return role
                    .unsupported_value("must be system, developer, user, assistant or tool.");
            }
        }
        message.finish()
    }

    /// An earlier response: thinking, text and tool calls.
    fn assistant(
        &mut self,
        message: &mut JsonObject<'a>,
    ) -> Result<Vec<MessagesBlock<'a>>, TranslationError> {
        let mut blocks = Vec::new();
        // Thinking is sent back from `thinking_blocks` only: it needs a signature.
        if let Some(field) = message.take("thinking_blocks") {
            for field in field.array()? {
                blocks.extend(thinking_block(&field)?);
            }
        }
        if let Some(field) = message.take("content") {
            blocks.extend(parts(&field, text_part)?);
        }
        if let Some(refusal) = message.take_text("refusal")? {
            blocks.extend(text_block(refusal));
        }
        if let Some(field) = message.take("tool_calls") {
            self.ids.begin_turn();
            for field in field.array()? {
                blocks.push(self.tool_call(&field)?);
            }
        }
        if let Some(field) = message.take("function_call") {
            blocks.extend(text_block(history::member_as_text("function_call", &field)));
        }
        Ok(blocks)
    }

    fn tool_call(&mut self, field: &JsonField<'a>) -> Result<MessagesBlock<'a>, TranslationError> {
        let mut call = field.object()?;
        let id = self.ids.of_call(&tool_calls::id(call.take("id").as_ref())?);
        if let Some(custom) = call.take("custom") {
            let mut custom = custom.object()?;
            return Ok(MessagesBlock::ToolUse {
                id,
                name: custom.require("name")?.text()?,
                input: tool_calls::wrapped_input(&custom.require("input")?),
            });
        }
        let mut function = call.require("function")?.object()?;
        Ok(MessagesBlock::ToolUse {
            id,
            name: function.require("name")?.text()?,
            input: tool_calls::input(function.take("arguments").as_ref())?,
        })
    }

    /// Anthropic: "final assistant content cannot end with trailing whitespace".
    fn trim_prefill(&mut self) {
        let last = self.turns.last_mut();
        let last = last.filter(|turn| turn.role == MessagesRole::Assistant);
        let Some(MessagesBlock::Text { text, .. }) = last.and_then(|turn| turn.content.last_mut())
        else {
            return;
        };
        let Some(decoded) = text.decode() else { return };
        let trimmed = decoded.trim_end();
        if trimmed.len() < decoded.len() {
            *text = Text::encode(trimmed);
        }
    }

    fn append(&mut self, role: MessagesRole, content: Vec<MessagesBlock<'a>>) {
        match self.turns.last_mut() {
            Some(turn) if turn.role == role => turn.content.extend(content),
            // Anthropic rejects a message without content.
            _ if content.is_empty() => {}
            _ => self.turns.push(MessagesTurn { role, content }),
        }
    }
}

/// `content`, a string or parts. Text without a word is omitted, since Anthropic
/// rejects it ("text content blocks must contain non-whitespace text").
fn parts<'a>(
    field: &JsonField<'a>,
    part: impl Fn(&JsonField<'a>) -> Result<MessagesBlock<'a>, TranslationError>,
) -> Result<Vec<MessagesBlock<'a>>, TranslationError> {
    if field.json_type() == JsonType::String {
        let text = field.text()?;
        return Ok(text_block(text).into_iter().collect());
    }
    let blocks: Vec<_> = field.array()?.iter().map(part).collect::<Result<_, _>>()?;
    let not_empty = |block: &MessagesBlock<'_>| !matches!(block, MessagesBlock::Text { text, .. } if text.is_blank());
    Ok(blocks.into_iter().filter(not_empty).collect())
}

fn text_block(text: Text<'_>) -> Option<MessagesBlock<'_>> {
    let cache_control = None;
    (!text.is_blank()).then_some(MessagesBlock::Text {
        text,
        cache_control,
    })
}

/// A part of a message that has only text.
fn text_part<'a>(field: &JsonField<'a>) -> Result<MessagesBlock<'a>, TranslationError> {
    let mut part = field.object()?;
    let kind = part.require("type")?;
    let name = match &*kind.string()? {
        "text" => "text",
        // An earlier refusal is part of the conversation.
        "refusal" => "refusal",
        _ if field.is_past() => return Ok(described(field)),
        _ => return kind.unsupported_value("must be text here."),
    };
    let block = MessagesBlock::Text {
        cache_control: cache_control(&mut part)?,
        text: part.require(name)?.text()?,
    };
    part.finish()?;
    Ok(block)
}

/// A part of a user message or of a tool result.
fn user_part<'a>(field: &JsonField<'a>) -> Result<MessagesBlock<'a>, TranslationError> {
    match translate_user_part(field) {
        Err(_) if field.is_past() => Ok(described(field)),
        part => part,
    }
}

/// A part that has no counterpart.
fn described<'a>(field: &JsonField<'a>) -> MessagesBlock<'a> {
    MessagesBlock::Text {
        text: history::as_text(field),
        cache_control: None,
    }
}

fn translate_user_part<'a>(field: &JsonField<'a>) -> Result<MessagesBlock<'a>, TranslationError> {
    let mut part = field.object()?;
    let kind = part.require("type")?;
    let kind_name = kind.string()?;
    if kind_name == "text" {
        return text_part(field);
    }
    let cache_control = cache_control(&mut part)?;
    let block = match &*kind_name {
        "image_url" => MessagesBlock::Image {
            source: media::image(&part.require("image_url")?)?,
            cache_control,
        },
        "file" => {
            let (source, title) = media::file(&part.require("file")?)?;
            MessagesBlock::Document {
                source,
                title,
                cache_control,
            }
        }
        _ => return kind.unsupported_value("must be text, image_url or file for this model."),
    };
    part.finish()?;
    Ok(block)
}

/// Thinking of an earlier response of this gateway, with Anthropic's signature.
fn thinking_block<'a>(
    field: &JsonField<'a>,
) -> Result<Option<MessagesBlock<'a>>, TranslationError> {
    let mut object = field.object()?;
    Ok(match &*object.require_string("type")? {
        "thinking" => {
            let thinking = object.take_text("thinking")?;
            let signature = object.take_text("signature")?;
            signature
                .filter(|signature| !signature.is_empty())
                .map(|signature| MessagesBlock::Thinking {
                    thinking: thinking.unwrap_or_else(|| Text::encode("")),
                    signature,
                })
        }
        "redacted_thinking" => {
            let data = object.take_text("data")?;
            data.map(|data| MessagesBlock::RedactedThinking { data })
        }
        _ => None,
    })
}

/// From Anthropic's `cache_control` or `OpenAI`'s `prompt_cache_breakpoint`.
fn cache_control<'a>(
    object: &mut JsonObject<'a>,
) -> Result<Option<CacheControl<'a>>, TranslationError> {
    let breakpoint = object.take("prompt_cache_breakpoint");
    if let Some(field) = object.take("cache_control") {
        return Ok(Some(CacheControl::Explicit(field.raw_object()?)));
    }
    Ok(breakpoint.map(|_| CacheControl::Breakpoint { kind: "ephemeral" }))
}
