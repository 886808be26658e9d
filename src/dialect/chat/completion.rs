//! A complete chat completion.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{ChatToolCall, ChatUsage, ThinkingBlock};
use crate::dialect::ResponseContext;
use crate::dialect::text::Text;

#[derive(Serialize)]
pub(in crate::dialect) struct ChatCompletion<'a> {
    id: Text<'a>,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [ChatChoice<'a>; 1],
    usage: ChatUsage,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<Text<'a>>,
}

#[derive(Serialize)]
struct ChatChoice<'a> {
    index: u8,
    message: ChatMessage<'a>,
    logprobs: Option<ChatLogprobs<'a>>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
pub(in crate::dialect) struct ChatMessage<'a> {
    pub(in crate::dialect) role: &'static str,
    pub(in crate::dialect) content: Option<Text<'a>>,
    pub(in crate::dialect) refusal: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::dialect) reasoning_content: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::dialect) thinking_blocks: Vec<ThinkingBlock<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::dialect) annotations: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::dialect) tool_calls: Vec<ChatToolCall<'a>>,
}

/// Of the tokens of the content.
#[derive(Serialize)]
pub(in crate::dialect) struct ChatLogprobs<'a> {
    pub(in crate::dialect) content: Vec<&'a RawValue>,
    pub(in crate::dialect) refusal: Option<()>,
}

impl<'a> ChatCompletion<'a> {
    pub(in crate::dialect) fn new(
        upstream_id: Option<Text<'a>>,
        message: ChatMessage<'a>,
        finish_reason: &'static str,
        usage: ChatUsage,
        context: &ResponseContext<'a>,
    ) -> Self {
        Self {
            id: context.id_or_fallback(upstream_id),
            object: "chat.completion",
            created: context.created,
            model: context.model,
            choices: [ChatChoice {
                index: 0,
                message,
                logprobs: None,
                finish_reason,
            }],
            usage,
            service_tier: None,
        }
    }

    pub(in crate::dialect) fn with_logprobs(mut self, logprobs: Option<ChatLogprobs<'a>>) -> Self {
        let [choice] = &mut self.choices;
        choice.logprobs = logprobs;
        self
    }

    /// The capacity that served the request.
    pub(in crate::dialect) fn with_service_tier(self, service_tier: Option<Text<'a>>) -> Self {
        Self {
            service_tier,
            ..self
        }
    }
}
