//! Endpoints of the OpenAI API and of Anthropic's Messages API, and their traits.

use super::sse_relay::FinishRule;

/// One endpoint, or one family of endpoints. The first ones are
/// [`Endpoint::FAST_PATH`]; several methods depend on the order.
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
    /// Everything else below `/v1/messages/`
    MessageObjects,
    /// Everything else below `/v1/responses/`
    ResponseObjects,
    /// Stored chat completions: `/v1/chat/completions`, except the POST that creates
    /// one
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
    /// `/v1/models/{id}`: a model to be deleted
    Models,
    /// Any other path
    Other,
}

/// Whether a multipart form has a field `model`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormModel {
    /// It may have one, anywhere in the form.
    Expected,
    /// It has none.
    Absent,
    Unknown,
}

impl Endpoint {
    /// All endpoints, in the order of [`Endpoint::index`].
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

    /// The endpoints of most requests: a POST of JSON that names a model.
    pub const FAST_PATH: [Self; 7] = [
        Self::ChatCompletions,
        Self::Completions,
        Self::Embeddings,
        Self::Responses,
        Self::Moderations,
        Self::ImagesGenerations,
        Self::AudioSpeech,
    ];

    /// The endpoints that are called at exactly their path: those with a result, and the
    /// list of models.
    pub fn called() -> impl Iterator<Item = Self> {
        let is_called = |it: &Self| it.has_result() || *it == Self::Models;
        Self::ALL.into_iter().filter(is_called)
    }

    /// Position in [`Endpoint::ALL`], for tables with one row per endpoint.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The one of [`Endpoint::FAST_PATH`] with exactly this path below `/v1`. The
    /// method must be POST.
    #[must_use]
    pub fn fast_path(path: &str) -> Option<Self> {
        Self::FAST_PATH.into_iter().find(|it| it.path() == path)
    }

    /// The endpoint at this path below `/v1`.
    #[must_use]
    pub fn from_path(path: &str, is_post: bool) -> Self {
        let mut called = Self::called().filter(|_| is_post);
        if let Some(found) = called.find(|it| it.path() == path) {
            return found;
        }
        let mut families = Self::ALL.into_iter().skip(Self::MessageObjects.index());
        let is_below = |it: &Self| match path.strip_prefix(it.path()) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        };
        families.find(is_below).unwrap_or(Self::Other)
    }

    /// The path below `/v1`, which is also the path below a provider's base URL. A
    /// prefix for families.
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

    /// The label in metrics and logs.
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

    /// How the end of a stream is recognised.
    #[must_use]
    pub fn finish_rule(self) -> FinishRule {
        match self {
            Self::ChatCompletions | Self::Completions => FinishRule::Chat,
            Self::Responses => FinishRule::Responses,
            Self::Messages => FinishRule::Messages,
            _ => FinishRule::EndOfBody,
        }
    }

    /// True where a stream reports usage only if the client sets
    /// `stream_options.include_usage` (OpenAI API reference, chat and legacy
    /// completions; the Responses API always reports it).
    #[must_use]
    pub fn has_stream_usage_option(self) -> bool {
        matches!(self, Self::ChatCompletions | Self::Completions)
    }

    /// True for objects stored at a provider. A response may be anything that a
    /// client has stored, HTML included.
    #[must_use]
    pub fn is_object_api(self) -> bool {
        self.index() >= Self::MessageObjects.index()
    }

    /// True where the usage in the response is that of this request. Reading a
    /// stored object reports the usage of its creation again.
    #[must_use]
    pub fn bills_tokens(self) -> bool {
        self.index() <= Self::ResponsesCompact.index()
    }

    /// True where the body of a success is the result of this request. A stored object
    /// may report that something failed, and reading it has not.
    #[must_use]
    pub fn has_result(self) -> bool {
        self.index() < Self::MessageObjects.index()
    }

    /// True where a result is JSON or an event stream, and never empty. Sound, and text
    /// of a format that the client chose, may be.
    #[must_use]
    pub fn has_json_result(self) -> bool {
        self.has_result()
            && !matches!(
                self,
                Self::AudioSpeech | Self::AudioTranscriptions | Self::AudioTranslations
            )
    }

    /// True for one of [`Endpoint::called`] with exactly this path.
    #[must_use]
    pub fn is_called_at(self, path: &str) -> bool {
        Self::called().any(|it| it == self) && self.path() == path
    }

    /// True where the API requires a model (OpenAI API reference). Elsewhere it is
    /// optional.
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

    /// True where the body must be JSON.
    #[must_use]
    pub fn requires_json(self) -> bool {
        self.index() < Self::FAST_PATH.len()
            || matches!(
                self,
                Self::Messages | Self::MessagesCountTokens | Self::ResponsesCompact
            )
    }

    /// True for Anthropic's API, whose errors have a format of their own.
    #[must_use]
    pub fn is_anthropic(self) -> bool {
        matches!(
            self,
            Self::Messages | Self::MessagesCountTokens | Self::MessageObjects
        )
    }

    /// True where the response may create an object that stays at the provider and
    /// is later requested by its id.
    #[must_use]
    pub fn creates_objects(self) -> bool {
        self == Self::Responses || self.index() >= Self::ResponsesCompact.index()
    }

    /// Whether a multipart form has a model (OpenAI API reference).
    #[must_use]
    pub fn form_model(self) -> FormModel {
        match self {
            Self::ImagesEdits
            | Self::ImagesVariations
            | Self::AudioTranscriptions
            | Self::AudioTranslations
            | Self::Videos => FormModel::Expected,
            Self::Files | Self::Uploads | Self::Containers => FormModel::Absent,
            _ => FormModel::Unknown,
        }
    }
}

#[cfg(test)]
mod tests;
