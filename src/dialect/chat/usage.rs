//! Token counts.

use serde::Serialize;

use crate::wire::usage::UsageReport;

#[derive(Debug, Serialize)]
pub(in crate::dialect) struct ChatUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: ChatPromptDetails,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens_details: Option<ChatCompletionDetails>,
}

#[derive(Debug, Serialize)]
struct ChatPromptDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
}

#[derive(Debug, Serialize)]
struct ChatCompletionDetails {
    reasoning_tokens: u64,
}

impl ChatUsage {
    pub(in crate::dialect) fn from_report(report: &UsageReport) -> Self {
        let usage = report.usage();
        let prompt_tokens = usage.input.unwrap_or_default();
        let completion_tokens = usage.billed_output();
        Self {
            prompt_tokens,
            completion_tokens,
            total_tokens: prompt_tokens.saturating_add(completion_tokens),
            prompt_tokens_details: ChatPromptDetails {
                cached_tokens: usage.cached.unwrap_or_default(),
                cache_write_tokens: usage.cache_write.unwrap_or_default(),
            },
            completion_tokens_details: usage
                .reasoning
                .map(|reasoning_tokens| ChatCompletionDetails { reasoning_tokens }),
        }
    }
}
