//! Translates a chat request into a Messages request.
//!
//! Source: the Messages API reference, "Create a Message", and Anthropic's page
//! on its own compatibility layer, which decides where system messages go.

use serde::Serialize;
use serde_json::value::RawValue;

use super::content::{self, MessagesBlock, MessagesTurn};
use super::options::{self, OutputConfig, ThinkingParam};
use super::sampling::{self, WHILE_THINKING};
use super::tools::{self, MessagesTool, MessagesToolChoice};
use crate::dialect::chat;
use crate::dialect::field::{JsonObject, to_json};
use crate::dialect::text::Text;
use crate::dialect::translation_error::TranslationError;
use crate::dialect::{MessagesUpstream, TranslatedRequest};

/// Members that do not change the response.
const IGNORED: [&str; 6] = [
    "model",
    "metadata",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
];

/// Values that request the default behaviour.
const DEFAULTS: [(&str, &[&str]); 9] = [
    ("n", &["1"]),
    ("frequency_penalty", &["0"]),
    ("presence_penalty", &["0"]),
    ("logit_bias", &["{}"]),
    ("logprobs", &["false"]),
    ("top_logprobs", &["0"]),
    ("modalities", &["[\"text\"]"]),
    ("store", &["false"]),
    ("verbosity", &["\"medium\""]),
];

#[derive(Serialize)]
struct MessagesRequest<'a> {
    model: &'a str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<MessagesBlock<'a>>,
    messages: Vec<MessagesTurn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<MessagesTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<MessagesToolChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<ThinkingParam<'a>>,
    #[serde(skip_serializing_if = "OutputConfig::is_empty")]
    output_config: OutputConfig<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<MessagesMetadata<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
}

#[derive(Serialize)]
struct MessagesMetadata<'a> {
    user_id: Text<'a>,
}

pub fn translate(
    body: &[u8],
    upstream: &MessagesUpstream<'_>,
) -> Result<TranslatedRequest, TranslationError> {
    let mut chat = JsonObject::from_body(body)?;
    let stream = chat::stream(&mut chat)?;
    let include_usage = chat::stream_options(&mut chat)?.include_usage;
    let conversation = content::conversation(&chat.require("messages")?)?;
    let tools = tools::tools(&mut chat)?;
    let tool_choice = tools::tool_choice(&mut chat, !tools.is_empty())?;
    let limit = chat::max_tokens(&mut chat)?;
    let effort = options::effort(&mut chat)?;
    let thinking = options::thinking(&mut chat)?;
    let reasoning = options::resolve_reasoning(effort, thinking, limit, &conversation, upstream)?;
    let is_thinking = reasoning.is_thinking();
    if is_thinking
        && tool_choice
            .as_ref()
            .is_some_and(MessagesToolChoice::is_forced)
    {
        let detail = format!("must be auto or none {WHILE_THINKING}");
        return Err(TranslationError::unsupported_value("tool_choice", detail));
    }
    let sampling = sampling::sampling(&mut chat, is_thinking)?;
    let request = MessagesRequest {
        model: upstream.model,
        max_tokens: reasoning.max_tokens,
        system: conversation.system,
        messages: conversation.turns,
        tools,
        tool_choice,
        thinking: reasoning.thinking,
        output_config: OutputConfig {
            effort: reasoning.effort,
            format: options::output_format(&mut chat)?,
        },
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        stop_sequences: options::stop(&mut chat)?,
        metadata: metadata(&mut chat)?,
        service_tier: options::service_tier(&mut chat)?,
        cache_control: options::cache_control(&mut chat)?,
        stream,
    };
    chat.ignore(&IGNORED);
    chat.ignore_defaults(&DEFAULTS)?;
    chat.finish()?;
    Ok(TranslatedRequest {
        body: to_json(&request),
        stream,
        include_usage: stream && include_usage,
        echo: None,
    })
}

/// The end user's id; `safety_identifier` is the newer name of `user`.
fn metadata<'a>(
    chat: &mut JsonObject<'a>,
) -> Result<Option<MessagesMetadata<'a>>, TranslationError> {
    let safety_identifier = chat.take_text("safety_identifier")?;
    let user = chat.take_text("user")?;
    let user_id = safety_identifier.or(user).filter(|id| !id.is_empty());
    Ok(user_id.map(|user_id| MessagesMetadata { user_id }))
}
