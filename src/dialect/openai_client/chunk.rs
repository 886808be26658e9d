//! Chunks of a streamed chat completion.

use serde::Serialize;

use super::upstream::{ChatUsage, ThinkingBlock};
use crate::dialect::text::Text;

#[derive(Serialize)]
pub(super) struct ChatChunk<'a> {
    pub(super) id: &'a str,
    pub(super) object: &'static str,
    pub(super) created: u64,
    pub(super) model: &'a str,
    pub(super) choices: &'a [ChatChunkChoice<'a>],
    /// Only if the client requested it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<ChunkUsage>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ChunkUsage {
    /// `null`, in all chunks but the last.
    Pending,
    Final(ChatUsage),
}

#[derive(Serialize)]
pub(super) struct ChatChunkChoice<'a> {
    pub(super) index: u8,
    pub(super) delta: ChatDelta<'a>,
    pub(super) logprobs: Option<()>,
    pub(super) finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
pub(super) struct ChatDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_content: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thinking_blocks: Option<[ThinkingBlock<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_calls: Option<[ChatToolCallDelta<'a>; 1]>,
}

#[derive(Serialize)]
pub(super) struct ChatToolCallDelta<'a> {
    pub(super) index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<Text<'a>>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    pub(super) function: ChatFunctionDelta<'a>,
}

#[derive(Serialize)]
pub(super) struct ChatFunctionDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<Text<'a>>,
    pub(super) arguments: Text<'a>,
}
