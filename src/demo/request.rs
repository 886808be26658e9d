//! The fields of a request that the demo model reads.

use std::time::UNIX_EPOCH;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::error::DemoError;
use super::generate::{GeneratedText, words};
use crate::wall_clock;

/// The fields of all four endpoints together.
#[derive(Debug, Deserialize)]
pub struct DemoRequest {
    pub model: String,
    #[serde(default)]
    messages: Value,
    #[serde(default)]
    prompt: Value,
    /// Responses API and embeddings.
    #[serde(default)]
    pub input: Value,
    #[serde(default)]
    instructions: Value,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<usize>,
    max_completion_tokens: Option<usize>,
    /// Responses API.
    pub max_output_tokens: Option<usize>,
    /// Embeddings: `float` or `base64`.
    pub encoding_format: Option<String>,
    /// Embeddings: length of a vector.
    pub dimensions: Option<usize>,
    /// Hash of the request.
    #[serde(skip)]
    pub id: String,
    /// When it was received, in Unix seconds.
    #[serde(skip)]
    pub created: u64,
    /// For the code in a response.
    #[serde(skip)]
    pub base_url: String,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// Counts of words separated by white space, since the demo has no tokenizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoUsage {
    pub input: usize,
    pub output: usize,
}

impl DemoRequest {
    pub fn parse(body: &[u8]) -> Result<Self, DemoError> {
        let mut request: Self =
            serde_json::from_slice(body).map_err(|error| DemoError::invalid_json(&error))?;
        request.id = hash(body);
        let now = wall_clock::now().duration_since(UNIX_EPOCH);
        request.created = now.unwrap_or_default().as_secs();
        Ok(request)
    }

    /// Generates the response text for the field `param`: `messages`, `prompt` or
    /// `input`.
    pub fn generate(&self, param: &'static str) -> Result<(GeneratedText, DemoUsage), DemoError> {
        let (input, limit) = match param {
            "messages" => (
                &self.messages,
                self.max_completion_tokens.or(self.max_tokens),
            ),
            "prompt" => (&self.prompt, self.max_tokens),
            _ => (&self.input, self.max_output_tokens),
        };
        if input.is_null() {
            return Err(DemoError::missing(param));
        }
        let text = GeneratedText::generate(&last_user_text(input), limit, &self.base_url);
        let input_words = count_words(&self.instructions) + count_words(input);
        let usage = DemoUsage {
            input: input_words,
            output: text.words().count(),
        };
        Ok((text, usage))
    }

    pub fn streams(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    pub fn includes_usage(&self) -> bool {
        self.stream_options
            .as_ref()
            .and_then(|options| options.include_usage)
            .unwrap_or(false)
    }
}

/// Number of words in all texts of a prompt or a list of messages.
pub fn count_words(value: &Value) -> usize {
    let mut texts = Vec::new();
    collect(value, &mut texts);
    texts.into_iter().map(|text| words(text).count()).sum()
}

/// The text of the last user message, or of the last part of a prompt.
fn last_user_text(input: &Value) -> String {
    let from_user = |item: &&Value| item.get("role").is_none_or(|role| role == "user");
    let last = match input {
        Value::Array(items) => items.iter().rev().find(from_user).unwrap_or(&Value::Null),
        one => one,
    };
    let mut texts = Vec::new();
    collect(last, &mut texts);
    texts.join(" ")
}

/// Collects every text of a string, a message, a part of one, or a list of these.
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
