//! Types of chat requests.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::chat::ChatToolCall;
use super::text::Text;

/// JSON schema of a function without parameters.
const NO_PARAMETERS: &str = r#"{"type":"object","properties":{}}"#;

#[derive(Debug, Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub(super) enum ChatRequestMessage<'a> {
    System {
        content: Text<'a>,
    },
    User {
        content: ChatContent<'a>,
    },
    Assistant {
        content: Option<Text<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        reasoning_content: Option<Text<'a>>,
        /// See [`ChatUpstream::thinking_blocks`](super::ChatUpstream::thinking_blocks).
        #[serde(skip_serializing_if = "Vec::is_empty")]
        thinking_blocks: Vec<Box<RawValue>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<ChatToolCall<'a>>,
    },
    Tool {
        tool_call_id: Text<'a>,
        /// Text, except for [`ChatUpstream::thinking_blocks`](super::ChatUpstream::thinking_blocks).
        content: ChatContent<'a>,
    },
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ChatContent<'a> {
    Text(Text<'a>),
    Parts(Vec<ChatContentPart<'a>>),
}

/// A part of a user message.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ChatContentPart<'a> {
    Text { text: Text<'a> },
    ImageUrl { image_url: ChatImageUrl<'a> },
    File { file: ChatFile<'a> },
}

#[derive(Debug, Serialize)]
pub(super) struct ChatImageUrl<'a> {
    pub(super) url: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<Text<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct ChatFile<'a> {
    pub(super) filename: Text<'a>,
    pub(super) file_data: Text<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct ChatTool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: ChatFunction<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct ChatFunction<'a> {
    pub(super) name: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Text<'a>>,
    pub(super) parameters: Cow<'a, RawValue>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) strict: bool,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ChatToolChoice<'a> {
    Mode(&'static str),
    Function {
        #[serde(rename = "type")]
        kind: &'static str,
        function: ChatFunctionName<'a>,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct ChatFunctionName<'a> {
    name: Text<'a>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ChatResponseFormat<'a> {
    JsonObject,
    JsonSchema { json_schema: ChatJsonSchema<'a> },
}

#[derive(Debug, Serialize)]
pub(super) struct ChatJsonSchema<'a> {
    /// Required by `OpenAI`; Anthropic has none.
    pub(super) name: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<Text<'a>>,
    pub(super) schema: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) strict: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChatTokenLimit {
    MaxTokens(u64),
    MaxCompletionTokens(u64),
}

#[derive(Debug, Serialize)]
pub(super) struct ChatStreamOptions {
    pub(super) include_usage: bool,
}

impl<'a> ChatTool<'a> {
    pub(super) fn new(function: ChatFunction<'a>) -> Self {
        Self {
            kind: "function",
            function,
        }
    }
}

impl<'a> ChatToolChoice<'a> {
    pub(super) fn function(name: Text<'a>) -> Self {
        Self::Function {
            kind: "function",
            function: ChatFunctionName { name },
        }
    }
}

impl ChatTokenLimit {
    pub(super) fn new(limit: u64, is_legacy: bool) -> Self {
        if is_legacy {
            Self::MaxTokens(limit)
        } else {
            Self::MaxCompletionTokens(limit)
        }
    }
}

/// Some upstreams require a schema.
pub(super) fn no_parameters() -> Box<RawValue> {
    RawValue::from_string(NO_PARAMETERS.to_owned()).unwrap_or_default()
}
