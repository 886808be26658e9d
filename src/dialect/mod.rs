//! `OpenAI`'s Chat Completions and Anthropic's Messages, each told in the
//! words of the other.
//!
//! Pure: bytes in, bytes out; no clock, no I/O. `docs/dialects.md` has the
//! tables of what becomes what. The caller of this module is expected to hold
//! the request's body whole, to send what comes out to `/chat/completions` or
//! `/messages` of the upstream, and to tell the two kinds of answer apart by
//! status and media type.
//!
//! | step | function |
//! |---|---|
//! | a chat request for a Messages upstream | [`to_messages`] |
//! | a Messages request for a chat upstream | [`to_chat`] |
//! | the answer, status 2xx and JSON | [`reply`] |
//! | the answer, status 2xx and an event stream | [`Stream`] |
//! | the answer, any other status | [`error`] |
//! | an error of the gateway's own | [`own_error`], [`own_event`] |
//! | what cannot be translated, with status 400 | [`Refusal::to_body`] |
//!
//! What is done to an answer is named by the dialect of the *caller*; the
//! upstream speaks the other one.

mod answer;
mod anthropic_client;
mod error;
mod events;
mod field;
mod openai_client;
mod refusal;
mod stream;
mod text;
mod thinking;

pub use answer::{Answer, Unreadable, reply};
pub use error::{Fault, error, own_error, own_event};
pub use events::EVENT_LIMIT_BYTES;
pub use refusal::Refusal;
pub use stream::{Flow, Stream};
pub use thinking::Thinking;

/// A protocol that callers and upstreams speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `POST /v1/chat/completions`.
    OpenAi,
    /// `POST /v1/messages`.
    Anthropic,
}

/// What is known of a Messages upstream.
#[derive(Clone, Copy, Debug)]
pub struct ToMessages<'a> {
    /// The upstream's name for the model.
    pub model: &'a str,
    /// `max_tokens` of a request that sets no limit: Messages requires one.
    pub default_max_tokens: u64,
    /// How the model takes a wish for more or less thinking;
    /// [`Thinking::of_model`] knows.
    pub thinking: Thinking,
}

/// What is known of a chat upstream.
#[derive(Clone, Copy, Debug)]
pub struct ToChat<'a> {
    /// The upstream's name for the model.
    pub model: &'a str,
    /// The limit goes into `max_tokens`, not `max_completion_tokens`: `OpenAI`
    /// takes the former from no reasoning model, others know nothing else.
    pub old_max_tokens: bool,
    /// The model takes `reasoning_effort`. Where it does not, how much to think
    /// is left to the model.
    pub reasoning_effort: bool,
    /// The upstream wants the thoughts of the turn that is under way back, as
    /// `reasoning_content` (`DeepSeek`).
    pub reasoning_history: bool,
}

/// A request in the other dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translated {
    /// The JSON to send.
    pub body: Vec<u8>,
    /// The caller asked for an event stream.
    pub stream: bool,
    /// The caller asked for the usage at the end of the stream. Always true of
    /// a stream in Anthropic's dialect.
    pub include_usage: bool,
}

/// Translates a chat request into a Messages request. The `model` in `body` is
/// not looked at.
///
/// # Errors
///
/// What is wrong with the request, or has no counterpart.
pub fn to_messages(body: &[u8], upstream: &ToMessages<'_>) -> Result<Translated, Refusal> {
    openai_client::request::translate(body, upstream)
}

/// Translates a Messages request into a chat request. The `model` in `body` is
/// not looked at.
///
/// # Errors
///
/// What is wrong with the request, or has no counterpart.
pub fn to_chat(body: &[u8], upstream: &ToChat<'_>) -> Result<Translated, Refusal> {
    anthropic_client::request::translate(body, upstream)
}

#[cfg(test)]
mod tests;
