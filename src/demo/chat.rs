//! Chat completions and the older text completions, which differ in names.

use serde_json::{Value, json};

use super::answer::Answer;
use super::call::{Call, Usage};
use super::fault::Fault;
use super::pace::Piece;
use super::{CREATED, Reply};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `/chat/completions`
    Chat,
    /// `/completions`
    Text,
}

/// The answer to a call.
pub fn reply(style: Style, call: &Call) -> Result<Reply, Fault> {
    let (answer, usage) = call.answer(style.param())?;
    if call.streams() {
        return Ok(Reply::Stream(stream(style, call, &answer, usage)));
    }
    let finish = Some(finish_reason(&answer));
    let choice = match style {
        Style::Chat => {
            let message = json!({"role": "assistant", "content": answer.text, "refusal": null});
            choice("message", &message, finish)
        }
        Style::Text => choice("text", &answer.text.into(), finish),
    };
    let mut whole = style.envelope(call, style.object(), &[choice]);
    member(&mut whole, "usage", usage.to_json());
    Ok(Reply::Json(whole))
}

fn stream(style: Style, call: &Call, answer: &Answer, usage: Usage) -> Vec<Piece> {
    let event = |choices: &[Value]| style.envelope(call, style.chunk_object(), choices);
    let mut pieces = Vec::new();
    if style == Style::Chat {
        let role = json!({"role": "assistant", "content": "", "refusal": null});
        pieces.push(Piece::data(&event(&[choice("delta", &role, None)])));
    }
    for word in answer.words() {
        pieces.push(Piece::data(&event(&[style.piece(word, None)])).spoken());
    }
    pieces.push(Piece::data(&event(&[
        style.piece("", Some(finish_reason(answer)))
    ])));
    if call.wants_usage() {
        let mut last = event(&[]);
        member(&mut last, "usage", usage.to_json());
        pieces.push(Piece::data(&last));
    }
    pieces.push(Piece::done());
    pieces
}

impl Style {
    fn param(self) -> &'static str {
        match self {
            Self::Chat => "messages",
            Self::Text => "prompt",
        }
    }

    fn object(self) -> &'static str {
        match self {
            Self::Chat => "chat.completion",
            Self::Text => "text_completion",
        }
    }

    fn chunk_object(self) -> &'static str {
        match self {
            Self::Chat => "chat.completion.chunk",
            Self::Text => "text_completion",
        }
    }

    fn envelope(self, call: &Call, object: &str, choices: &[Value]) -> Value {
        let prefix = match self {
            Self::Chat => "chatcmpl",
            Self::Text => "cmpl",
        };
        json!({
            "id": format!("{prefix}-{}", call.id),
            "object": object,
            "created": CREATED,
            "model": call.model,
            "choices": choices,
        })
    }

    /// The choice of an event: a word, or none at the end.
    fn piece(self, word: &str, finish: Option<&str>) -> Value {
        match self {
            Self::Chat if finish.is_some() => choice("delta", &json!({}), finish),
            Self::Chat => choice("delta", &json!({"content": word}), finish),
            Self::Text => choice("text", &word.into(), finish),
        }
    }
}

fn choice(name: &str, content: &Value, finish: Option<&str>) -> Value {
    json!({"index": 0, name: content, "logprobs": null, "finish_reason": finish})
}

fn finish_reason(answer: &Answer) -> &'static str {
    if answer.cut { "length" } else { "stop" }
}

fn member(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

impl Usage {
    fn to_json(self) -> Value {
        json!({
            "prompt_tokens": self.input,
            "completion_tokens": self.output,
            "total_tokens": self.input + self.output,
        })
    }
}
