//! Token counts, and why a message ended.

use serde::Serialize;

use crate::dialect::chat_upstream::completion::Finish;
use crate::wire::usage::UsageReport;

/// Tokens read from the cache are not part of `input_tokens`.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct MessagesUsage {
    input_tokens: u64,
    cache_creation_input_tokens: u64,
    cache_read_input_tokens: u64,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_tokens_details: Option<MessagesOutputDetails>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct MessagesOutputDetails {
    thinking_tokens: u64,
}

impl MessagesUsage {
    /// The usage of a response.
    pub(super) fn find(bytes: &[u8]) -> Option<Self> {
        UsageReport::find(bytes).as_ref().map(Self::from_report)
    }

    pub(super) fn from_report(report: &UsageReport) -> Self {
        let usage = report.usage();
        let cached = usage.cached.unwrap_or_default();
        let written = usage.cache_write.unwrap_or_default();
        let uncached = usage.input.unwrap_or_default().saturating_sub(cached);
        Self {
            input_tokens: uncached.saturating_sub(written),
            cache_creation_input_tokens: written,
            cache_read_input_tokens: cached,
            output_tokens: usage.billed_output(),
            output_tokens_details: usage
                .reasoning
                .map(|thinking_tokens| MessagesOutputDetails { thinking_tokens }),
        }
    }
}

/// Calls alone decide whether it is `tool_use`: some upstreams send `stop` with calls,
/// others `tool_calls` without.
pub(super) fn stop_reason(finish: Finish, has_calls: bool) -> &'static str {
    match finish {
        Finish::TokenLimit => "max_tokens",
        Finish::Filter => "refusal",
        Finish::Stop if has_calls => "tool_use",
        Finish::Stop => "end_turn",
    }
}
