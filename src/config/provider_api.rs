//! The API that a provider offers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SystemMessages;
use crate::dialect::Dialect;

/// The API that a provider offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderApi {
    pub dialects: DialectSet,
    /// Peculiarities of its chat API, used for requests that are translated
    /// into it.
    pub quirks: Vec<Quirk>,
    /// `max_tokens` of requests that are translated into Messages and set no
    /// limit.
    pub max_tokens: u64,
    /// What becomes of late system messages of requests that are translated into chat.
    pub system_messages: SystemMessages,
    /// Version of Azure's API, where models are deployments in the path.
    pub api_version: Option<String>,
}

/// The dialects that a provider speaks: a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DialectSet(u8);

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

// === impl ProviderApi ===

impl ProviderApi {
    /// Default of `max_tokens`: every current model of Anthropic's can produce
    /// this many.
    pub const MAX_TOKENS: u64 = 8192;

    /// Chat Completions without peculiarities.
    #[must_use]
    pub fn chat() -> Self {
        Self {
            dialects: DialectSet::of(&[Dialect::Chat]),
            quirks: Vec::new(),
            max_tokens: Self::MAX_TOKENS,
            system_messages: SystemMessages::default(),
            api_version: None,
        }
    }

    #[must_use]
    pub fn has_quirk(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }

    #[must_use]
    pub fn speaks(&self, dialect: Dialect) -> bool {
        self.dialects.contains(dialect)
    }

    /// Whether it has `OpenAI`'s other calls: embeddings, sound, images.
    #[must_use]
    pub fn is_openai(&self) -> bool {
        self.speaks(Dialect::Chat) || self.speaks(Dialect::Responses)
    }
}

// === impl DialectSet ===

impl DialectSet {
    const ALL: [Dialect; 3] = [Dialect::Chat, Dialect::Messages, Dialect::Responses];

    /// Of a provider that says nothing: a refused call shows which one it has not.
    pub const UNKNOWN: Self = Self::of(&[Dialect::Chat, Dialect::Responses]);

    #[must_use]
    pub const fn of(dialects: &[Dialect]) -> Self {
        let (mut bits, mut rest) = (0, dialects);
        while let [first, others @ ..] = rest {
            bits |= 1 << *first as u8;
            rest = others;
        }
        Self(bits)
    }

    #[must_use]
    pub const fn contains(self, dialect: Dialect) -> bool {
        self.0 & 1 << dialect as u8 != 0
    }

    pub fn iter(self) -> impl Iterator<Item = Dialect> {
        let all = Self::ALL.into_iter();
        all.filter(move |dialect| self.contains(*dialect))
    }
}
