//! Chat completions and legacy text completions, which differ only in names.

use serde_json::{Value, json};

use super::DemoResponse;
use super::body::DemoEvent;
use super::error::DemoError;
use super::generate::GeneratedText;
use super::request::{DemoRequest, DemoUsage};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompletionKind {
    /// `/chat/completions`
    Chat,
    /// `/completions`
    Text,
}

pub fn respond(kind: CompletionKind, request: &DemoRequest) -> Result<DemoResponse, DemoError> {
    let (text, usage) = request.generate(kind.param())?;
    if request.streams() {
        return Ok(DemoResponse::Stream(stream(kind, request, &text, usage)));
    }
    let finish = Some(finish_reason(&text));
    let choice = match kind {
        CompletionKind::Chat => {
            let message = json!({"role": "assistant", "content": text.text, "refusal": null});
            choice("message", &message, finish)
        }
        CompletionKind::Text => choice("text", &text.text.into(), finish),
    };
    let mut response = kind.envelope(request, kind.object(), &[choice]);
    insert(&mut response, "usage", usage.to_json());
    Ok(DemoResponse::Json(response))
}

fn stream(
    kind: CompletionKind,
    request: &DemoRequest,
    text: &GeneratedText,
    usage: DemoUsage,
) -> Vec<DemoEvent> {
    let event = |choices: &[Value]| kind.envelope(request, kind.chunk_object(), choices);
    let mut events = Vec::new();
    if kind == CompletionKind::Chat {
        let role = json!({"role": "assistant", "content": "", "refusal": null});
        events.push(DemoEvent::data(&event(&[choice("delta", &role, None)])));
    }
    for word in text.words() {
        events.push(DemoEvent::data(&event(&[kind.chunk_choice(word, None)])).paced());
    }
    events.push(DemoEvent::data(&event(&[
        kind.chunk_choice("", Some(finish_reason(text)))
    ])));
    if request.includes_usage() {
        let mut last = event(&[]);
        insert(&mut last, "usage", usage.to_json());
        events.push(DemoEvent::data(&last));
    }
    events.push(DemoEvent::done());
    events
}

impl CompletionKind {
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

    fn envelope(self, request: &DemoRequest, object: &str, choices: &[Value]) -> Value {
        let prefix = match self {
            Self::Chat => "chatcmpl",
            Self::Text => "cmpl",
        };
        json!({
            "id": format!("{prefix}-{}", request.id),
            "object": object,
            "created": request.created,
            "model": request.model,
            "choices": choices,
        })
    }

    /// The choice of an event: a word, or the finish reason.
    fn chunk_choice(self, word: &str, finish: Option<&str>) -> Value {
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

fn finish_reason(text: &GeneratedText) -> &'static str {
    if text.is_cut { "length" } else { "stop" }
}

fn insert(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

impl DemoUsage {
    fn to_json(self) -> Value {
        json!({
            "prompt_tokens": self.input,
            "completion_tokens": self.output,
            "total_tokens": self.input + self.output,
        })
    }
}
