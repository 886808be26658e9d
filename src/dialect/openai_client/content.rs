//! The messages.
//!
//! System and developer messages move to the front, wherever they stand: that
//! is the one place that every Claude takes them in. What a role says in
//! several messages on end becomes one turn, which is how the answers to
//! parallel tool calls must come.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::media::{self, Source};
use crate::dialect::field::{Field, Kind, Object};
use crate::dialect::refusal::Refusal;
use crate::dialect::text::Text;

/// One of `messages`.
#[derive(Debug, Serialize)]
pub(super) struct Turn<'a> {
    role: Role,
    content: Vec<Block<'a>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Role {
    User,
    Assistant,
}

/// A content block.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block<'a> {
    Text {
        text: Text<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
    },
    Image {
        source: Source<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
    },
    Document {
        source: Source<'a>,
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
        content: Vec<Block<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheControl<'a>>,
    },
}

/// Where Anthropic's cache is to end.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum CacheControl<'a> {
    /// As the caller wrote it.
    Given(&'a RawValue),
    /// `OpenAI`'s `prompt_cache_breakpoint`.
    Breakpoint {
        #[serde(rename = "type")]
        kind: &'static str,
    },
}

/// All messages.
#[derive(Debug, Default)]
pub(super) struct Conversation<'a> {
    pub(super) system: Vec<Block<'a>>,
    pub(super) turns: Vec<Turn<'a>>,
}

/// Reads `messages`.
pub(super) fn conversation<'a>(messages: &Field<'a>) -> Result<Conversation<'a>, Refusal> {
    let mut conversation = Conversation::default();
    for field in messages.list()? {
        conversation.message(&field)?;
    }
    Ok(conversation)
}

impl Turn<'_> {
    fn is_answer(&self) -> bool {
        matches!(self.content.first(), Some(Block::ToolResult { .. }))
    }

    fn begins_with_thoughts(&self) -> bool {
        matches!(
            self.content.first(),
            Some(Block::Thinking { .. } | Block::RedactedThinking { .. })
        )
    }
}

impl<'a> Conversation<'a> {
    /// Whether the model is in the middle of a turn with tool calls whose
    /// thoughts the caller did not give back.
    pub(super) fn lacks_thoughts(&self) -> bool {
        // It goes back as long as the user only answers calls.
        let steps = self.turns.rchunks_exact(2).map_while(|step| match step {
            [said, answered] => answered.is_answer().then_some(said),
            _ => None,
        });
        steps
            .last()
            .is_some_and(|first| !first.begins_with_thoughts())
    }

    fn message(&mut self, field: &Field<'a>) -> Result<(), Refusal> {
        let mut message = field.object()?;
        let role = message.need("role")?;
        // Anthropic knows two voices and no names.
        message.ignore(&["name"]);
        match &*role.string()? {
            "system" | "developer" => {
                let parts = parts(&message.need("content")?, text_part)?;
                self.system.extend(parts);
            }
            "user" => {
                let content = message.need("content")?;
                let parts = parts(&content, user_part)?;
                if parts.is_empty() {
                    return Err(Refusal::invalid(&content.path, "must not be empty."));
                }
                self.say(Role::User, parts);
            }
            "assistant" => {
                let blocks = assistant(&mut message)?;
                self.say(Role::Assistant, blocks);
            }
            "tool" => {
                let id = message.need_string("tool_call_id")?;
                let cache_control = cache_control(&mut message)?;
                let result = Block::ToolResult {
                    tool_use_id: tool_id(&id),
                    content: parts(&message.need("content")?, user_part)?,
                    cache_control,
                };
                self.say(Role::User, vec![result]);
            }
            "function" => return role.unsupported("is out of date: use the role tool."),
            _ => {
                return role.not_this("must be system, developer, user, assistant or tool.");
            }
        }
        message.done()
    }

    fn say(&mut self, role: Role, mut content: Vec<Block<'a>>) {
        match self.turns.last_mut() {
            Some(turn) if turn.role == role => turn.content.append(&mut content),
            // A message without words or calls says nothing; Anthropic refuses
            // it.
            _ if content.is_empty() => {}
            _ => self.turns.push(Turn { role, content }),
        }
    }
}

/// A message's `content`: a string or parts. Empty text is left out, since
/// Anthropic refuses it.
fn parts<'a>(
    field: &Field<'a>,
    part: impl Fn(&Field<'a>) -> Result<Block<'a>, Refusal>,
) -> Result<Vec<Block<'a>>, Refusal> {
    if field.kind() == Kind::Text {
        let text = field.text()?;
        return Ok(words(text).into_iter().collect());
    }
    let blocks: Vec<_> = field.list()?.iter().map(part).collect::<Result<_, _>>()?;
    let said = |block: &Block<'_>| !matches!(block, Block::Text { text, .. } if text.is_empty());
    Ok(blocks.into_iter().filter(said).collect())
}

fn words(text: Text<'_>) -> Option<Block<'_>> {
    let cache_control = None;
    (!text.is_empty()).then_some(Block::Text {
        text,
        cache_control,
    })
}

/// A part of what only has text.
fn text_part<'a>(field: &Field<'a>) -> Result<Block<'a>, Refusal> {
    let mut part = field.object()?;
    let kind = part.need("type")?;
    let name = match &*kind.string()? {
        "text" => "text",
        // What the model once declined to do is part of the conversation.
        "refusal" => "refusal",
        _ => return kind.not_this("must be text here."),
    };
    let block = Block::Text {
        cache_control: cache_control(&mut part)?,
        text: part.need(name)?.text()?,
    };
    part.done()?;
    Ok(block)
}

/// A part of what a user says, or of what a tool answers.
fn user_part<'a>(field: &Field<'a>) -> Result<Block<'a>, Refusal> {
    let mut part = field.object()?;
    let kind = part.need("type")?;
    let kind_name = kind.string()?;
    if kind_name == "text" {
        return text_part(field);
    }
    let cache_control = cache_control(&mut part)?;
    let block = match &*kind_name {
        "image_url" => Block::Image {
            source: media::image(&part.need("image_url")?)?,
            cache_control,
        },
        "file" => {
            let (source, title) = media::file(&part.need("file")?)?;
            Block::Document {
                source,
                title,
                cache_control,
            }
        }
        _ => return kind.not_this("must be text, image_url or file for this model."),
    };
    part.done()?;
    Ok(block)
}

/// What the model said before: its thoughts, its words, its calls.
fn assistant<'a>(message: &mut Object<'a>) -> Result<Vec<Block<'a>>, Refusal> {
    // Thoughts without their signature cannot be given back; the others are in
    // `thinking_blocks`. Notes on sources are no part of what was said.
    message.ignore(&["reasoning_content", "reasoning", "annotations"]);
    let mut blocks = Vec::new();
    if let Some(field) = message.take("thinking_blocks") {
        for field in field.list()? {
            blocks.extend(thought(&field)?);
        }
    }
    if let Some(field) = message.take("content") {
        blocks.extend(parts(&field, text_part)?);
    }
    if let Some(refusal) = message.take_text("refusal")? {
        blocks.extend(words(refusal));
    }
    if let Some(field) = message.take("tool_calls") {
        for field in field.list()? {
            blocks.push(call(&field)?);
        }
    }
    Ok(blocks)
}

/// A thought that this gateway gave out, with what Anthropic knows it by.
fn thought<'a>(field: &Field<'a>) -> Result<Option<Block<'a>>, Refusal> {
    let mut thought = field.object()?;
    let kind = thought.need("type")?;
    // Its place in a stream.
    thought.ignore(&["index"]);
    let block = match &*kind.string()? {
        "thinking" => {
            let thinking = thought.take_text("thinking")?;
            let signature = thought.take_text("signature")?;
            signature
                .filter(|signature| !signature.is_empty())
                .map(|signature| Block::Thinking {
                    thinking: thinking.unwrap_or_else(|| Text::of("")),
                    signature,
                })
        }
        "redacted_thinking" => Some(Block::RedactedThinking {
            data: thought.need("data")?.text()?,
        }),
        _ => return kind.not_this("must be thinking or redacted_thinking."),
    };
    thought.done()?;
    Ok(block)
}

fn call<'a>(field: &Field<'a>) -> Result<Block<'a>, Refusal> {
    let mut call = field.object()?;
    // Its place in a stream, which some callers leave in.
    call.ignore(&["index"]);
    let kind = call.take("type");
    if let Some(kind) = kind.filter(|kind| !kind.is_any_of(&["\"function\""])) {
        return kind.not_this("must be function: no other call can be translated.");
    }
    let id = call.need_string("id")?;
    let mut function = call.need("function")?.object()?;
    let block = Block::ToolUse {
        id: tool_id(&id),
        name: function.need("name")?.text()?,
        input: input(&function.need("arguments")?)?,
    };
    function.done()?;
    call.done()?;
    Ok(block)
}

/// The arguments of a call: JSON in a string there, an object here.
fn input<'a>(field: &Field<'a>) -> Result<Cow<'a, RawValue>, Refusal> {
    let text = field.string()?;
    let text = if text.trim().is_empty() {
        "{}"
    } else {
        text.trim()
    };
    let input = RawValue::from_string(text.to_owned())
        .ok()
        .filter(|input| input.get().starts_with('{'));
    input
        .map(Cow::Owned)
        .ok_or_else(|| Refusal::invalid(&field.path, "must be a JSON object, as a string."))
}

/// Ids of calls. Anthropic takes letters, digits, `_` and `-`; others use more.
fn tool_id(id: &str) -> String {
    let kept = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    let letters = id.chars();
    letters
        .map(|letter| if kept(letter) { letter } else { '_' })
        .collect()
}

/// Where the cache is to end, in Anthropic's words or in `OpenAI`'s.
fn cache_control<'a>(object: &mut Object<'a>) -> Result<Option<CacheControl<'a>>, Refusal> {
    let breakpoint = object.take("prompt_cache_breakpoint");
    if let Some(field) = object.take("cache_control") {
        return Ok(Some(CacheControl::Given(field.any_object()?)));
    }
    Ok(breakpoint.map(|_| CacheControl::Breakpoint { kind: "ephemeral" }))
}
