//! Types of Chat Completions that are the same in requests and responses.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::text::Text;

#[derive(Debug, Serialize)]
pub(super) struct ChatToolCall<'a> {
    id: Text<'a>,
    #[serde(rename = "type")]
    kind: &'static str,
    function: ChatFunctionCall<'a>,
    /// What the provider needs back (Gemini: the signature of its thinking).
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<Box<RawValue>>,
}

#[derive(Debug, Serialize)]
struct ChatFunctionCall<'a> {
    name: Text<'a>,
    /// JSON, which is encoded as a string.
    arguments: Cow<'a, str>,
}

impl<'a> ChatToolCall<'a> {
    pub(super) fn new(id: Text<'a>, name: Text<'a>, arguments: impl Into<Cow<'a, str>>) -> Self {
        Self {
            id,
            kind: "function",
            function: ChatFunctionCall {
                name,
                arguments: arguments.into(),
            },
            extra_content: None,
        }
    }

    pub(super) fn with_extra_content(self, extra_content: Option<Box<RawValue>>) -> Self {
        Self {
            extra_content,
            ..self
        }
    }
}
