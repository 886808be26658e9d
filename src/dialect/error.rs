//! Errors, in the shape of either API.
//!
//! Sources: Anthropic's API reference, "Errors"; `OpenAI`'s API reference, "Error
//! codes". The table is in `docs/dialects.md`.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Dialect;
use crate::wire::error::{ApiError, ErrorType};

/// An error answer for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The status to answer with.
    pub status: u16,
    /// The body, JSON.
    pub body: Vec<u8>,
}

/// What the upstream said of its error, whatever shape it is in.
#[derive(Debug, Default)]
pub(super) struct Report {
    message: Option<String>,
    kind: Option<String>,
    code: Option<String>,
}

#[derive(Serialize)]
struct OpenAiBody<'a> {
    error: OpenAiError<'a>,
}

#[derive(Serialize)]
struct OpenAiError<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: ErrorType,
    param: Option<()>,
    code: Option<&'a str>,
}

#[derive(Serialize)]
struct AnthropicBody<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: AnthropicError<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct AnthropicError<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    message: &'a str,
}

/// Translates an answer with a status other than 2xx, for a caller who speaks
/// this dialect. What the upstream says is passed on, its type becomes the one
/// that this dialect has for it; of what is no JSON, nothing is. Answers to
/// 401 and 403 may echo the upstream's key and are not for callers at all.
#[must_use]
pub fn error(caller: Dialect, status: u16, body: &[u8], request_id: Option<&str>) -> Fault {
    let report = Report::read(body);
    let fallback =
        format!("The model's provider answered with status {status} and no explanation.");
    let message = report.message.as_deref().unwrap_or(&fallback);
    match caller {
        Dialect::OpenAi => Fault {
            status: if status == 529 { 503 } else { status },
            body: report.openai(status, message),
        },
        Dialect::Anthropic => Fault {
            status: if status == 503 { 529 } else { status },
            body: anthropic_body(kind_of(status), message, request_id),
        },
    }
}

/// The body of an error of the gateway's own, with this status.
#[must_use]
pub fn own_error(
    caller: Dialect,
    status: u16,
    error: &ApiError,
    request_id: Option<&str>,
) -> Bytes {
    match caller {
        Dialect::OpenAi => error.to_body(),
        Dialect::Anthropic => anthropic_body(kind_of(status), &error.message, request_id).into(),
    }
}

/// The last event of a stream that failed at the gateway.
#[must_use]
pub fn own_event(caller: Dialect, error: &ApiError) -> Bytes {
    match caller {
        Dialect::OpenAi => error.to_event(),
        Dialect::Anthropic => {
            let kind = match error.kind {
                ErrorType::InvalidRequestError => "invalid_request_error",
                ErrorType::RateLimitError | ErrorType::InsufficientQuota => "rate_limit_error",
                ErrorType::ServerError => "api_error",
            };
            anthropic_event(kind, &error.message).into()
        }
    }
}

/// Anthropic's type for an error with this status.
pub(super) fn kind_of(status: u16) -> &'static str {
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

/// An error in Anthropic's shape.
pub(super) fn anthropic_body(kind: &str, message: &str, request_id: Option<&str>) -> Vec<u8> {
    let body = AnthropicBody {
        kind: "error",
        error: AnthropicError { kind, message },
        request_id,
    };
    serde_json::to_vec(&body).unwrap_or_default()
}

/// An error within a stream in Anthropic's shape.
pub(super) fn anthropic_event(kind: &str, message: &str) -> Vec<u8> {
    let body = anthropic_body(kind, message, None);
    [b"event: error\ndata: ", body.as_slice(), b"\n\n"].concat()
}

// === impl Report ===

impl Report {
    /// Reads `{"error":{…}}`, `{"error":"…"}`, and what stands at the top:
    /// `message` (Mistral), `detail` (`FastAPI`).
    pub(super) fn read(body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Body {
            error: Option<serde_json::Value>,
            #[serde(flatten)]
            top: serde_json::Value,
        }

        let Ok(Body { error, top }) = serde_json::from_slice::<Body>(body) else {
            return Self::default();
        };
        let own = |value: &serde_json::Value, name: &str| {
            let text = value.get(name)?.as_str()?;
            Some(text.to_owned())
        };
        let inner = match error {
            Some(serde_json::Value::String(message)) => Self {
                message: Some(message),
                ..Self::default()
            },
            Some(inner) => Self {
                message: own(&inner, "message"),
                kind: own(&inner, "type"),
                code: own(&inner, "code"),
            },
            None => Self {
                message: own(&top, "message").or_else(|| own(&top, "detail")),
                kind: own(&top, "type"),
                code: own(&top, "code"),
            },
        };
        Self {
            message: inner.message.filter(|message| !message.is_empty()),
            ..inner
        }
    }

    /// An error in `OpenAI`'s shape, from Anthropic's.
    fn openai(&self, status: u16, message: &str) -> Vec<u8> {
        let kind = self.kind.as_deref().unwrap_or_else(|| kind_of(status));
        let (openai, code) = match kind {
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
        let body = OpenAiBody {
            error: OpenAiError {
                message,
                kind: openai,
                param: None,
                code: Some(code),
            },
        };
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// The last event of a chat stream whose upstream reported this. The type
    /// tells whose fault it is; there is no status.
    pub(super) fn openai_event(&self) -> Vec<u8> {
        let message = self.message.as_deref().unwrap_or(UNEXPLAINED);
        let body = self.openai(500, message);
        [b"data: ", body.as_slice(), b"\n\n"].concat()
    }

    /// The last event of a Messages stream whose upstream reported this.
    pub(super) fn anthropic_event(&self) -> Vec<u8> {
        let message = self.message.as_deref().unwrap_or(UNEXPLAINED);
        let words = [self.kind.as_deref(), self.code.as_deref()];
        let kind = words.into_iter().flatten().find_map(|word| match word {
            "invalid_request_error" => Some("invalid_request_error"),
            "rate_limit_error" | "rate_limit_exceeded" | "insufficient_quota" => {
                Some("rate_limit_error")
            }
            "overloaded" | "overloaded_error" => Some("overloaded_error"),
            _ => None,
        });
        anthropic_event(kind.unwrap_or("api_error"), message)
    }
}

const UNEXPLAINED: &str = "The model's provider reported an error without an explanation.";
