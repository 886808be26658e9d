//! Translates a Responses request into a chat request.
//!
//! Source: `OpenAI`'s API reference, "Create a model response".

use serde::Serialize;
use serde_json::value::RawValue;

use super::client_path::client_path;
use super::conversation::{ChatMessages, MessageOrigin};
use super::echo::RequestEcho;
use super::input;
use super::tool_names::ToolNames;
use super::tools::ClientTools;
use super::{members, options, tool_choice};
use crate::dialect::chat_request::{
    ChatRequestMessage, ChatResponseFormat, ChatStreamOptions, ChatTokenLimit, ChatTool,
    ChatToolChoice,
};
use crate::dialect::field::{JsonObject, to_json};
use crate::dialect::text::Text;
use crate::dialect::thinking::ReasoningEffort;
use crate::dialect::translation_error::TranslationError;
use crate::dialect::{ChatUpstream, TranslatedRequest};

/// Members that do not change the response: bookkeeping, caching, what may be dropped
/// from a long conversation, and how many calls a provider may run itself.
const IGNORED: [&str; 9] = [
    "model",
    "client_metadata",
    "context_management",
    "max_tool_calls",
    "metadata",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    // Nothing is stored; the response says so.
    "store",
];

/// Values that request the default behaviour.
const DEFAULTS: [(&str, &[&str]); 3] = [
    ("top_logprobs", &["0"]),
    ("generate", &["true"]),
    ("image", &["{}", "{\"context_compression\":\"auto\"}"]),
];

#[derive(Serialize)]
struct ChatRequest<'a> {
    model: &'a str,
    messages: Vec<ChatRequestMessage<'a>>,
    #[serde(flatten)]
    limit: Option<ChatTokenLimit>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<Text<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<ChatStreamOptions>,
}

pub fn translate(
    body: &[u8],
    upstream: &ChatUpstream<'_>,
) -> Result<TranslatedRequest, TranslationError> {
    translate_with_origins(body, upstream).map(|(request, _)| request)
}

/// The request, and where its messages come from.
pub(super) fn translate_with_origins(
    body: &[u8],
    upstream: &ChatUpstream<'_>,
) -> Result<(TranslatedRequest, Vec<MessageOrigin>), TranslationError> {
    let mut request = JsonObject::from_body(body)?;
    let members = members::members(&request);
    options::check_stateless(&mut request)?;
    let stream = request.take("stream");
    let stream = stream.map_or(Ok(false), |field| field.boolean())?;
    options::check_stream_options(&mut request)?;
    let instructions = request.take("instructions");
    let input = request.require("input")?;
    let mut tools = ClientTools::default();
    if let Some(field) = request.take("tools") {
        tools.add_all(&field)?;
    }
    input::add_tools(&input, &mut tools)?;
    let mut names = ToolNames::default();
    let mut tools = tools.into_offered(&mut names);
    let (tool_choice, parallel_tool_calls) =
        tool_choice::tool_choice(&mut request, &mut tools, &names)?;
    let ChatMessages { messages, origins } =
        input::messages(instructions.as_ref(), &input, &names, upstream)?;
    let limit = request.take("max_output_tokens");
    let limit = limit.map(|field| field.integer()).transpose()?;
    let effort = options::effort(&mut request)?;
    let chat = ChatRequest {
        model: upstream.model,
        messages,
        limit: limit.map(|limit| ChatTokenLimit::new(limit, upstream.legacy_max_tokens)),
        tools: tools.into_iter().map(|offered| offered.tool).collect(),
        tool_choice,
        parallel_tool_calls,
        reasoning_effort: effort.filter(|_| upstream.reasoning_effort),
        response_format: options::response_format(&mut request)?,
        temperature: request.take_number("temperature")?,
        top_p: request.take_number("top_p")?,
        user: options::user(&mut request)?,
        service_tier: options::service_tier(&mut request)?,
        stream,
        stream_options: (stream && upstream.stream_usage).then_some(ChatStreamOptions {
            include_usage: true,
        }),
    };
    options::check_include(&mut request)?;
    options::check_truncation(&mut request)?;
    request.ignore(&IGNORED);
    request.ignore_defaults(&DEFAULTS)?;
    request.finish()?;
    let echo = RequestEcho {
        members,
        tools: names.into_origins(),
    };
    let request = TranslatedRequest {
        body: to_json(&chat),
        stream,
        include_usage: stream,
        echo: Some(Box::new(echo)),
    };
    Ok((request, origins))
}

/// An error of the second translation, with the client's names.
pub fn client_error(
    error: TranslationError,
    body: &[u8],
    upstream: &ChatUpstream<'_>,
) -> TranslationError {
    let origins = translate_with_origins(body, upstream).map(|(_, origins)| origins);
    let origins = origins.unwrap_or_default();
    error.renamed(|path| client_path(path, &origins))
}
