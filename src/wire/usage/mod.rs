//! Token usage, as reported by upstreams.

mod hosted_tools;
mod parse;
mod plain;
mod report;
mod tail;
#[cfg(test)]
mod tests;
mod tier;

use std::sync::LazyLock;

pub use hosted_tools::names_hosted_tool;
pub use report::UsageReport;
pub use tail::UsageTail;
pub use tier::ServiceTier;

use super::json_key::KeyFinder;
use hosted_tools::HostedTools;

/// The most `usage` members that are parsed. There are never more than a few; the
/// limit keeps a hostile body from being parsed over and over.
const MAX_CANDIDATES: usize = 8;

static USAGE: LazyLock<KeyFinder> = LazyLock::new(|| KeyFinder::new("\"usage\""));

/// What a request used; `None` where the upstream reports no count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub input: Option<u64>,
    /// Tokens of the response, reasoning included.
    pub output: Option<u64>,
    /// Tokens of the prompt that were read from a cache.
    pub cached: Option<u64>,
    /// Tokens of the prompt that were written to a cache.
    pub cache_write: Option<u64>,
    /// Of these, the ones that are kept for an hour.
    pub cache_write_1h: Option<u64>,
    /// Tokens of the response spent on reasoning.
    pub reasoning: Option<u64>,
    /// The upstream's own total.
    pub total: Option<u64>,
    /// Tokens of the prompt that are sound.
    pub audio_input: Option<u64>,
    pub audio_output: Option<u64>,
    /// Tokens of the prompt that are images.
    pub image_input: Option<u64>,
    pub image_output: Option<u64>,
    /// Searches on the web by a tool of the provider.
    pub searches: Option<u64>,
    /// The service tier, if the upstream names it.
    pub tier: Option<ServiceTier>,
    /// The bill has more than the counts, or other ones: something else was used, the
    /// report is contradictory or in part unreadable, or it was not the last one.
    pub inexact: bool,
}

// === impl UsageReport ===

impl UsageReport {
    /// The report in (the end of) a response or an event: the last `usage` object with
    /// counts above zero, at any depth (Groq nests it in `x_groq`, the Responses API
    /// in `response`). Several are never added up: upstreams that repeat it report
    /// running totals.
    #[must_use]
    pub fn find(bytes: &[u8]) -> Option<Self> {
        // Forwards, although the last one is needed: only that search is vectorised.
        let mut last: [&[u8]; MAX_CANDIDATES] = [b""; MAX_CANDIDATES];
        let mut found = 0;
        for value in USAGE.values(bytes).filter(|value| value.starts_with(b"{")) {
            if let Some(slot) = last.get_mut(found % MAX_CANDIDATES) {
                *slot = value;
            }
            found += 1;
        }
        let latest_first = (found.saturating_sub(MAX_CANDIDATES)..found).rev();
        let candidates = latest_first.filter_map(|number| last.get(number % MAX_CANDIDATES));
        let mut reports = candidates.filter_map(|value| Self::parse(value));
        let mut report = reports.next()?;
        if report.is_zero() {
            report = reports.find(|report| !report.is_zero()).unwrap_or(report);
        }
        report.add_outer(bytes);
        Some(report)
    }

    /// Adds what the body or event says beside the usage.
    fn add_outer(&mut self, bytes: &[u8]) {
        if self.tier.is_none() {
            self.tier = ServiceTier::find(bytes);
        }
        if self.is_of_responses() {
            let tools = HostedTools::find(bytes);
            self.other_charges |= tools.others;
            if tools.searches > 0 {
                self.add_searches(tools.searches);
            }
        }
    }
}

// === impl Usage ===

impl Usage {
    /// The usage in a whole response.
    #[must_use]
    pub fn find(body: &[u8]) -> Option<Self> {
        let report = UsageReport::find(body).filter(|report| !report.is_zero())?;
        Some(report.usage())
    }

    /// The tokens billed as output. Some upstreams count reasoning in the total but
    /// not in the output (xAI, Gemini).
    #[must_use]
    pub fn billed_output(&self) -> u64 {
        let input = self.input.unwrap_or_default();
        let rest = self.total.unwrap_or_default().saturating_sub(input);
        let output = self.output.unwrap_or_default();
        let reasoning = self.reasoning.unwrap_or_default();
        let output = if reasoning > output {
            output.saturating_add(reasoning)
        } else {
            output
        };
        output.max(rest)
    }
}
