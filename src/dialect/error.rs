//! Errors of upstreams and of the gateway, in the format of either API.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;

use super::Dialect;
use super::failure_kind::{FailureKind, from_name};
use crate::wire::error::{ApiError, ErrorType};
use crate::wire::failure::ReportedFailure;

const NO_EXPLANATION: &str = "The model's provider reported an error without a message.";

/// An error response for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranslatedError {
    pub status: u16,
    /// JSON.
    pub body: Vec<u8>,
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
    let failure = ReportedFailure::read(body);
    let fallback =
        format!("The model's provider responded with status {status} and no error message.");
    let message = failure.message.as_deref().unwrap_or(&fallback);
    match client {
        Dialect::OpenAi => {
            let kind = FailureKind::of_name(failure.kind.as_deref(), status, &failure);
            TranslatedError {
                status: if status == 529 { 503 } else { status },
                body: chat_body(kind, unknown_name(kind, &failure), status, message),
            }
        }
        Dialect::Anthropic => {
            let kind = FailureKind::of_status(status, &failure);
            TranslatedError {
                status: match (kind, status) {
                    (FailureKind::PromptTooLong, _) => 400,
                    (_, 503) => 529,
                    (_, status) => status,
                },
                body: messages_body(kind, message, request_id),
            }
        }
    }
}

/// Translates a failure that the upstream reported under a good status: the client
/// gets the status that fits it.
#[must_use]
pub fn translate_failure(
    client: Dialect,
    failure: &ReportedFailure,
    request_id: Option<&str>,
) -> TranslatedError {
    let kind = FailureKind::of_report(failure);
    if kind.is_about_credentials() {
        return TranslatedError {
            status: 502,
            body: gateway_error(client, 502, &credential_rejected(), request_id).into(),
        };
    }
    let status = match kind {
        FailureKind::PromptTooLong => 400,
        kind => failure.status.unwrap_or_else(|| kind.status()),
    };
    let message = failure.message.as_deref().unwrap_or(NO_EXPLANATION);
    match client {
        Dialect::OpenAi => TranslatedError {
            status: if status == 529 { 503 } else { status },
            body: chat_body(kind, unknown_name(kind, failure), status, message),
        },
        Dialect::Anthropic => TranslatedError {
            status: if status == 503 { 529 } else { status },
            body: messages_body(kind, message, request_id),
        },
    }
}

/// The last event of a stream in which the upstream reported a failure.
#[must_use]
pub fn failure_event(client: Dialect, failure: &ReportedFailure) -> Vec<u8> {
    let kind = FailureKind::of_report(failure);
    if kind.is_about_credentials() {
        return gateway_error_event(client, &credential_rejected()).into();
    }
    let message = failure.message.as_deref().unwrap_or(NO_EXPLANATION);
    match client {
        Dialect::OpenAi => {
            let status = failure.status.unwrap_or_else(|| kind.status());
            let body = chat_body(kind, unknown_name(kind, failure), status, message);
            [b"data: ", body.as_slice(), b"\n\n"].concat()
        }
        Dialect::Anthropic => messages_event(&messages_body(kind, message, None)),
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
            let kind = FailureKind::of_status(status, &ReportedFailure::default());
            messages_body(kind, &error.message, request_id).into()
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
                ErrorType::InvalidRequestError => FailureKind::Invalid,
                ErrorType::RateLimitError | ErrorType::InsufficientQuota => FailureKind::RateLimit,
                ErrorType::ServerError => FailureKind::Upstream,
            };
            messages_event(&messages_body(kind, &error.message, None)).into()
        }
    }
}

/// In place of words that may contain the upstream's key.
fn credential_rejected() -> ApiError {
    ApiError {
        message: "The upstream rejected the gateway's credential for this model. The gateway's \
                  operator must renew it."
            .into(),
        kind: ErrorType::ServerError,
        param: None,
        code: "upstream_auth_failed",
    }
}

/// A provider's own name of an error, which says more than the one of its kind.
fn unknown_name(kind: FailureKind, failure: &ReportedFailure) -> Option<&str> {
    let is_general = matches!(kind, FailureKind::Invalid | FailureKind::Upstream);
    let name = failure.kind.as_deref().filter(|_| is_general)?;
    from_name(name).is_none().then_some(name)
}

fn chat_body(kind: FailureKind, own_code: Option<&str>, status: u16, message: &str) -> Vec<u8> {
    let (error_type, code) = match own_code {
        None => kind.chat_type_and_code(),
        Some(code) if (400..500).contains(&status) => (ErrorType::InvalidRequestError, code),
        Some(code) => (ErrorType::ServerError, code),
    };
    let error = ChatError {
        message,
        kind: error_type,
        param: None,
        code,
    };
    serde_json::to_vec(&ChatErrorBody { error }).unwrap_or_default()
}

fn messages_body(kind: FailureKind, message: &str, request_id: Option<&str>) -> Vec<u8> {
    let message = messages_words(kind, message);
    let body = MessagesErrorBody {
        kind: "error",
        error: MessagesError {
            kind: kind.messages_type(),
            message: &message,
        },
        request_id,
    };
    serde_json::to_vec(&body).unwrap_or_default()
}

/// Coding agents compact a conversation if the message contains Anthropic's words
/// for a prompt that is too long.
fn messages_words(kind: FailureKind, message: &str) -> Cow<'_, str> {
    const WORDS: &str = "prompt is too long";
    if kind == FailureKind::PromptTooLong && !message.to_lowercase().contains(WORDS) {
        return Cow::Owned(format!("{WORDS}: {message}"));
    }
    Cow::Borrowed(message)
}

fn messages_event(body: &[u8]) -> Vec<u8> {
    [b"event: error\ndata: ", body, b"\n\n"].concat()
}
