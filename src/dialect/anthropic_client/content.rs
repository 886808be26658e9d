//! The messages.
//!
//! A turn of Anthropic's can hold several results of tools and words besides;
//! in a chat each result is a message of its own, and the words come after.

use serde::Serialize;

use super::media::{self, Part};
use crate::dialect::field::{Field, Kind, Object};
use crate::dialect::refusal::Refusal;
use crate::dialect::text::Text;

/// One of `messages`.
#[derive(Debug, Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub(super) enum Message<'a> {
    System {
        content: Text<'a>,
    },
    User {
        content: Content<'a>,
    },
    Assistant {
        content: Option<Text<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reasoning_content: Option<Text<'a>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'a>>,
    },
    Tool {
        tool_call_id: Text<'a>,
        content: Text<'a>,
    },
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Content<'a> {
    Text(Text<'a>),
    Parts(Vec<Part<'a>>),
}

#[derive(Debug, Serialize)]
pub(super) struct Call<'a> {
    id: Text<'a>,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    name: Text<'a>,
    /// JSON, in a string.
    arguments: &'a str,
}

/// What the model says in one turn, maybe over several messages.
#[derive(Default)]
struct Said<'a> {
    thoughts: Vec<Text<'a>>,
    words: Vec<Text<'a>>,
    calls: Vec<Call<'a>>,
}

#[derive(Default)]
struct Conversation<'a> {
    messages: Vec<Message<'a>>,
    /// The turn of the model that may go on in the next message.
    said: Option<Said<'a>>,
    /// Where what belongs to the last question begins.
    question: usize,
}

/// Reads `system` and `messages`. With `thoughts`, what the model thought since
/// the last question goes along.
pub(super) fn messages<'a>(
    system: Option<&Field<'a>>,
    messages: &Field<'a>,
    thoughts: bool,
) -> Result<Vec<Message<'a>>, Refusal> {
    let mut conversation = Conversation::default();
    if let Some(field) = system {
        conversation.system(field)?;
    }
    for field in messages.list()? {
        conversation.message(&field)?;
    }
    conversation.flush();
    let kept = if thoughts {
        conversation.question
    } else {
        usize::MAX
    };
    for message in conversation.messages.iter_mut().take(kept) {
        if let Message::Assistant {
            reasoning_content, ..
        } = message
        {
            *reasoning_content = None;
        }
    }
    Ok(conversation.messages)
}

impl<'a> Conversation<'a> {
    fn message(&mut self, field: &Field<'a>) -> Result<(), Refusal> {
        let mut message = field.object()?;
        let role = message.need("role")?;
        let content = message.need("content")?;
        message.done()?;
        match &*role.string()? {
            "user" => self.user(&content),
            "assistant" => self.assistant(&content),
            "system" => self.system(&content),
            _ => role.not_this("must be user, assistant or system."),
        }
    }

    fn system(&mut self, content: &Field<'a>) -> Result<(), Refusal> {
        self.flush();
        let content = Text::join(&texts(content)?, "\\n");
        let message = content.map(|content| Message::System { content });
        self.messages.extend(message);
        Ok(())
    }

    fn user(&mut self, content: &Field<'a>) -> Result<(), Refusal> {
        self.flush();
        if content.kind() == Kind::Text {
            self.question = self.messages.len();
            self.messages.push(Message::User {
                content: Content::Text(content.text()?),
            });
            return Ok(());
        }
        let before = self.messages.len();
        let mut parts = Vec::new();
        let mut shown = Vec::new();
        for field in content.list()? {
            let mut block = field.object()?;
            let kind = block.need("type")?;
            if kind.string()? == "tool_result" {
                self.messages.push(result(&mut block, &mut shown)?);
                block.done()?;
            } else {
                parts.push(media::part(&kind, block)?);
            }
        }
        if self.messages.len() == before {
            self.question = before;
        }
        // What tools show, such as images, has no place in their messages.
        shown.append(&mut parts);
        let content = match shown.as_slice() {
            [] => return Ok(()),
            [Part::Text { text }] => Content::Text(text.clone()),
            _ => Content::Parts(shown),
        };
        self.messages.push(Message::User { content });
        Ok(())
    }

    fn assistant(&mut self, content: &Field<'a>) -> Result<(), Refusal> {
        let said = self.said.get_or_insert_default();
        if content.kind() == Kind::Text {
            said.words.push(content.text()?);
            return Ok(());
        }
        for field in content.list()? {
            let mut block = field.object()?;
            let kind = block.need("type")?;
            // Who had a tool called, and where words come from, is not said in
            // a chat.
            block.ignore(&["cache_control", "citations", "caller"]);
            match &*kind.string()? {
                "text" => said.words.push(block.need("text")?.text()?),
                "thinking" => {
                    said.thoughts.push(block.need("thinking")?.text()?);
                    block.ignore(&["signature"]);
                }
                // For Anthropic's eyes only.
                "redacted_thinking" => block.ignore(&["data"]),
                "tool_use" => said.calls.push(Call {
                    id: block.need("id")?.text()?,
                    kind: "function",
                    function: Function {
                        name: block.need("name")?.text()?,
                        arguments: block.need("input")?.any_object()?.get(),
                    },
                }),
                _ => return kind.not_this("must be text, thinking or tool_use for this model."),
            }
            block.done()?;
        }
        Ok(())
    }

    /// The model's turn ends where another voice is heard.
    fn flush(&mut self) {
        let Some(said) = self.said.take() else {
            return;
        };
        let silent = said.calls.is_empty();
        let content = Text::join(&said.words, "");
        self.messages.push(Message::Assistant {
            content: content.or_else(|| silent.then(|| Text::of(""))),
            reasoning_content: Text::join(&said.thoughts, "\\n\\n"),
            tool_calls: said.calls,
        });
    }
}

/// A string, or text blocks.
fn texts<'a>(content: &Field<'a>) -> Result<Vec<Text<'a>>, Refusal> {
    if content.kind() == Kind::Text {
        return Ok(vec![content.text()?]);
    }
    let text = |field: &Field<'a>| {
        let mut block = field.object()?;
        let kind = block.need("type")?;
        if kind.string()? != "text" {
            return kind.not_this("must be text here.");
        }
        block.ignore(&["cache_control", "citations"]);
        let text = block.need("text")?.text()?;
        block.done()?;
        Ok(text)
    };
    content.list()?.iter().map(text).collect()
}

/// A tool's result. What of it is no text goes to `shown`.
fn result<'a>(block: &mut Object<'a>, shown: &mut Vec<Part<'a>>) -> Result<Message<'a>, Refusal> {
    block.ignore(&["cache_control"]);
    let failed = block.take("is_error");
    let mut words = Vec::new();
    match block.take("content") {
        None => {}
        Some(content) if content.kind() == Kind::Text => words.push(content.text()?),
        Some(content) => {
            for field in content.list()? {
                let mut block = field.object()?;
                let kind = block.need("type")?;
                match media::part(&kind, block)? {
                    Part::Text { text } => words.push(text),
                    part => shown.push(part),
                }
            }
        }
    }
    let mut content = Text::join(&words, "\\n").unwrap_or_else(|| Text::of(""));
    // A chat has no other way to say so.
    if failed.map_or(Ok(false), |field| field.flag())? {
        content = Text::concat(&["Error: ", content.inner()]).unwrap_or(content);
    }
    Ok(Message::Tool {
        tool_call_id: block.need("tool_use_id")?.text()?,
        content,
    })
}
