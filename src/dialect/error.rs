//! Errors of upstreams and of the gateway, in the format of either API.
//!
//! Sources: Anthropic's API reference, "Errors"; `OpenAI`'s API reference, "Error
//! codes". The mapping table is in `docs/dialects.md`.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Dialect;
use crate::wire::error::{ApiError, ErrorType};

const NO_EXPLANATION: &str = "The model's provider reported an error without a message.";

/// An error response for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranslatedError {
    pub status: u16,
    /// JSON.
    pub body: Vec<u8>,
}

/// An upstream's error, in any format.
#[derive(Debug, Default)]
pub(super) struct UpstreamError {
    message: Option<String>,
    kind: Option<String>,
    code: Option<String>,
}

/// Unlike [`ApiError`], it can have an upstream's own error code.
#[derive(Serialize)]
struct ChatErrorBody<'a> {
    error: ChatError<'a>,
}

#[derive(Serialize)]
struct ChatError<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: ErrorType,
    param: Option<()>,
    code: &'a str,
}

#[derive(Serialize)]
struct MessagesErrorBody<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: MessagesError<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct MessagesError<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    message: &'a str,
}

/// Translates a response with a status other than 2xx for a client of this
/// dialect. The upstream's message is passed on, its error type is mapped; of a
/// body that is not JSON, nothing is passed on. Not for 401 and 403: their bodies
/// may contain the upstream's key.
#[must_use]
pub fn translate_error(
    client: Dialect,
    status: u16,
    body: &[u8],
    request_id: Option<&str>,
) -> TranslatedError {
    let error = UpstreamError::parse(body);
    let fallback =
        format!("The model's provider responded with status {status} and no error message.");
    let message = error.message.as_deref().unwrap_or(&fallback);
    match client {
        Dialect::OpenAi => TranslatedError {
            status: if status == 529 { 503 } else { status },
            body: error.chat_body(status, message),
        },
        Dialect::Anthropic => TranslatedError {
            status: if status == 503 { 529 } else { status },
            body: messages_body(messages_type(status), message, request_id),
        },
    }
}

/// The body of an error of the gateway itself.
#[must_use]
pub fn gateway_error(
    client: Dialect,
    status: u16,
    error: &ApiError,
    request_id: Option<&str>,
) -> Bytes {
    match client {
        Dialect::OpenAi => error.to_body(),
        Dialect::Anthropic => {
            messages_body(messages_type(status), &error.message, request_id).into()
        }
    }
}

/// The last event of a stream that failed in the gateway.
#[must_use]
pub fn gateway_error_event(client: Dialect, error: &ApiError) -> Bytes {
    match client {
        Dialect::OpenAi => error.to_event(),
        Dialect::Anthropic => {
            let kind = match error.kind {
                ErrorType::InvalidRequestError => "invalid_request_error",
                ErrorType::RateLimitError | ErrorType::InsufficientQuota => "rate_limit_error",
                ErrorType::ServerError => "api_error",
            };
            messages_event(kind, &error.message).into()
        }
    }
}

/// Anthropic's error type for a status.
fn messages_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        408 | 504 => "timeout_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}

fn messages_body(kind: &str, message: &str, request_id: Option<&str>) -> Vec<u8> {
    let body = MessagesErrorBody {
        kind: "error",
        error: MessagesError { kind, message },
        request_id,
    };
    serde_json::to_vec(&body).unwrap_or_default()
}

fn messages_event(kind: &str, message: &str) -> Vec<u8> {
    let body = messages_body(kind, message, None);
    [b"event: error\ndata: ", body.as_slice(), b"\n\n"].concat()
}

// === impl UpstreamError ===

impl UpstreamError {
    /// Accepts `{"error":{…}}`, `{"error":"…"}`, and members at the top level:
    /// `message` (Mistral), `detail` (`FastAPI`).
    pub(super) fn parse(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Body {
            error: Option<serde_json::Value>,
            #[serde(flatten)]
            top_level: serde_json::Value,
        }

        let Ok(Body { error, top_level }) = serde_json::from_slice::<Body>(body) else {
            return Self::default();
        };
        let string = |value: &serde_json::Value, name: &str| {
            let text = value.get(name)?.as_str()?;
            Some(text.to_owned())
        };
        let parsed = match error {
            Some(serde_json::Value::String(message)) => Self {
                message: Some(message),
                ..Self::default()
            },
            Some(error) => Self {
                message: string(&error, "message"),
                kind: string(&error, "type"),
                code: string(&error, "code"),
            },
            None => Self {
                message: string(&top_level, "message").or_else(|| string(&top_level, "detail")),
                kind: string(&top_level, "type"),
                code: string(&top_level, "code"),
            },
        };
        Self {
            message: parsed.message.filter(|message| !message.is_empty()),
            ..parsed
        }
    }

    /// Maps Anthropic's error type.
    fn chat_body(&self, status: u16, message: &str) -> Vec<u8> {
        let messages_type = self
            .kind
            .as_deref()
            .unwrap_or_else(|| messages_type(status));
        let (kind, code) = match messages_type {
            "authentication_error" => (ErrorType::InvalidRequestError, "invalid_api_key"),
            "billing_error" => (ErrorType::InsufficientQuota, "insufficient_quota"),
            "permission_error" => (ErrorType::InvalidRequestError, "permission_denied"),
            "not_found_error" => (ErrorType::InvalidRequestError, "not_found"),
            "request_too_large" => (ErrorType::InvalidRequestError, "request_too_large"),
            "rate_limit_error" => (ErrorType::RateLimitError, "rate_limit_exceeded"),
            "overloaded_error" => (ErrorType::ServerError, "overloaded"),
            "timeout_error" => (ErrorType::ServerError, "upstream_timeout"),
            "invalid_request_error" if message.starts_with("prompt is too long") => {
                (ErrorType::InvalidRequestError, "context_length_exceeded")
            }
            "invalid_request_error" => (ErrorType::InvalidRequestError, "invalid_request_error"),
            "api_error" => (ErrorType::ServerError, "upstream_error"),
            other if (400..500).contains(&status) => (ErrorType::InvalidRequestError, other),
            other => (ErrorType::ServerError, other),
        };
        let error = ChatError {
            message,
            kind,
            param: None,
            code,
        };
        serde_json::to_vec(&ChatErrorBody { error }).unwrap_or_default()
    }

    /// The last event of a chat stream. There is no status: only the error type
    /// distinguishes client errors from server errors.
    pub(super) fn to_chat_event(&self) -> Vec<u8> {
        let message = self.message.as_deref().unwrap_or(NO_EXPLANATION);
        let body = self.chat_body(500, message);
        [b"data: ", body.as_slice(), b"\n\n"].concat()
    }

    /// The last event of a Messages stream.
    pub(super) fn to_messages_event(&self) -> Vec<u8> {
        let message = self.message.as_deref().unwrap_or(NO_EXPLANATION);
        let names = [self.kind.as_deref(), self.code.as_deref()];
        let kind = names.into_iter().flatten().find_map(|name| match name {
            "invalid_request_error" => Some("invalid_request_error"),
            "rate_limit_error" | "rate_limit_exceeded" | "insufficient_quota" => {
                Some("rate_limit_error")
            }
            "overloaded" | "overloaded_error" => Some("overloaded_error"),
            _ => None,
        });
        messages_event(kind.unwrap_or("api_error"), message)
    }
}
