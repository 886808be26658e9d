//! Translation between `OpenAI`'s Chat Completions, Anthropic's Messages and
//! `OpenAI`'s Responses.
//!
//! Pure: bytes in, bytes out; no clock, no I/O. `docs/dialects.md` has the
//! mapping tables. The request body must be complete. The result goes to the
//! upstream's endpoint of its dialect, and the status and media type of the response
//! select the function that translates it:
//!
//! | step | function |
//! |---|---|
//! | request | [`translate_request`] |
//! | response with status 2xx, JSON | [`translate_response`] |
//! | response with status 2xx, event stream | [`StreamTranslator`] |
//! | response with status 2xx, JSON in place of a stream | [`response_events`], then [`StreamTranslator`] |
//! | response with status 2xx that reports a failure | [`translate_failure`] |
//! | response with another status | [`translate_error`] |
//! | error of the gateway itself | [`gateway_error`], [`gateway_error_event`] |
//!
//! Between Messages and Responses, everything is translated twice, by way of chat
//! completions: four translations serve all six pairs.

mod chat;
mod chat_request;
mod chat_upstream;
mod chat_via_messages;
mod chat_via_responses;
mod error;
mod events;
mod failure_kind;
mod field;
mod history;
mod lenient;
mod messages_via_chat;
#[cfg(any(test, feature = "fuzzing"))]
#[allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "only tests and fuzz targets run it"
)]
pub mod oracle;
mod request;
mod response;
mod responses_via_chat;
mod stream;
mod system_position;
mod text;
mod thinking;
mod tool_arguments;
mod tool_id;
mod translation_error;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use error::{
    TranslatedError, failure_event, gateway_error, gateway_error_event, translate_error,
    translate_failure,
};
pub use events::response_events;
pub use request::{
    ChatUpstream, MessagesUpstream, ResponsesUpstream, SystemPosition, TranslatedRequest,
    UpstreamApi, translate_request,
};
pub use response::{InvalidUpstreamResponse, ResponseContext, translate_response};
pub use responses_via_chat::echo::RequestEcho;
pub use stream::{StreamStatus, StreamTranslator};
pub use thinking::ThinkingMode;
pub use tool_id::ToolIdRule;
pub use translation_error::TranslationError;

/// A protocol of clients and upstreams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// OpenAI's Chat Completions, /v1/chat/completions.
    Chat,
    /// Anthropic's Messages, /v1/messages.
    Messages,
    /// OpenAI's Responses, /v1/responses.
    Responses,
}

/// Who speaks what. The two differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DialectPair {
    pub client: Dialect,
    pub upstream: Dialect,
}

#[cfg(test)]
mod tests;
