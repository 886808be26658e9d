//! How much a model is to think: `OpenAI`'s words and Anthropic's numbers.

use serde::Serialize;

/// The least budget that Anthropic takes (Messages API reference, `thinking`).
pub(super) const LEAST_BUDGET: u64 = 1024;

/// How a Messages model takes a wish for thinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thinking {
    /// A number of tokens: models up to Claude 4.5.
    Budget,
    /// The model decides, within an effort: from Claude 4.6 on.
    Adaptive,
}

/// `reasoning_effort`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    #[serde(rename = "xhigh")]
    ExtraHigh,
    Max,
}

impl Thinking {
    /// How the model of this name takes it. Names that are not known are taken
    /// for newer ones.
    #[must_use]
    pub fn of_model(model: &str) -> Self {
        /// What the names of the models have in common that know no adaptive
        /// thinking: `claude-3-7-sonnet-20250219`, `claude-sonnet-4-20250514`,
        /// `claude-opus-4-1`, `claude-haiku-4-5-20251001`.
        const OLD: [&str; 8] = [
            "claude-2", "claude-3", "-4-0", "-4-1", "-4-2025", "-4-5", "-4.1", "-4.5",
        ];
        let bare = ["claude-sonnet-4", "claude-opus-4"];
        let old = OLD.iter().any(|part| model.contains(part))
            || bare.iter().any(|name| model.ends_with(name));
        if old { Self::Budget } else { Self::Adaptive }
    }
}

impl Effort {
    pub(super) fn of(name: &str) -> Option<Self> {
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

    /// Tokens for models that want a number.
    pub(super) fn budget(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Minimal | Self::Low => LEAST_BUDGET,
            Self::Medium => 8192,
            Self::High => 24_576,
            Self::ExtraHigh | Self::Max => 32_768,
        }
    }

    /// The effort that comes nearest to a budget.
    pub(super) fn of_budget(tokens: u64) -> Self {
        match tokens {
            0..=4096 => Self::Low,
            4097..=16_384 => Self::Medium,
            _ => Self::High,
        }
    }

    /// `output_config.effort`, which has no word below `low`.
    pub(super) fn anthropic(self) -> Self {
        self.max(Self::Low)
    }
}

#[cfg(test)]
mod tests {
    use super::Thinking;

    #[test]
    fn names_tell_how_a_model_thinks() {
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
            assert_eq!(Thinking::of_model(name), Thinking::Budget, "{name}");
        }
        for name in [
            "claude-opus-4-6",
            "claude-sonnet-4-6",
            "claude-opus-4-7",
            "claude-opus-5",
            "claude-next",
        ] {
            assert_eq!(Thinking::of_model(name), Thinking::Adaptive, "{name}");
        }
    }
}
