//! Requests.

use super::{
    Dialect, RequestEcho, ThinkingMode, ToolIdRule, TranslationError, chat_via_messages,
    chat_via_responses, messages_via_chat, responses_via_chat,
};

/// The API that a request is translated to, and its upstream's properties.
#[derive(Clone, Copy, Debug)]
pub enum UpstreamApi<'a> {
    Chat(ChatUpstream<'a>),
    Messages(MessagesUpstream<'a>),
    Responses(ResponsesUpstream<'a>),
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
    /// The upstream is our own translation to Messages, which takes signed thinking as
    /// `thinking_blocks`.
    pub thinking_blocks: bool,
    /// Ask for the usage of streams.
    pub stream_usage: bool,
    /// Where it takes system messages.
    pub system: SystemPosition,
    pub tool_ids: ToolIdRule,
    /// As in [`ResponseContext::provider`](super::ResponseContext::provider).
    pub provider: &'a str,
}

/// Where a chat upstream takes system messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SystemPosition {
    /// One at the beginning; those behind it become text of a user message.
    #[default]
    FirstOrUser,
    /// One at the beginning, with the text of all.
    First,
    /// Any number, at any position.
    Anywhere,
}

/// Properties of a Responses upstream.
#[derive(Clone, Copy, Debug)]
pub struct ResponsesUpstream<'a> {
    /// The upstream's model name.
    pub model: &'a str,
    /// The model accepts `reasoning`. Otherwise it is not sent.
    pub reasoning: bool,
    /// Of Messages clients; a chat client's messages keep theirs.
    pub system: SystemPosition,
    /// As in [`ResponseContext::provider`](super::ResponseContext::provider).
    pub provider: &'a str,
}

/// A request in the upstream's dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranslatedRequest {
    /// JSON.
    pub body: Vec<u8>,
    /// The client requested an event stream.
    pub stream: bool,
    /// The client requested usage at the end of the stream. Always true of Messages
    /// and Responses streams.
    pub include_usage: bool,
    /// Of a Responses client, whose response repeats parts of its request.
    pub echo: Option<Box<RequestEcho>>,
}

/// Translates a request of a client of this dialect. The `model` in `body` is ignored.
///
/// # Errors
///
/// The request is invalid, or a part of it has no counterpart.
pub fn translate_request(
    client: Dialect,
    body: &[u8],
    upstream: &UpstreamApi<'_>,
) -> Result<TranslatedRequest, TranslationError> {
    match (client, upstream) {
        (Dialect::Messages, UpstreamApi::Chat(chat)) => {
            messages_via_chat::request::translate(body, chat)
        }
        (Dialect::Responses, UpstreamApi::Chat(chat)) => {
            responses_via_chat::request::translate(body, chat)
        }
        (Dialect::Chat, UpstreamApi::Messages(messages)) => {
            chat_via_messages::request::translate(body, messages)
        }
        (Dialect::Chat, UpstreamApi::Responses(responses)) => {
            chat_via_responses::request::translate(body, responses)
        }
        (Dialect::Responses, UpstreamApi::Messages(messages)) => {
            let as_chat = messages.as_chat();
            let chat = responses_via_chat::request::translate(body, &as_chat)?;
            let translated = chat_via_messages::request::translate(&chat.body, messages);
            let translated = translated.map_err(|error| {
                responses_via_chat::request::client_error(error, body, &as_chat)
            })?;
            Ok(chat.with_body(translated.body))
        }
        (Dialect::Messages, UpstreamApi::Responses(responses)) => {
            let chat = messages_via_chat::request::translate(body, &responses.as_chat())?;
            let translated = chat_via_responses::request::translate(&chat.body, responses);
            let translated = translated.map_err(messages_via_chat::request::client_error)?;
            Ok(chat.with_body(translated.body))
        }
        (Dialect::Chat, UpstreamApi::Chat(_))
        | (Dialect::Messages, UpstreamApi::Messages(_))
        | (Dialect::Responses, UpstreamApi::Responses(_)) => Err(TranslationError::same_dialect()),
    }
}

// === impl TranslatedRequest ===

impl TranslatedRequest {
    /// The second of two translations.
    fn with_body(self, body: Vec<u8>) -> Self {
        Self { body, ..self }
    }
}

// === impl MessagesUpstream ===

impl<'a> MessagesUpstream<'a> {
    /// The chat API that the translation to Messages accepts.
    fn as_chat(&self) -> ChatUpstream<'a> {
        ChatUpstream {
            model: self.model,
            legacy_max_tokens: false,
            reasoning_effort: true,
            reasoning_history: false,
            thinking_blocks: true,
            stream_usage: true,
            system: SystemPosition::Anywhere,
            tool_ids: ToolIdRule::Any,
            provider: "",
        }
    }
}

// === impl ResponsesUpstream ===

impl<'a> ResponsesUpstream<'a> {
    /// The chat API that the translation to Responses accepts.
    fn as_chat(&self) -> ChatUpstream<'a> {
        ChatUpstream {
            model: self.model,
            legacy_max_tokens: false,
            reasoning_effort: self.reasoning,
            reasoning_history: false,
            thinking_blocks: false,
            stream_usage: true,
            system: self.system,
            tool_ids: ToolIdRule::Any,
            provider: self.provider,
        }
    }
}
