//! Translation between `OpenAI`'s Chat Completions and Anthropic's Messages, in
//! both directions.
//!
//! Pure: bytes in, bytes out; no clock, no I/O. `docs/dialects.md` has the
//! mapping tables. The request body must be complete. The result goes to
//! `/chat/completions` or `/messages` of the upstream, and the status and media
//! type of the response select the function that translates it:
//!
//! | step | function |
//! |---|---|
//! | chat request, Messages upstream | [`to_messages`] |
//! | Messages request, chat upstream | [`to_chat`] |
//! | response with status 2xx, JSON | [`translate_response`] |
//! | response with status 2xx, event stream | [`StreamTranslator`] |
//! | response with status 2xx, JSON in place of a stream | [`response_events`], then [`StreamTranslator`] |
//! | response with status 2xx that reports a failure | [`translate_failure`] |
//! | response with another status | [`translate_error`] |
//! | error of the gateway itself | [`gateway_error`], [`gateway_error_event`] |
//!
//! Functions for responses take the dialect of the *client*; the upstream speaks
//! the other one.

mod anthropic_client;
mod chat;
mod error;
mod events;
mod failure_kind;
mod field;
mod history;
mod lenient;
mod openai_client;
#[cfg(any(test, feature = "fuzzing"))]
#[allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "only tests and fuzz targets run it"
)]
pub mod oracle;
mod response;
mod stream;
mod text;
mod thinking;
mod tool_arguments;
mod tool_id;
mod translation_error;

pub use error::{
    TranslatedError, failure_event, gateway_error, gateway_error_event, translate_error,
    translate_failure,
};
pub use events::response_events;
pub use response::{InvalidUpstreamResponse, ResponseContext, translate_response};
pub use stream::{StreamStatus, StreamTranslator};
pub use thinking::ThinkingMode;
pub use tool_id::ToolIdRule;
pub use translation_error::TranslationError;

/// A protocol of clients and upstreams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `POST /v1/chat/completions`.
    OpenAi,
    /// `POST /v1/messages`.
    Anthropic,
}

/// Properties of a Messages upstream.
#[derive(Clone, Copy, Debug)]
pub struct MessagesUpstream<'a> {
    /// The upstream's model name.
    pub model: &'a str,
    /// `max_tokens` of requests without a limit: Messages requires one.
    pub default_max_tokens: u64,
    /// See [`ThinkingMode::for_model`].
    pub thinking: ThinkingMode,
}

/// Properties of a chat upstream.
#[derive(Clone, Copy, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "independent properties, set by name"
)]
pub struct ChatUpstream<'a> {
    /// The upstream's model name.
    pub model: &'a str,
    /// Send the limit as `max_tokens`, not `max_completion_tokens`. `OpenAI`'s
    /// reasoning models reject `max_tokens`; other providers accept nothing else.
    pub legacy_max_tokens: bool,
    /// The model accepts `reasoning_effort`. Otherwise it is not sent.
    pub reasoning_effort: bool,
    /// The upstream requires the thinking before tool calls to be sent back as
    /// `reasoning_content` (`DeepSeek`).
    pub reasoning_history: bool,
    /// Ask for the usage of streams.
    pub stream_usage: bool,
    pub tool_ids: ToolIdRule,
    /// As in [`ResponseContext::provider`].
    pub provider: &'a str,
}

/// A request in the upstream's dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranslatedRequest {
    /// JSON.
    pub body: Vec<u8>,
    /// The client requested an event stream.
    pub stream: bool,
    /// The client requested usage at the end of the stream. Always true of a
    /// Messages stream.
    pub include_usage: bool,
}

/// Translates a chat request into a Messages request. The `model` in `body` is
/// ignored.
///
/// # Errors
///
/// The request is invalid, or a part of it has no counterpart.
pub fn to_messages(
    body: &[u8],
    upstream: &MessagesUpstream<'_>,
) -> Result<TranslatedRequest, TranslationError> {
    openai_client::request::translate(body, upstream)
}

/// Translates a Messages request into a chat request. The `model` in `body` is
/// ignored.
///
/// # Errors
///
/// The request is invalid, or a part of it has no counterpart.
pub fn to_chat(
    body: &[u8],
    upstream: &ChatUpstream<'_>,
) -> Result<TranslatedRequest, TranslationError> {
    anthropic_client::request::translate(body, upstream)
}

#[cfg(test)]
mod tests;
