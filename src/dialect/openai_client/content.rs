//! The messages of a request.
//!
//! System and developer messages move to `system` from any position: no other
//! position works for every Claude model. Consecutive messages of one role become
//! one turn, as Anthropic requires of the results of parallel tool calls.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::media::{self, MediaSource};
use crate::dialect::field::{JsonField, JsonObject, JsonType};
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
}

pub(super) fn conversation<'a>(
    messages: &JsonField<'a>,
) -> Result<MessagesConversation<'a>, TranslationError> {
    let mut conversation = MessagesConversation::default();
    for field in messages.array()? {
        conversation.add_message(&field)?;
    }
    Ok(conversation)
}

impl MessagesTurn<'_> {
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

    fn add_message(&mut self, field: &JsonField<'a>) -> Result<(), TranslationError> {
        let mut message = field.object()?;
        let role = message.require("role")?;
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
                if parts.is_empty() {
                    return Err(TranslationError::invalid_value(
                        &content.path,
                        "must not be empty.",
                    ));
                }
                self.append(MessagesRole::User, parts);
            }
            "assistant" => {
                let blocks = assistant(&mut message)?;
                self.append(MessagesRole::Assistant, blocks);
            }
            "tool" => {
                let id = message.require_string("tool_call_id")?;
                let cache_control = cache_control(&mut message)?;
                let result = MessagesBlock::ToolResult {
                    tool_use_id: tool_use_id(&id),
                    content: parts(&message.require("content")?, user_part)?,
                    cache_control,
                };
                self.append(MessagesRole::User, vec![result]);
            }
            "function" => return role.unsupported_parameter("is deprecated: use the role tool."),
            _ => {
                return role
                    .unsupported_value("must be system, developer, user, assistant or tool.");
            }
        }
        message.finish()
    }

    fn append(&mut self, role: MessagesRole, mut content: Vec<MessagesBlock<'a>>) {
        match self.turns.last_mut() {
            Some(turn) if turn.role == role => turn.content.append(&mut content),
            // Anthropic rejects a message without content.
            _ if content.is_empty() => {}
            _ => self.turns.push(MessagesTurn { role, content }),
        }
    }
}

/// `content`, a string or parts. Empty text is omitted, since Anthropic rejects
/// it.
fn parts<'a>(
    field: &JsonField<'a>,
    part: impl Fn(&JsonField<'a>) -> Result<MessagesBlock<'a>, TranslationError>,
) -> Result<Vec<MessagesBlock<'a>>, TranslationError> {
    if field.json_type() == JsonType::String {
        let text = field.text()?;
        return Ok(text_block(text).into_iter().collect());
    }
    let blocks: Vec<_> = field.array()?.iter().map(part).collect::<Result<_, _>>()?;
    let not_empty = |block: &MessagesBlock<'_>| !matches!(block, MessagesBlock::Text { text, .. } if text.is_empty());
    Ok(blocks.into_iter().filter(not_empty).collect())
}

fn text_block(text: Text<'_>) -> Option<MessagesBlock<'_>> {
    let cache_control = None;
    (!text.is_empty()).then_some(MessagesBlock::Text {
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

/// An earlier response: thinking, text and tool calls.
fn assistant<'a>(message: &mut JsonObject<'a>) -> Result<Vec<MessagesBlock<'a>>, TranslationError> {
    // Thinking is sent back from `thinking_blocks` only: it needs a signature.
    // Annotations are not part of the text.
    message.ignore(&["reasoning_content", "reasoning", "annotations"]);
    let mut blocks = Vec::new();
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
        for field in field.array()? {
            blocks.push(tool_call(&field)?);
        }
    }
    Ok(blocks)
}

/// Thinking of an earlier response of this gateway, with Anthropic's signature.
fn thinking_block<'a>(
    field: &JsonField<'a>,
) -> Result<Option<MessagesBlock<'a>>, TranslationError> {
    let mut object = field.object()?;
    let kind = object.require("type")?;
    // Of stream chunks.
    object.ignore(&["index"]);
    let block = match &*kind.string()? {
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
        "redacted_thinking" => Some(MessagesBlock::RedactedThinking {
            data: object.require("data")?.text()?,
        }),
        _ => return kind.unsupported_value("must be thinking or redacted_thinking."),
    };
    object.finish()?;
    Ok(block)
}

fn tool_call<'a>(field: &JsonField<'a>) -> Result<MessagesBlock<'a>, TranslationError> {
    let mut call = field.object()?;
    // Of stream chunks; some clients keep it.
    call.ignore(&["index"]);
    let kind = call.take("type");
    if let Some(kind) = kind.filter(|kind| !kind.equals_any_of(&["\"function\""])) {
        return kind.unsupported_value("must be function: other tool calls cannot be translated.");
    }
    let id = call.require_string("id")?;
    let mut function = call.require("function")?.object()?;
    let block = MessagesBlock::ToolUse {
        id: tool_use_id(&id),
        name: function.require("name")?.text()?,
        input: tool_input(&function.require("arguments")?)?,
    };
    function.finish()?;
    call.finish()?;
    Ok(block)
}

/// Arguments are JSON in a string in chat, and an object in Messages.
fn tool_input<'a>(field: &JsonField<'a>) -> Result<Cow<'a, RawValue>, TranslationError> {
    let text = field.string()?;
    let text = if text.trim().is_empty() {
        "{}"
    } else {
        text.trim()
    };
    let input = RawValue::from_string(text.to_owned())
        .ok()
        .filter(|input| input.get().starts_with('{'));
    input.map(Cow::Owned).ok_or_else(|| {
        TranslationError::invalid_value(&field.path, "must be a JSON object, as a string.")
    })
}

/// Anthropic allows letters, digits, `_` and `-`; other providers use more.
fn tool_use_id(id: &str) -> String {
    let is_allowed =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    id.chars()
        .map(|character| {
            if is_allowed(character) {
                character
            } else {
                '_'
            }
        })
        .collect()
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
