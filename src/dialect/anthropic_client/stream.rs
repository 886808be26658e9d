//! A stream of chat completion chunks as one of Anthropic's events.
//!
//! Source: Anthropic's documentation, "Streaming messages". A message is a
//! series of blocks, one open at a time.

use serde::Serialize;

use super::completion::{self, Call, Choice, Completion, Usage};
use crate::dialect::error::Report;
use crate::dialect::field::write_json;
use crate::dialect::text::Text;
use crate::dialect::{Answer, Flow};
use crate::wire::sse::Event;

/// What is known between two events.
#[derive(Debug)]
pub struct Translator {
    id: String,
    model: String,
    started: bool,
    /// How many blocks were begun.
    blocks: usize,
    open: Option<Open>,
    calls: usize,
    stop_reason: Option<&'static str>,
    usage: Usage,
}

/// The block that is under way.
#[derive(Debug, PartialEq, Eq)]
enum Open {
    Thoughts,
    Words,
    /// A call, by which the upstream's next pieces are known.
    Call {
        index: Option<u64>,
        id: Option<String>,
    },
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said<'a> {
    MessageStart {
        message: Start<'a>,
    },
    ContentBlockStart {
        index: usize,
        content_block: Block<'a>,
    },
    ContentBlockDelta {
        index: usize,
        delta: Delta<'a>,
    },
    ContentBlockStop {
        index: usize,
    },
    MessageDelta {
        delta: Stop,
        usage: Usage,
    },
    MessageStop,
    Ping,
}

#[derive(Serialize)]
struct Start<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: [(); 0],
    stop_reason: Option<()>,
    stop_sequence: Option<()>,
    usage: Usage,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Thinking {
        thinking: &'static str,
        signature: &'static str,
    },
    Text {
        text: &'static str,
    },
    ToolUse {
        id: Text<'a>,
        name: Text<'a>,
        input: Empty,
    },
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
#[serde(tag = "type")]
enum Delta<'a> {
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: Text<'a> },
    #[serde(rename = "text_delta")]
    Text { text: Text<'a> },
    #[serde(rename = "input_json_delta")]
    Input { partial_json: Text<'a> },
}

#[derive(Serialize)]
struct Stop {
    stop_reason: &'static str,
    stop_sequence: Option<()>,
}

// === impl Translator ===

impl Translator {
    pub fn new(answer: &Answer<'_>) -> Self {
        Self {
            id: answer.id.to_owned(),
            model: answer.model.to_owned(),
            started: false,
            blocks: 0,
            open: None,
            calls: 0,
            stop_reason: None,
            usage: Usage::default(),
        }
    }

    /// Takes the lines of one event.
    pub fn event(&mut self, content: &[u8], out: &mut Vec<u8>) -> Flow {
        let event = Event::read(content);
        let data = event.data.trim_ascii();
        if data.is_empty() {
            // A comment, by which an upstream shows that it is still there.
            if content.starts_with(b":") {
                write(&Said::Ping, out);
            }
            return Flow::Open;
        }
        if data == b"[DONE]" {
            return match self.end(out) {
                Flow::Open => Flow::Broken,
                flow => flow,
            };
        }
        let Ok(chunk) = serde_json::from_slice::<Completion<'_>>(data) else {
            return Flow::Broken;
        };
        if chunk.error.is_some() || event.kind == Some(b"error") {
            out.extend_from_slice(&Report::read(data).anthropic_event());
            return Flow::Failed;
        }
        if let Some(usage) = Usage::find(data) {
            self.usage = usage;
        }
        self.start(chunk.id.as_ref(), out);
        let mut choices = chunk.choices.unwrap_or_default();
        // The report behind the answer is the last that matters.
        if choices.is_empty() && self.stop_reason.is_some() {
            return self.end(out);
        }
        choices.retain(|choice| choice.index.unwrap_or_default() == 0);
        let taken = choices
            .into_iter()
            .try_for_each(|choice| self.choice(choice, out));
        taken.map_or(Flow::Broken, |()| Flow::Open)
    }

    /// The upstream says no more, with its mark or without.
    pub fn end(&mut self, out: &mut Vec<u8>) -> Flow {
        let Some(stop_reason) = self.stop_reason else {
            return Flow::Open;
        };
        let stop = Said::MessageDelta {
            delta: Stop {
                stop_reason,
                stop_sequence: None,
            },
            usage: self.usage,
        };
        write(&stop, out);
        write(&Said::MessageStop, out);
        Flow::Complete
    }

    fn start(&mut self, id: Option<&Text<'_>>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let id = id.and_then(Text::decode);
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            self.id = id.into_owned();
        }
        let message = Start {
            id: &self.id,
            kind: "message",
            role: "assistant",
            model: &self.model,
            content: [],
            stop_reason: None,
            stop_sequence: None,
            usage: self.usage,
        };
        write(&Said::MessageStart { message }, out);
    }

    /// `None` if it makes no sense.
    fn choice(&mut self, choice: Choice<'_>, out: &mut Vec<u8>) -> Option<()> {
        if let Some(said) = choice.delta.filter(|_| self.stop_reason.is_none()) {
            if let Some(thinking) = said.thoughts() {
                let block = Block::Thinking {
                    thinking: "",
                    signature: "",
                };
                self.go_on(Open::Thoughts, block, out);
                self.delta(Delta::Thinking { thinking }, out);
            }
            if let Some(text) = said.words() {
                self.go_on(Open::Words, Block::Text { text: "" }, out);
                self.delta(Delta::Text { text }, out);
            }
            for call in said.tool_calls.into_iter().flatten() {
                self.call(call, out)?;
            }
        }
        if let Some(reason) = choice.finish_reason.filter(|_| self.stop_reason.is_none()) {
            self.close(out);
            self.stop_reason = Some(completion::stop_reason(&reason, self.calls > 0));
        }
        Some(())
    }

    fn call(&mut self, call: Call<'_>, out: &mut Vec<u8>) -> Option<()> {
        let function = call.function?;
        let id = call.id.filter(|id| !id.is_empty());
        let name = function.name.as_ref().filter(|name| !name.is_empty());
        if !self.is_open(call.index, id.as_ref(), name) {
            let place = self.calls;
            self.calls += 1;
            let open = Open::Call {
                index: call.index,
                id: id.as_ref().map(|id| id.inner().to_owned()),
            };
            let block = Block::ToolUse {
                id: id.unwrap_or_else(|| completion::call_id(&self.id, place)),
                // A piece of a call that was closed has no name.
                name: name.cloned()?,
                input: Empty {},
            };
            self.begin(open, block, out);
        }
        if let Some(partial_json) = function.arguments() {
            self.delta(Delta::Input { partial_json }, out);
        }
        Some(())
    }

    /// Whether this is a piece of the call that is under way. Some upstreams
    /// give all calls the same index, others give them none; then a name tells
    /// that another one begins.
    fn is_open(&self, index: Option<u64>, id: Option<&Text<'_>>, name: Option<&Text<'_>>) -> bool {
        let Some(Open::Call {
            index: open_index,
            id: open_id,
        }) = &self.open
        else {
            return false;
        };
        let same_index = match index {
            Some(_) => index == *open_index,
            None => id.is_some() || name.is_none(),
        };
        same_index && id.is_none_or(|id| Some(id.inner()) == open_id.as_deref())
    }

    fn go_on(&mut self, open: Open, block: Block<'_>, out: &mut Vec<u8>) {
        if self.open.as_ref() != Some(&open) {
            self.begin(open, block, out);
        }
    }

    fn begin(&mut self, open: Open, content_block: Block<'_>, out: &mut Vec<u8>) {
        self.close(out);
        let index = self.blocks;
        self.blocks += 1;
        self.open = Some(open);
        let start = Said::ContentBlockStart {
            index,
            content_block,
        };
        write(&start, out);
    }

    fn delta(&self, delta: Delta<'_>, out: &mut Vec<u8>) {
        let index = self.blocks.saturating_sub(1);
        write(&Said::ContentBlockDelta { index, delta }, out);
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            let index = self.blocks.saturating_sub(1);
            write(&Said::ContentBlockStop { index }, out);
        }
    }
}

impl Said<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop => "message_stop",
            Self::Ping => "ping",
        }
    }
}

fn write(said: &Said<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(said.name().as_bytes());
    out.extend_from_slice(b"\ndata: ");
    write_json(said, out);
    out.extend_from_slice(b"\n\n");
}
