//! A tool call of an assistant message.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::dialect::text::Text;

#[derive(Debug, Serialize)]
pub(in crate::dialect) struct ChatToolCall<'a> {
    id: Text<'a>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<ChatFunctionCall<'a>>,
    /// Of a custom tool, in place of `function`.
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<ChatCustomCall<'a>>,
    /// What the provider needs back (Gemini: the signature of its thinking).
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<Box<RawValue>>,
}

#[derive(Debug, Serialize)]
struct ChatFunctionCall<'a> {
    name: Text<'a>,
    arguments: ChatArguments<'a>,
}

#[derive(Debug, Serialize)]
struct ChatCustomCall<'a> {
    name: Text<'a>,
    input: Text<'a>,
}

/// JSON within a string.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(in crate::dialect) enum ChatArguments<'a> {
    /// The JSON, which is encoded as a string.
    Json(Cow<'a, str>),
    Text(Text<'a>),
}

impl<'a> ChatToolCall<'a> {
    pub(in crate::dialect) fn new(
        id: Text<'a>,
        name: Text<'a>,
        arguments: impl Into<ChatArguments<'a>>,
    ) -> Self {
        Self {
            id,
            kind: "function",
            function: Some(ChatFunctionCall {
                name,
                arguments: arguments.into(),
            }),
            custom: None,
            extra_content: None,
        }
    }

    pub(in crate::dialect) fn custom(id: Text<'a>, name: Text<'a>, input: Text<'a>) -> Self {
        Self {
            id,
            kind: "custom",
            function: None,
            custom: Some(ChatCustomCall { name, input }),
            extra_content: None,
        }
    }

    pub(in crate::dialect) fn with_extra_content(
        self,
        extra_content: Option<Box<RawValue>>,
    ) -> Self {
        Self {
            extra_content,
            ..self
        }
    }
}

impl<'a> From<Cow<'a, str>> for ChatArguments<'a> {
    fn from(json: Cow<'a, str>) -> Self {
        Self::Json(json)
    }
}

impl<'a> From<&'a str> for ChatArguments<'a> {
    fn from(json: &'a str) -> Self {
        Self::Json(json.into())
    }
}

impl<'a> From<Text<'a>> for ChatArguments<'a> {
    fn from(text: Text<'a>) -> Self {
        Self::Text(text)
    }
}
