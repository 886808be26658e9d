//! Complete (not streamed) responses.

use std::fmt;

use super::text::Text;
use super::{
    Dialect, DialectPair, RequestEcho, chat_via_messages, chat_via_responses, messages_via_chat,
    responses_via_chat,
};

/// The parts of a translated response that do not come from the upstream.
#[derive(Clone, Copy, Debug)]
pub struct ResponseContext<'a> {
    /// The model name of the client's request.
    pub model: &'a str,
    /// Identifies the upstream: what it needs back with a tool call is sent to no
    /// other one.
    pub provider: &'a str,
    /// Unique; the id of a Messages response, and of others that have none.
    pub fallback_id: &'a str,
    /// When the response started, in seconds since 1970.
    pub created: u64,
    /// [`TranslatedRequest::include_usage`](super::TranslatedRequest::include_usage);
    /// of streams only.
    pub include_usage: bool,
    /// [`TranslatedRequest::echo`](super::TranslatedRequest::echo).
    pub echo: Option<&'a RequestEcho>,
}

impl ResponseContext<'_> {
    pub(super) fn id_or_fallback<'t>(&self, upstream_id: Option<Text<'t>>) -> Text<'t> {
        upstream_id
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| Text::encode(self.fallback_id))
    }
}

/// The upstream's response does not match its API. The client gets a 502.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUpstreamResponse;

/// Translates a complete response with status 2xx.
///
/// # Errors
///
/// The response is not JSON, or has no message.
pub fn translate_response(
    pair: DialectPair,
    body: &[u8],
    context: &ResponseContext<'_>,
) -> Result<Vec<u8>, InvalidUpstreamResponse> {
    let chat = match pair.upstream {
        Dialect::Chat => None,
        Dialect::Messages => Some(chat_via_messages::response::translate(body, context)?),
        Dialect::Responses => Some(chat_via_responses::response::translate(body, context)?),
    };
    let body = chat.as_deref().unwrap_or(body);
    match pair.client {
        Dialect::Chat => chat.ok_or(InvalidUpstreamResponse),
        Dialect::Messages => messages_via_chat::response::translate(body, context),
        Dialect::Responses => responses_via_chat::response::translate(body, context),
    }
}

impl fmt::Display for InvalidUpstreamResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the upstream's response does not match its API")
    }
}

impl std::error::Error for InvalidUpstreamResponse {}
