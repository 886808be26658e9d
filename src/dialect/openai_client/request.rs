//! A chat request as a Messages request.
//!
//! Source: the Messages API reference, "Create a Message", and Anthropic's page
//! on its own compatibility layer, which decides where system messages go.

use serde::Serialize;
use serde_json::value::RawValue;

use super::content::{self, Block, Turn};
use super::options::{self, OutputConfig, ThinkingConfig};
use super::tools::{self, Tool, ToolChoice};
use crate::dialect::field::{Object, json};
use crate::dialect::refusal::Refusal;
use crate::dialect::text::Text;
use crate::dialect::{ToMessages, Translated};

/// Members without a say in what is answered.
const IGNORED: [&str; 6] = [
    "model",
    "metadata",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
];

/// Values that ask for what happens anyhow.
const NEUTRAL: [(&str, &[&str]); 9] = [
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
struct Request<'a> {
    model: &'a str,
    max_tokens: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'a>>,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<ThinkingConfig<'a>>,
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
    metadata: Option<Metadata<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
}

#[derive(Serialize)]
struct Metadata<'a> {
    user_id: Text<'a>,
}

pub fn translate(body: &[u8], upstream: &ToMessages<'_>) -> Result<Translated, Refusal> {
    let mut chat = Object::body(body)?;
    let stream = chat.take("stream").map(|field| field.flag()).transpose()?;
    let stream = stream.unwrap_or_default();
    let include_usage = options::include_usage(&mut chat)?;
    let conversation = content::conversation(&chat.need("messages")?)?;
    let tools = tools::tools(&mut chat)?;
    let tool_choice = tools::choice(&mut chat, !tools.is_empty())?;
    let limit = options::max_tokens(&mut chat)?;
    let wish = options::effort(&mut chat)?;
    let given = options::thinking(&mut chat)?;
    let reasoning = options::reason(wish, given, limit, &conversation, upstream)?;
    let request = Request {
        model: upstream.model,
        max_tokens: reasoning.max_tokens,
        system: conversation.system,
        messages: conversation.turns,
        tools,
        tool_choice,
        thinking: reasoning.thinking,
        output_config: OutputConfig {
            effort: reasoning.effort,
            format: options::format(&mut chat)?,
        },
        temperature: options::temperature(&mut chat)?,
        top_p: chat.take_number("top_p")?,
        top_k: chat.take_number("top_k")?,
        stop_sequences: options::stop(&mut chat)?,
        metadata: user(&mut chat)?,
        service_tier: options::service_tier(&mut chat)?,
        cache_control: options::cache_control(&mut chat)?,
        stream,
    };
    chat.ignore(&IGNORED);
    chat.ignore_neutral(&NEUTRAL)?;
    chat.done()?;
    Ok(Translated {
        body: json(&request),
        stream,
        include_usage: stream && include_usage,
    })
}

/// Who the end user is; `safety_identifier` is the newer name.
fn user<'a>(chat: &mut Object<'a>) -> Result<Option<Metadata<'a>>, Refusal> {
    let newer = chat.take_text("safety_identifier")?;
    let older = chat.take_text("user")?;
    let user = newer.or(older).filter(|user| !user.is_empty());
    Ok(user.map(|user_id| Metadata { user_id }))
}
