//! How a provider wants to be spoken to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a provider wants to be spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manner {
    /// In which protocol.
    pub dialect: Speaks,
    /// What its chat API knows besides the least that all know; only what is
    /// translated into it asks.
    pub quirks: Vec<Quirk>,
    /// `max_tokens` of what is translated into Messages and sets no limit.
    pub max_tokens: u64,
    /// The version of Azure's API, where models are deployments in the path.
    pub api_version: Option<String>,
}

/// The protocols that a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Speaks {
    /// OpenAI's: what comes as Messages is translated.
    Openai,
    /// Anthropic's Messages: what comes as chat is translated.
    Anthropic,
    /// Either: nothing is translated.
    Both,
}

/// Something that not every chat API knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quirk {
    /// It wants the limit in `max_completion_tokens`, not in `max_tokens`.
    MaxCompletionTokens,
    /// It takes `reasoning_effort`.
    ReasoningEffort,
    /// It wants the thoughts of the turn under way back, in
    /// `reasoning_content`.
    ReasoningHistory,
}

impl Manner {
    /// `max_tokens` where the config says nothing: what every current model of
    /// Anthropic's can give.
    pub const MAX_TOKENS: u64 = 8192;

    /// Speaks OpenAI's protocol and no more.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            dialect: Speaks::Openai,
            quirks: Vec::new(),
            max_tokens: Self::MAX_TOKENS,
            api_version: None,
        }
    }

    /// Whether it knows this.
    #[must_use]
    pub fn knows(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }
}
