//! The API that a provider offers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The API that a provider offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderApi {
    pub dialect: ApiDialect,
    /// Peculiarities of its chat API, used for requests that are translated
    /// into it.
    pub quirks: Vec<Quirk>,
    /// `max_tokens` of requests that are translated into Messages and set no
    /// limit.
    pub max_tokens: u64,
    /// Version of Azure's API, where models are deployments in the path.
    pub api_version: Option<String>,
}

/// Protocols that a provider accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ApiDialect {
    /// OpenAI's: Messages requests are translated.
    Openai,
    /// Anthropic's Messages: chat requests are translated.
    Anthropic,
    /// Both: nothing is translated.
    Both,
}

/// A peculiarity of a chat API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quirk {
    /// The limit is `max_completion_tokens`, not `max_tokens`.
    MaxCompletionTokens,
    /// `reasoning_effort` is accepted.
    ReasoningEffort,
    /// The reasoning before tool calls must be sent back, in `reasoning_content`.
    ReasoningHistory,
    /// Ids of tool calls must have nine letters and digits.
    NineCharacterToolIds,
}

impl ProviderApi {
    /// Default of `max_tokens`: every current model of Anthropic's can produce
    /// this many.
    pub const MAX_TOKENS: u64 = 8192;

    /// OpenAI's API without peculiarities.
    #[must_use]
    pub fn openai() -> Self {
        Self {
            dialect: ApiDialect::Openai,
            quirks: Vec::new(),
            max_tokens: Self::MAX_TOKENS,
            api_version: None,
        }
    }

    #[must_use]
    pub fn has_quirk(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }
}
