//! A Messages request as a chat request.
//!
//! Source: `OpenAI`'s API reference, "Create chat completion".

use serde::Serialize;
use serde_json::value::RawValue;

use super::content::{self, Message};
use super::options::{self, ResponseFormat};
use super::tools::{self, Tool, ToolChoice};
use crate::dialect::field::{Object, json};
use crate::dialect::refusal::Refusal;
use crate::dialect::text::Text;
use crate::dialect::thinking::Effort;
use crate::dialect::{ToChat, Translated};

/// Members without a say in what is answered: `OpenAI` caches unasked, and what
/// may be forgotten of a long conversation need not be.
const IGNORED: [&str; 3] = ["model", "cache_control", "context_management"];

/// Values that ask for what happens anyhow.
const NEUTRAL: [(&str, &[&str]); 2] = [("mcp_servers", &["[]"]), ("speed", &["\"standard\""])];

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    #[serde(flatten)]
    limit: Limit,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<Effort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
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
    stream_options: Option<StreamOptions>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Limit {
    MaxTokens(u64),
    MaxCompletionTokens(u64),
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

pub fn translate(body: &[u8], upstream: &ToChat<'_>) -> Result<Translated, Refusal> {
    let mut request = Object::body(body)?;
    let stream = request
        .take("stream")
        .map(|field| field.flag())
        .transpose()?;
    let stream = stream.unwrap_or_default();
    let limit = request.need("max_tokens")?.whole()?;
    let limit = if upstream.old_max_tokens {
        Limit::MaxTokens(limit)
    } else {
        Limit::MaxCompletionTokens(limit)
    };
    let system = request.take("system");
    let messages = request.need("messages")?;
    let messages = content::messages(system.as_ref(), &messages, upstream.reasoning_history)?;
    let (tool_choice, parallel_tool_calls) = tools::choice(&mut request)?;
    let (effort, response_format) = options::output(&mut request)?;
    let chat = Request {
        model: upstream.model,
        messages,
        limit,
        tools: tools::tools(&mut request)?,
        tool_choice,
        parallel_tool_calls,
        reasoning_effort: effort.filter(|_| upstream.reasoning_effort),
        response_format,
        temperature: request.take_number("temperature")?,
        top_p: request.take_number("top_p")?,
        stop: options::stop(&mut request)?,
        user: options::user(&mut request)?,
        service_tier: options::service_tier(&mut request)?,
        stream,
        stream_options: stream.then_some(StreamOptions {
            include_usage: true,
        }),
    };
    request.ignore(&IGNORED);
    request.ignore_neutral(&NEUTRAL)?;
    request.done()?;
    Ok(Translated {
        body: json(&chat),
        stream,
        include_usage: stream,
    })
}
