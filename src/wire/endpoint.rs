//! The calls of the OpenAI API that carry a `model` in a JSON body.

use super::follow::FinishRule;

/// One call of the OpenAI API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `POST /v1/chat/completions`
    ChatCompletions,
    /// `POST /v1/completions`
    Completions,
    /// `POST /v1/embeddings`
    Embeddings,
    /// `POST /v1/responses`
    Responses,
    /// `POST /v1/moderations`
    Moderations,
    /// `POST /v1/images/generations`
    ImagesGenerations,
    /// `POST /v1/audio/speech`
    AudioSpeech,
}

impl Endpoint {
    /// Every endpoint, in the order of [`Endpoint::index`].
    pub const ALL: [Self; 7] = [
        Self::ChatCompletions,
        Self::Completions,
        Self::Embeddings,
        Self::Responses,
        Self::Moderations,
        Self::ImagesGenerations,
        Self::AudioSpeech,
    ];

    /// Place in [`Endpoint::ALL`], for tables with a row per endpoint.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The path below `/v1`, which is also the path below a provider's base
    /// URL.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/chat/completions",
            Self::Completions => "/completions",
            Self::Embeddings => "/embeddings",
            Self::Responses => "/responses",
            Self::Moderations => "/moderations",
            Self::ImagesGenerations => "/images/generations",
            Self::AudioSpeech => "/audio/speech",
        }
    }

    /// The name that metrics and logs use.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::Responses => "responses",
            Self::Moderations => "moderations",
            Self::ImagesGenerations => "images_generations",
            Self::AudioSpeech => "audio_speech",
        }
    }

    /// How a stream of this endpoint shows that it came to its end.
    #[must_use]
    pub fn finish_rule(self) -> FinishRule {
        match self {
            Self::ChatCompletions | Self::Completions => FinishRule::Chat,
            Self::Responses => FinishRule::Responses,
            _ => FinishRule::EndOfBody,
        }
    }

    /// True when its streams tell usage only to a caller who sets
    /// `stream_options.include_usage` (OpenAI API reference, chat and legacy
    /// completions; the Responses API always tells).
    #[must_use]
    pub fn has_stream_usage_option(self) -> bool {
        matches!(self, Self::ChatCompletions | Self::Completions)
    }
}
