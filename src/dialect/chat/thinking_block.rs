//! Thinking that an upstream needs back.

use serde::Serialize;

use crate::dialect::text::Text;

/// Thinking with Anthropic's signature. Not part of the chat API, but the client
/// must send it back between tool calls.
#[derive(Serialize)]
pub(in crate::dialect) struct ThinkingBlock<'a> {
    /// The block's number; clients join the chunks of a stream by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::dialect) thinking: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::dialect) signature: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::dialect) data: Option<Text<'a>>,
}

impl<'a> ThinkingBlock<'a> {
    pub(in crate::dialect) fn new(
        index: Option<usize>,
        thinking: Option<Text<'a>>,
        signature: Option<Text<'a>>,
    ) -> Self {
        Self {
            index,
            kind: "thinking",
            thinking,
            signature,
            data: None,
        }
    }

    pub(in crate::dialect) fn redacted(index: Option<usize>, data: Option<Text<'a>>) -> Self {
        Self {
            index,
            kind: "redacted_thinking",
            thinking: None,
            signature: None,
            data,
        }
    }
}
