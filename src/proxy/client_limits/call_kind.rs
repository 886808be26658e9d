//! What a call uses, as far as limits can count it. The column "Limits" of
//! docs/endpoints.md says the same.

use http::Method;

use crate::wire::endpoint::Endpoint;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallKind {
    /// Its response reports its usage, or a part of what passes stands for it.
    Reported,
    /// It is a request, and uses neither tokens nor money.
    NoTokens,
    /// It may spend, and its response does not say what.
    Unreported,
}

impl CallKind {
    /// `None` of calls that no limit counts. Reading and deleting are free, and so is the
    /// count of tokens.
    pub(super) fn of(endpoint: Endpoint, method: &Method, is_websocket: bool) -> Option<Self> {
        if is_websocket {
            return Some(Self::of_websocket(endpoint));
        }
        if matches!(*method, Method::GET | Method::HEAD | Method::DELETE) {
            return None;
        }
        match endpoint {
            Endpoint::MessagesCountTokens | Endpoint::Models => None,
            Endpoint::ChatCompletions
            | Endpoint::Completions
            | Endpoint::Embeddings
            | Endpoint::Responses
            | Endpoint::ImagesGenerations
            | Endpoint::ImagesEdits
            | Endpoint::AudioTranscriptions
            | Endpoint::AudioTranslations
            | Endpoint::Messages
            | Endpoint::ResponsesCompact => Some(Self::Reported),
            // Below the last two, responses are cancelled and metadata is changed.
            Endpoint::Moderations
            | Endpoint::Files
            | Endpoint::Uploads
            | Endpoint::Conversations
            | Endpoint::ResponseObjects
            | Endpoint::StoredCompletions => Some(Self::NoTokens),
            Endpoint::AudioSpeech
            | Endpoint::ImagesVariations
            | Endpoint::MessageObjects
            | Endpoint::Videos
            | Endpoint::Batches
            | Endpoint::FineTuning
            | Endpoint::VectorStores
            | Endpoint::Containers
            | Endpoint::Evals
            | Endpoint::Assistants
            | Endpoint::Threads
            | Endpoint::Realtime
            | Endpoint::Other => Some(Self::Unreported),
        }
    }

    /// One request until it closes. Only of responses, the usage is read as it passes.
    fn of_websocket(endpoint: Endpoint) -> Self {
        if endpoint == Endpoint::Responses {
            Self::Reported
        } else {
            Self::Unreported
        }
    }
}
