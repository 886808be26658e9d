//! How much a model thinks: `OpenAI`'s effort levels and Anthropic's budgets.

use serde::Serialize;

/// Anthropic's minimum (Messages API reference, `thinking`).
pub(super) const MIN_BUDGET_TOKENS: u64 = 1024;

/// How thinking is requested from a Messages model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThinkingMode {
    /// With a budget of tokens: models up to Claude 4.5.
    Budget,
    /// With an effort level, within which the model decides: from Claude 4.6 on.
    Adaptive,
}

/// `reasoning_effort`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ReasoningEffort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    #[serde(rename = "xhigh")]
    ExtraHigh,
    Max,
}

impl ThinkingMode {
    /// Recognises older models by their name. Unknown names count as newer models.
    #[must_use]
    pub fn for_model(model: &str) -> Self {
        /// Parts of the names of models without adaptive thinking:
        /// `claude-3-7-sonnet-20250219`, `claude-sonnet-4-20250514`,
        /// `claude-opus-4-1`, `claude-haiku-4-5-20251001`.
        const BUDGET_ONLY: [&str; 8] = [
            "claude-2", "claude-3", "-4-0", "-4-1", "-4-2025", "-4-5", "-4.1", "-4.5",
        ];
        let undated = ["claude-sonnet-4", "claude-opus-4"];
        let budget_only = BUDGET_ONLY.iter().any(|part| model.contains(part))
            || undated.iter().any(|name| model.ends_with(name));
        if budget_only {
            Self::Budget
        } else {
            Self::Adaptive
        }
    }
}

impl ReasoningEffort {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "none" => Self::None,
            "minimal" => Self::Minimal,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::ExtraHigh,
            "max" => Self::Max,
            _ => return None,
        })
    }

    /// For [`ThinkingMode::Budget`].
    pub(super) fn budget_tokens(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Minimal | Self::Low => MIN_BUDGET_TOKENS,
            Self::Medium => 8192,
            Self::High => 24_576,
            Self::ExtraHigh | Self::Max => 32_768,
        }
    }

    /// The effort nearest to a budget.
    pub(super) fn from_budget(tokens: u64) -> Self {
        match tokens {
            0..=4096 => Self::Low,
            4097..=16_384 => Self::Medium,
            _ => Self::High,
        }
    }

    /// `output_config.effort`, whose lowest level is `low`.
    pub(super) fn to_anthropic(self) -> Self {
        self.max(Self::Low)
    }
}

#[cfg(test)]
mod tests {
    use super::ThinkingMode;

    #[test]
    fn model_names_select_the_thinking_mode() {
        for name in [
            "claude-3-7-sonnet-20250219",
            "claude-3-5-haiku-latest",
            "claude-sonnet-4-20250514",
            "claude-opus-4-1-20250805",
            "claude-opus-4-0",
            "claude-sonnet-4",
            "claude-haiku-4-5",
            "anthropic.claude-sonnet-4-5-20250929-v1:0",
            "anthropic/claude-opus-4.5",
        ] {
            assert_eq!(
                ThinkingMode::for_model(name),
                ThinkingMode::Budget,
                "{name}"
            );
        }
        for name in [
            "claude-opus-4-6",
            "claude-sonnet-4-6",
            "claude-opus-4-7",
            "claude-opus-5",
            "claude-next",
        ] {
            assert_eq!(
                ThinkingMode::for_model(name),
                ThinkingMode::Adaptive,
                "{name}"
            );
        }
    }
}
