//! Translates a chat request into a Responses request.
//!
//! Source: the types of `OpenAI`'s Python library, `ResponseCreateParams` and
//! `CompletionCreateParams`.

use serde::Serialize;
use serde_json::value::RawValue;

use super::input::{self, InputItem};
use super::options::{self, ReasoningParam, StreamParam, TextConfig};
use super::tools::{self, ResponsesTool, ResponsesToolChoice};
use crate::dialect::chat;
use crate::dialect::field::{JsonObject, to_json};
use crate::dialect::text::Text;
use crate::dialect::translation_error::TranslationError;
use crate::dialect::{ResponsesUpstream, TranslatedRequest};

/// Members that do not change the response.
const IGNORED: [&str; 3] = ["model", "prediction", "cache_control"];

/// Values that request the default behaviour.
const DEFAULTS: [(&str, &[&str]); 6] = [
    ("n", &["1"]),
    ("frequency_penalty", &["0"]),
    ("presence_penalty", &["0"]),
    ("logit_bias", &["{}"]),
    ("modalities", &["[\"text\"]"]),
    ("stop", &["[]", "\"\""]),
];

#[derive(Serialize)]
struct ResponsesRequest<'a> {
    model: &'a str,
    input: Vec<InputItem<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ResponsesTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ResponsesToolChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "TextConfig::is_empty")]
    text: TextConfig<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<ReasoningParam<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    include: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
    /// Chat's default is false, that of Responses true.
    store: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_identifier: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_retention: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_options: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<Text<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamParam>,
}

pub fn translate(
    body: &[u8],
    upstream: &ResponsesUpstream<'_>,
) -> Result<TranslatedRequest, TranslationError> {
    let mut chat = JsonObject::from_body(body)?;
    let stream = chat::stream(&mut chat)?;
    let stream_options = chat::stream_options(&mut chat)?;
    let logprobs = options::logprobs(&mut chat)?;
    let request = ResponsesRequest {
        model: upstream.model,
        input: input::items(&chat.require("messages")?)?,
        tools: tools::tools(&mut chat)?,
        tool_choice: tools::tool_choice(&mut chat)?,
        parallel_tool_calls: boolean(&mut chat, "parallel_tool_calls")?,
        text: options::text(&mut chat)?,
        reasoning: options::reasoning(&mut chat, upstream)?,
        max_output_tokens: options::max_output_tokens(&mut chat)?,
        temperature: chat.take_number("temperature")?,
        top_p: chat.take_number("top_p")?,
        top_logprobs: logprobs.top,
        include: logprobs.include.into_iter().collect(),
        metadata: object(&mut chat, "metadata")?,
        store: boolean(&mut chat, "store")?.unwrap_or_default(),
        user: chat.take_text("user")?,
        safety_identifier: chat.take_text("safety_identifier")?,
        prompt_cache_key: chat.take_text("prompt_cache_key")?,
        prompt_cache_retention: chat.take_text("prompt_cache_retention")?,
        prompt_cache_options: object(&mut chat, "prompt_cache_options")?,
        service_tier: chat.take_text("service_tier")?,
        stream,
        stream_options: stream_options.include_obfuscation.filter(|_| stream).map(
            |include_obfuscation| StreamParam {
                include_obfuscation,
            },
        ),
    };
    chat.ignore(&IGNORED);
    chat.ignore_defaults(&DEFAULTS)?;
    chat.finish()?;
    Ok(TranslatedRequest {
        body: to_json(&request),
        stream,
        include_usage: stream && stream_options.include_usage,
        echo: None,
    })
}

fn boolean(chat: &mut JsonObject<'_>, name: &str) -> Result<Option<bool>, TranslationError> {
    chat.take(name).map(|field| field.boolean()).transpose()
}

/// An object that is passed on unchanged.
fn object<'a>(
    chat: &mut JsonObject<'a>,
    name: &str,
) -> Result<Option<&'a RawValue>, TranslationError> {
    chat.take(name).map(|field| field.raw_object()).transpose()
}
