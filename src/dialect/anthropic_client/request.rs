//! Translates a Messages request into a chat request.
//!
//! Source: `OpenAI`'s API reference, "Create chat completion".

use serde::Serialize;
use serde_json::value::RawValue;

use super::content::{self, ChatRequestMessage};
use super::options::{self, ChatResponseFormat};
use super::tools::{self, ChatTool, ChatToolChoice};
use crate::dialect::field::{JsonObject, to_json};
use crate::dialect::text::Text;
use crate::dialect::thinking::ReasoningEffort;
use crate::dialect::translation_error::TranslationError;
use crate::dialect::{ChatUpstream, TranslatedRequest};

/// Members that do not change the response: `OpenAI` caches automatically,
/// and `context_management` only allows parts of a conversation to be dropped.
const IGNORED: [&str; 3] = ["model", "cache_control", "context_management"];

/// Values that request the default behaviour.
const DEFAULTS: [(&str, &[&str]); 2] = [("mcp_servers", &["[]"]), ("speed", &["\"standard\""])];

#[derive(Serialize)]
struct ChatRequest<'a> {
    model: &'a str,
    messages: Vec<ChatRequestMessage<'a>>,
    #[serde(flatten)]
    limit: TokenLimit,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ChatTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ChatToolChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<ReasoningEffort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ChatResponseFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop: Vec<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<ChatStreamOptions>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum TokenLimit {
    MaxTokens(u64),
    MaxCompletionTokens(u64),
}

#[derive(Serialize)]
struct ChatStreamOptions {
    include_usage: bool,
}

pub fn translate(
    body: &[u8],
    upstream: &ChatUpstream<'_>,
) -> Result<TranslatedRequest, TranslationError> {
    let mut request = JsonObject::from_body(body)?;
    let stream = request
        .take("stream")
        .map(|field| field.boolean())
        .transpose()?;
    let stream = stream.unwrap_or_default();
    let limit = request.require("max_tokens")?.integer()?;
    let limit = if upstream.legacy_max_tokens {
        TokenLimit::MaxTokens(limit)
    } else {
        TokenLimit::MaxCompletionTokens(limit)
    };
    let system = request.take("system");
    let messages = request.require("messages")?;
    let messages = content::messages(system.as_ref(), &messages, upstream)?;
    let tools = tools::tools(&mut request)?;
    let (tool_choice, parallel_tool_calls) = tools::tool_choice(&mut request, !tools.is_empty())?;
    let (effort, response_format) = options::effort_and_format(&mut request)?;
    let chat = ChatRequest {
        model: upstream.model,
        messages,
        limit,
        tools,
        tool_choice,
        parallel_tool_calls,
        reasoning_effort: effort.filter(|_| upstream.reasoning_effort),
        response_format,
        temperature: request.take_number("temperature")?,
        top_p: request.take_number("top_p")?,
        stop: options::stop_sequences(&mut request)?,
        user: options::user(&mut request)?,
        service_tier: options::service_tier(&mut request)?,
        stream,
        stream_options: (stream && upstream.stream_usage).then_some(ChatStreamOptions {
            include_usage: true,
        }),
    };
    request.ignore(&IGNORED);
    request.ignore_defaults(&DEFAULTS)?;
    request.finish()?;
    Ok(TranslatedRequest {
        body: to_json(&chat),
        stream,
        include_usage: stream,
    })
}
