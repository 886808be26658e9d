//! A stream of Anthropic's events as one of chat completion chunks.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::chunk::{Call, ChatDelta, Choice, Chunk, Counts, Function};
use super::message::{self, Block, Message, StopDetails, Thought, Usage};
use crate::dialect::error::Report;
use crate::dialect::field::write_json;
use crate::dialect::text::{self, Text};
use crate::dialect::{Answer, Flow};
use crate::wire::sse::Event;

/// What is known between two events.
#[derive(Debug)]
pub struct Translator {
    id: String,
    model: String,
    created: u64,
    include_usage: bool,
    started: bool,
    finished: bool,
    usage: Usage,
    /// The block that is under way.
    open: Open,
    calls: usize,
    thoughts: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Other,
    /// A thought, by its place among the thoughts.
    Thought(usize),
    /// A call, by its place among the calls.
    Call(usize, Arguments),
}

/// What came of a call's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arguments {
    Nothing,
    Pieces,
    /// All of them, with the call itself: pieces would say it twice.
    Whole,
}

/// What kind of event it is.
#[derive(Deserialize)]
struct Typed<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

/// Any event of a kind that is known.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    content_block: Option<Block<'a>>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    text: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    thinking: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    signature: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    partial_json: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "text::lenient")]
    stop_reason: Option<Text<'a>>,
    #[serde(borrow)]
    stop_details: Option<StopDetails<'a>>,
}

// === impl Translator ===

impl Translator {
    pub fn new(answer: &Answer<'_>) -> Self {
        Self {
            id: answer.id.to_owned(),
            model: answer.model.to_owned(),
            created: answer.created,
            include_usage: answer.include_usage,
            started: false,
            finished: false,
            usage: Usage::default(),
            open: Open::Other,
            calls: 0,
            thoughts: 0,
        }
    }

    /// Takes the lines of one event.
    pub fn event(&mut self, content: &[u8], out: &mut Vec<u8>) -> Flow {
        let event = Event::read(content);
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return Flow::Open;
        }
        let Ok(typed) = serde_json::from_slice::<Typed<'_>>(data) else {
            return Flow::Broken;
        };
        match &*typed.kind {
            "error" => {
                out.extend_from_slice(&Report::read(data).openai_event());
                Flow::Failed
            }
            "message_stop" => self.end(out),
            "message_start"
            | "content_block_start"
            | "content_block_delta"
            | "content_block_stop"
            | "message_delta" => {
                let said = serde_json::from_slice(data).ok();
                let told = said.and_then(|said| self.tell(&typed.kind, said, out));
                told.map_or(Flow::Broken, |()| Flow::Open)
            }
            // `ping`, and what is to come.
            _ => Flow::Open,
        }
    }

    /// `None` if it makes no sense.
    fn tell(&mut self, kind: &str, said: Said<'_>, out: &mut Vec<u8>) -> Option<()> {
        match kind {
            "message_start" if !self.started => self.start(said.message, out),
            _ if !self.started => return None,
            "content_block_start" => self.begin(said.content_block?, out)?,
            "content_block_delta" => self.go_on(said.delta?, out),
            "content_block_stop" => self.close(out),
            "message_delta" => self.stop(said.delta, said.usage, out),
            _ => {}
        }
        Some(())
    }

    fn start(&mut self, message: Option<Message<'_>>, out: &mut Vec<u8>) {
        self.started = true;
        if let Some(message) = message {
            self.usage = message.usage.unwrap_or_default();
            let id = message.id.as_ref().and_then(Text::decode);
            if let Some(id) = id.filter(|id| !id.is_empty()) {
                self.id = id.into_owned();
            }
        }
        let delta = ChatDelta {
            role: Some("assistant"),
            content: Some(Text::of("")),
            ..ChatDelta::default()
        };
        self.chunk(delta, None, out);
    }

    /// `None` if the block lacks what it must have.
    fn begin(&mut self, block: Block<'_>, out: &mut Vec<u8>) -> Option<()> {
        self.close(out);
        match &*block.kind {
            "text" => self.words(block.text, out),
            "thinking" => {
                self.open = Open::Thought(self.thoughts);
                self.thoughts += 1;
                self.thought(block.thinking, block.signature, out);
            }
            "redacted_thinking" => {
                let index = Some(self.thoughts);
                self.thoughts += 1;
                let thought = Thought {
                    index,
                    kind: "redacted_thinking",
                    thinking: None,
                    signature: None,
                    data: block.data,
                };
                let delta = ChatDelta {
                    thinking_blocks: Some([thought]),
                    ..ChatDelta::default()
                };
                self.chunk(delta, None, out);
            }
            "tool_use" => {
                let (id, name) = (block.id?, block.name?);
                let index = self.calls;
                self.calls += 1;
                let input = block.input.map(RawValue::get);
                let input = input.filter(|input| input.len() > 2);
                let came = input.map_or(Arguments::Nothing, |_| Arguments::Whole);
                self.open = Open::Call(index, came);
                let call = Call {
                    index,
                    id: Some(id),
                    kind: Some("function"),
                    function: Function {
                        name: Some(name),
                        arguments: Text::of(input.unwrap_or_default()),
                    },
                };
                self.call(call, out);
            }
            _ => {}
        }
        Some(())
    }

    fn go_on(&mut self, delta: Delta<'_>, out: &mut Vec<u8>) {
        match self.open {
            Open::Call(_, Arguments::Whole) => {}
            Open::Call(index, _) => {
                if let Some(json) = delta.partial_json.filter(|json| !json.is_empty()) {
                    self.open = Open::Call(index, Arguments::Pieces);
                    self.arguments(index, json, out);
                }
            }
            Open::Thought(_) => self.thought(delta.thinking, delta.signature, out),
            Open::Other => self.words(delta.text, out),
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if let Open::Call(index, Arguments::Nothing) =
            std::mem::replace(&mut self.open, Open::Other)
        {
            // A call without arguments: callers parse what they get.
            self.arguments(index, Text::of("{}"), out);
        }
    }

    fn stop(&mut self, delta: Option<Delta<'_>>, usage: Option<Usage>, out: &mut Vec<u8>) {
        if let Some(usage) = usage {
            self.usage.update(usage);
        }
        let Some(reason) = delta.as_ref().and_then(|delta| delta.stop_reason.clone()) else {
            return;
        };
        if self.finished {
            return;
        }
        self.finished = true;
        self.close(out);
        let details = delta.and_then(|delta| delta.stop_details);
        if let Some(explanation) = details.and_then(|details| details.explanation) {
            let delta = ChatDelta {
                refusal: Some(explanation),
                ..ChatDelta::default()
            };
            self.chunk(delta, None, out);
        }
        let reason = message::finish_reason(&reason);
        self.chunk(ChatDelta::default(), Some(reason), out);
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Flow {
        if !self.finished {
            return Flow::Broken;
        }
        if self.include_usage {
            self.write(&[], Some(Counts::Now(self.usage.chat())), out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
        Flow::Complete
    }

    fn words(&self, text: Option<Text<'_>>, out: &mut Vec<u8>) {
        let Some(content) = text.filter(|text| !text.is_empty()) else {
            return;
        };
        let delta = ChatDelta {
            content: Some(content),
            ..ChatDelta::default()
        };
        self.chunk(delta, None, out);
    }

    fn thought(&self, thinking: Option<Text<'_>>, signature: Option<Text<'_>>, out: &mut Vec<u8>) {
        let Open::Thought(index) = self.open else {
            return;
        };
        let thinking = thinking.filter(|thinking| !thinking.is_empty());
        let signature = signature.filter(|signature| !signature.is_empty());
        if thinking.is_none() && signature.is_none() {
            return;
        }
        let delta = ChatDelta {
            reasoning_content: thinking.clone(),
            thinking_blocks: Some([Thought {
                index: Some(index),
                kind: "thinking",
                thinking,
                signature,
                data: None,
            }]),
            ..ChatDelta::default()
        };
        self.chunk(delta, None, out);
    }

    fn arguments(&self, index: usize, arguments: Text<'_>, out: &mut Vec<u8>) {
        let function = Function {
            name: None,
            arguments,
        };
        let call = Call {
            index,
            id: None,
            kind: None,
            function,
        };
        self.call(call, out);
    }

    fn call(&self, call: Call<'_>, out: &mut Vec<u8>) {
        let delta = ChatDelta {
            tool_calls: Some([call]),
            ..ChatDelta::default()
        };
        self.chunk(delta, None, out);
    }

    fn chunk(&self, delta: ChatDelta<'_>, finish_reason: Option<&'static str>, out: &mut Vec<u8>) {
        let choice = Choice {
            index: 0,
            delta,
            logprobs: None,
            finish_reason,
        };
        self.write(&[choice], self.include_usage.then_some(Counts::Later), out);
    }

    fn write(&self, choices: &[Choice<'_>], usage: Option<Counts>, out: &mut Vec<u8>) {
        let chunk = Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.created,
            model: &self.model,
            choices,
            usage,
        };
        out.extend_from_slice(b"data: ");
        write_json(&chunk, out);
        out.extend_from_slice(b"\n\n");
    }
}
