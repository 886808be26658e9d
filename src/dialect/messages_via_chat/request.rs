//! Translates a Messages request into a chat request.
//!
//! Source: `OpenAI`'s API reference, "Create chat completion".

use serde::Serialize;
use serde_json::value::RawValue;

use super::{content, options, tools};
use crate::dialect::chat_request::{
    ChatRequestMessage, ChatResponseFormat, ChatStreamOptions, ChatTokenLimit, ChatTool,
    ChatToolChoice,
};
use crate::dialect::field::{JsonObject, to_json};
use crate::dialect::text::Text;
use crate::dialect::thinking::ReasoningEffort;
use crate::dialect::translation_error::TranslationError;
use crate::dialect::{ChatUpstream, TranslatedRequest};

/// Members that do not change the response: `OpenAI` caches automatically,
/// `context_management` only allows parts of a conversation to be dropped, and
/// `diagnostics` asks about the cache.
const IGNORED: [&str; 4] = [
    "model",
    "cache_control",
    "context_management",
    "diagnostics",
];

/// Values that request the default behaviour.
const DEFAULTS: [(&str, &[&str]); 2] = [("mcp_servers", &["[]"]), ("speed", &["\"standard\""])];

#[derive(Serialize)]
struct ChatRequest<'a> {
    model: &'a str,
    messages: Vec<ChatRequestMessage<'a>>,
    #[serde(flatten)]
    limit: ChatTokenLimit,
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

/// An error of a second translation, with the client's names.
pub fn client_error(error: TranslationError) -> TranslationError {
    error.renamed(|path| {
        // A message of the client may have become several.
        if path.starts_with("messages") {
            return Some("messages".to_owned());
        }
        if let Some(rest) = path.strip_prefix("response_format") {
            let rest = rest.strip_prefix(".json_schema").unwrap_or(rest);
            return Some(format!("output_config.format{rest}"));
        }
        let name = match path {
            "max_completion_tokens" => "max_tokens",
            "reasoning_effort" => "output_config.effort",
            "stop" => "stop_sequences",
            "user" => "metadata.user_id",
            _ => return None,
        };
        Some(name.to_owned())
    })
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
    let system = request.take("system");
    let messages = request.require("messages")?;
    let conversation = content::messages(system.as_ref(), &messages, upstream)?;
    let tools = tools::tools(&mut request, conversation.tool_changes)?;
    let (tool_choice, parallel_tool_calls) = tools::tool_choice(&mut request, !tools.is_empty())?;
    let (effort, response_format) = options::effort_and_format(&mut request)?;
    let effort = conversation.effort.or(effort);
    let chat = ChatRequest {
        model: upstream.model,
        messages: conversation.messages,
        limit: ChatTokenLimit::new(limit, upstream.legacy_max_tokens),
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
        echo: None,
    })
}
