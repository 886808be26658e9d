//! Types of Chat Completions that are the same in requests and responses.

use serde::Serialize;

use super::text::Text;

#[derive(Debug, Serialize)]
pub(super) struct ChatToolCall<'a> {
    id: Text<'a>,
    #[serde(rename = "type")]
    kind: &'static str,
    function: ChatFunctionCall<'a>,
}

#[derive(Debug, Serialize)]
struct ChatFunctionCall<'a> {
    name: Text<'a>,
    /// JSON, which is encoded as a string.
    arguments: &'a str,
}

impl<'a> ChatToolCall<'a> {
    pub(super) fn new(id: Text<'a>, name: Text<'a>, arguments: &'a str) -> Self {
        Self {
            id,
            kind: "function",
            function: ChatFunctionCall { name, arguments },
        }
    }
}
