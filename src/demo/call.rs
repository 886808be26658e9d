//! A request, as far as the demo model looks at it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::answer::{Answer, words};
use super::fault::Fault;

/// The fields of all four endpoints together: those that an endpoint does not
/// have are not looked at there.
#[derive(Debug, Deserialize)]
pub struct Call {
    /// Name to repeat in the answer.
    pub model: String,
    #[serde(default)]
    messages: Value,
    #[serde(default)]
    prompt: Value,
    /// Of the Responses API and of embeddings.
    #[serde(default)]
    pub input: Value,
    #[serde(default)]
    instructions: Value,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<usize>,
    max_completion_tokens: Option<usize>,
    /// The Responses API's limit.
    pub max_output_tokens: Option<usize>,
    /// Of embeddings: `float` or `base64`.
    pub encoding_format: Option<String>,
    /// Of embeddings: how many numbers make a vector.
    pub dimensions: Option<usize>,
    /// Hash of the request.
    #[serde(skip)]
    pub id: String,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// Words in and out. A word is what stands between two spaces: honest for a
/// text that no tokenizer made, and no more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// In the request.
    pub input: usize,
    /// In the answer.
    pub output: usize,
}

impl Call {
    /// Reads a request's body.
    pub fn parse(body: &[u8]) -> Result<Self, Fault> {
        let mut call: Self =
            serde_json::from_slice(body).map_err(|error| Fault::no_json(&error))?;
        call.id = hash(body);
        Ok(call)
    }

    /// The answer to `messages`, `prompt` or `input`, whichever is given.
    pub fn answer(&self, param: &'static str) -> Result<(Answer, Usage), Fault> {
        let (asked, limit) = match param {
            "messages" => (
                &self.messages,
                self.max_completion_tokens.or(self.max_tokens),
            ),
            "prompt" => (&self.prompt, self.max_tokens),
            _ => (&self.input, self.max_output_tokens),
        };
        if asked.is_null() {
            return Err(Fault::missing(param));
        }
        let answer = Answer::to(&last_said(asked), limit);
        let input = count(&self.instructions) + count(asked);
        let usage = Usage {
            input,
            output: answer.words().count(),
        };
        Ok((answer, usage))
    }

    /// True when the answer is to come word by word.
    pub fn streams(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    /// True when a stream is to tell its usage.
    pub fn wants_usage(&self) -> bool {
        self.stream_options
            .as_ref()
            .and_then(|options| options.include_usage)
            .unwrap_or(false)
    }
}

/// The words in all texts of a prompt or of a list of messages.
pub fn count(value: &Value) -> usize {
    let mut texts = Vec::new();
    collect(value, &mut texts);
    texts.into_iter().map(|text| words(text).count()).sum()
}

/// What the user said last; of a prompt in several parts, the last one.
fn last_said(asked: &Value) -> String {
    let from_user = |item: &&Value| item.get("role").is_none_or(|role| role == "user");
    let said = match asked {
        Value::Array(items) => items.iter().rev().find(from_user).unwrap_or(&Value::Null),
        one => one,
    };
    let mut texts = Vec::new();
    collect(said, &mut texts);
    texts.join(" ")
}

/// Every text of a string, a message, a part of one, or a list of these.
fn collect<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(item) => {
            let inner = item.get("content").or_else(|| item.get("text"));
            if let Some(inner) = inner {
                collect(inner, texts);
            }
        }
        _ => {}
    }
}

fn hash(body: &[u8]) -> String {
    let digest: Vec<u8> = Sha256::digest(body).into_iter().take(12).collect();
    URL_SAFE_NO_PAD.encode(digest)
}
