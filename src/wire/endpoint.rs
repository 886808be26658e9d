//! The calls of the OpenAI API, and what is known of each.

use super::sse_relay::FinishRule;

/// One call of the OpenAI API, or one family of them. The first are those of
/// [`Endpoint::CORE`].
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
    /// `POST /v1/images/edits`
    ImagesEdits,
    /// `POST /v1/images/variations`
    ImagesVariations,
    /// `POST /v1/audio/transcriptions`
    AudioTranscriptions,
    /// `POST /v1/audio/translations`
    AudioTranslations,
    /// `POST /v1/messages`, of Anthropic's API
    Messages,
    /// `POST /v1/responses/compact`
    ResponsesCompact,
    /// `POST /v1/messages/count_tokens`, of Anthropic's API
    MessagesCountTokens,
    /// Whatever else is below `/v1/messages/`
    MessageObjects,
    /// Whatever else is below `/v1/responses/`
    ResponseObjects,
    /// Chat completions that were stored: `/v1/chat/completions`, but for the
    /// call that makes one.
    StoredCompletions,
    /// `/v1/videos`
    Videos,
    /// `/v1/files`
    Files,
    /// `/v1/uploads`
    Uploads,
    /// `/v1/batches`
    Batches,
    /// `/v1/fine_tuning`
    FineTuning,
    /// `/v1/vector_stores`
    VectorStores,
    /// `/v1/conversations`
    Conversations,
    /// `/v1/containers`
    Containers,
    /// `/v1/evals`
    Evals,
    /// `/v1/assistants`
    Assistants,
    /// `/v1/threads`
    Threads,
    /// `/v1/realtime`
    Realtime,
    /// `/v1/models/{id}`, where a model is to be deleted
    Models,
    /// Any other path
    Other,
}

/// What a multipart form says of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormModel {
    /// It names one, somewhere.
    Named,
    /// It has none.
    Absent,
    /// Nobody knows.
    Unknown,
}

impl Endpoint {
    /// Every endpoint, in the order of [`Endpoint::index`].
    pub const ALL: [Self; 31] = [
        Self::ChatCompletions,
        Self::Completions,
        Self::Embeddings,
        Self::Responses,
        Self::Moderations,
        Self::ImagesGenerations,
        Self::AudioSpeech,
        Self::ImagesEdits,
        Self::ImagesVariations,
        Self::AudioTranscriptions,
        Self::AudioTranslations,
        Self::Messages,
        Self::ResponsesCompact,
        Self::MessagesCountTokens,
        Self::MessageObjects,
        Self::ResponseObjects,
        Self::StoredCompletions,
        Self::Videos,
        Self::Files,
        Self::Uploads,
        Self::Batches,
        Self::FineTuning,
        Self::VectorStores,
        Self::Conversations,
        Self::Containers,
        Self::Evals,
        Self::Assistants,
        Self::Threads,
        Self::Realtime,
        Self::Models,
        Self::Other,
    ];

    /// The calls that most requests make: a POST of JSON that names a model.
    pub const CORE: [Self; 7] = [
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

    /// The one of [`Endpoint::CORE`] that is called by a POST to this path below
    /// `/v1`, which is matched exactly.
    #[must_use]
    pub fn core(path: &str) -> Option<Self> {
        Self::CORE.into_iter().find(|it| it.path() == path)
    }

    /// What is called at this path below `/v1`, whatever the method but where
    /// `posts`.
    #[must_use]
    pub fn at(path: &str, posts: bool) -> Self {
        if posts && let Some(core) = Self::core(path) {
            return core;
        }
        let exact = [
            Self::ImagesEdits,
            Self::ImagesVariations,
            Self::AudioTranscriptions,
            Self::AudioTranslations,
            Self::Messages,
            Self::ResponsesCompact,
            Self::MessagesCountTokens,
        ];
        let found = exact.into_iter().find(|it| it.path() == path);
        if let Some(found) = found.filter(|_| posts) {
            return found;
        }
        let mut families = Self::ALL.into_iter().skip(Self::MessageObjects.index());
        let is_below = |it: &Self| match path.strip_prefix(it.path()) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        };
        families.find(is_below).unwrap_or(Self::Other)
    }

    /// The path below `/v1`, which is also the path below a provider's base
    /// URL; of a family, what its paths begin with.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions | Self::StoredCompletions => "/chat/completions",
            Self::Completions => "/completions",
            Self::Embeddings => "/embeddings",
            Self::Responses | Self::ResponseObjects => "/responses",
            Self::Moderations => "/moderations",
            Self::ImagesGenerations => "/images/generations",
            Self::AudioSpeech => "/audio/speech",
            Self::ImagesEdits => "/images/edits",
            Self::ImagesVariations => "/images/variations",
            Self::AudioTranscriptions => "/audio/transcriptions",
            Self::AudioTranslations => "/audio/translations",
            Self::Messages | Self::MessageObjects => "/messages",
            Self::ResponsesCompact => "/responses/compact",
            Self::MessagesCountTokens => "/messages/count_tokens",
            Self::Videos => "/videos",
            Self::Files => "/files",
            Self::Uploads => "/uploads",
            Self::Batches => "/batches",
            Self::FineTuning => "/fine_tuning",
            Self::VectorStores => "/vector_stores",
            Self::Conversations => "/conversations",
            Self::Containers => "/containers",
            Self::Evals => "/evals",
            Self::Assistants => "/assistants",
            Self::Threads => "/threads",
            Self::Realtime => "/realtime",
            Self::Models => "/models",
            Self::Other => "",
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
            Self::ImagesEdits => "images_edits",
            Self::ImagesVariations => "images_variations",
            Self::AudioTranscriptions => "audio_transcriptions",
            Self::AudioTranslations => "audio_translations",
            Self::Messages => "messages",
            Self::ResponsesCompact => "responses_compact",
            Self::MessagesCountTokens => "messages_count_tokens",
            Self::MessageObjects => "message_objects",
            Self::ResponseObjects => "response_objects",
            Self::StoredCompletions => "stored_completions",
            Self::Videos => "videos",
            Self::Files => "files",
            Self::Uploads => "uploads",
            Self::Batches => "batches",
            Self::FineTuning => "fine_tuning",
            Self::VectorStores => "vector_stores",
            Self::Conversations => "conversations",
            Self::Containers => "containers",
            Self::Evals => "evals",
            Self::Assistants => "assistants",
            Self::Threads => "threads",
            Self::Realtime => "realtime",
            Self::Models => "models",
            Self::Other => "other",
        }
    }

    /// How a stream of this endpoint shows that it came to its end.
    #[must_use]
    pub fn finish_rule(self) -> FinishRule {
        match self {
            Self::ChatCompletions | Self::Completions => FinishRule::Chat,
            Self::Responses => FinishRule::Responses,
            Self::Messages => FinishRule::Messages,
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

    /// True for calls about what a provider keeps. Their answers may be whatever
    /// somebody has stored, a page of HTML among it.
    #[must_use]
    pub fn is_of_objects(self) -> bool {
        self.index() >= Self::MessageObjects.index()
    }

    /// True when the tokens in its answer are those that this very call has
    /// cost. Whoever asks for what was made before is told them once more.
    #[must_use]
    pub fn is_charged(self) -> bool {
        self.index() <= Self::ResponsesCompact.index()
    }

    /// True when the API asks for a model (OpenAI API reference). Where it does
    /// not, there may be one all the same.
    #[must_use]
    pub fn needs_model(self) -> bool {
        matches!(
            self,
            Self::ChatCompletions
                | Self::Completions
                | Self::Embeddings
                | Self::AudioSpeech
                | Self::AudioTranscriptions
                | Self::AudioTranslations
                | Self::Messages
                | Self::MessagesCountTokens
        )
    }

    /// True when it takes JSON and nothing else.
    #[must_use]
    pub fn takes_json(self) -> bool {
        self.index() < Self::CORE.len()
            || matches!(
                self,
                Self::Messages | Self::MessagesCountTokens | Self::ResponsesCompact
            )
    }

    /// True when it belongs to Anthropic's API, and so do its errors.
    #[must_use]
    pub fn is_anthropics(self) -> bool {
        matches!(
            self,
            Self::Messages | Self::MessagesCountTokens | Self::MessageObjects
        )
    }

    /// True when its answer may be the first word of something that stays at the
    /// provider, and is asked for by its id later on.
    #[must_use]
    pub fn makes_objects(self) -> bool {
        self == Self::Responses || self.index() >= Self::ResponsesCompact.index()
    }

    /// Whether a multipart form sent to it names a model (OpenAI API reference).
    #[must_use]
    pub fn form_model(self) -> FormModel {
        match self {
            Self::ImagesEdits
            | Self::ImagesVariations
            | Self::AudioTranscriptions
            | Self::AudioTranslations
            | Self::Videos => FormModel::Named,
            Self::Files | Self::Uploads | Self::Containers => FormModel::Absent,
            _ => FormModel::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn tells_the_call_from_its_path() {
        for (path, posts, expected) in [
            ("/chat/completions", true, "chat_completions"),
            ("/chat/completions", false, "stored_completions"),
            ("/chat/completions/x/messages", false, "stored_completions"),
            ("/responses", true, "responses"),
            ("/responses/compact", true, "responses_compact"),
            ("/messages", true, "messages"),
            ("/messages", false, "message_objects"),
            ("/messages/count_tokens", true, "messages_count_tokens"),
            ("/messages/batches/b/results", false, "message_objects"),
            ("/responses/resp_1/cancel", true, "response_objects"),
            ("/audio/transcriptions", true, "audio_transcriptions"),
            ("/audio/voices", true, "other"),
            ("/files/file-1/content", false, "files"),
            ("/filesystem", false, "other"),
            ("/vector_stores/a/files", true, "vector_stores"),
            ("/models/ft:x", false, "models"),
            ("/next/years/path", true, "other"),
        ] {
            assert_eq!(Endpoint::at(path, posts).label(), expected, "{path}");
        }
    }

    #[test]
    fn counts_in_the_order_of_the_table() {
        for (index, endpoint) in Endpoint::ALL.into_iter().enumerate() {
            assert_eq!(endpoint.index(), index, "{endpoint:?}");
        }
        assert_eq!(Endpoint::CORE[..], Endpoint::ALL[..Endpoint::CORE.len()]);
    }
}
