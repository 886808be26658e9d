//! Items of a response, and their parts.
//!
//! Source: `OpenAI`'s API reference, "Responses".

use serde::Serialize;
use serde_json::value::RawValue;

use crate::dialect::text::Text;
use crate::wire::usage::UsageReport;

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum OutputItem<'a> {
    Message {
        id: &'a str,
        status: ItemStatus,
        role: &'static str,
        content: &'a [OutputMessagePart<'a>],
    },
    Reasoning {
        id: &'a str,
        summary: &'a [SummaryPart<'a>],
        #[serde(skip_serializing_if = "Option::is_none")]
        encrypted_content: Option<&'a str>,
    },
    FunctionCall {
        id: &'a str,
        status: ItemStatus,
        arguments: Text<'a>,
        call_id: Text<'a>,
        name: Text<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<&'a str>,
    },
    CustomToolCall {
        id: &'a str,
        status: ItemStatus,
        call_id: Text<'a>,
        input: Text<'a>,
        name: Text<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        namespace: Option<&'a str>,
    },
    ToolSearchCall {
        id: &'a str,
        status: ItemStatus,
        /// Who runs it.
        execution: &'static str,
        arguments: &'a RawValue,
        call_id: Text<'a>,
    },
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ItemStatus {
    InProgress,
    Completed,
    /// The response ended before the item did.
    Incomplete,
}

/// A part of a message.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum OutputMessagePart<'a> {
    OutputText {
        text: Text<'a>,
        annotations: [(); 0],
        logprobs: [(); 0],
    },
    Refusal {
        refusal: Text<'a>,
    },
}

/// Thinking.
#[derive(Serialize)]
#[serde(tag = "type", rename = "summary_text")]
pub(super) struct SummaryPart<'a> {
    pub(super) text: Text<'a>,
}

#[derive(Serialize)]
pub(super) struct ResponseTokens {
    input_tokens: u64,
    input_tokens_details: InputTokensDetails,
    output_tokens: u64,
    output_tokens_details: OutputTokensDetails,
    total_tokens: u64,
}

#[derive(Serialize)]
struct InputTokensDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Serialize)]
struct OutputTokensDetails {
    reasoning_tokens: u64,
}

// === impl OutputItem ===

impl<'a> OutputItem<'a> {
    pub(super) fn message(
        id: &'a str,
        status: ItemStatus,
        content: &'a [OutputMessagePart<'a>],
    ) -> Self {
        Self::Message {
            id,
            status,
            role: "assistant",
            content,
        }
    }
}

// === impl ResponseTokens ===

impl ResponseTokens {
    /// `None` if the upstream counted nothing.
    pub(super) fn from_report(report: &UsageReport) -> Option<Self> {
        let usage = report.usage();
        let input_tokens = usage.input.unwrap_or_default();
        let output_tokens = usage.billed_output();
        (!report.is_zero()).then(|| Self {
            input_tokens,
            input_tokens_details: InputTokensDetails {
                cached_tokens: usage.cached.unwrap_or_default(),
                cache_write_tokens: usage.cache_write.unwrap_or_default(),
            },
            output_tokens,
            output_tokens_details: OutputTokensDetails {
                reasoning_tokens: usage.reasoning.unwrap_or_default(),
            },
            total_tokens: input_tokens.saturating_add(output_tokens),
        })
    }
}
