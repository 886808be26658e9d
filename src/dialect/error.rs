//! Errors of upstreams and of the gateway, in the format of either API.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;

use super::Dialect;
use super::failure_kind::{FailureKind, is_general_name};
use super::responses_via_chat::failure::StreamFailure;
use crate::wire::error::{ApiError, ErrorType, LimitDetails};
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
pub(super) struct ChatError<'a> {
    pub(super) message: &'a str,
    #[serde(rename = "type")]
    kind: ErrorType,
    pub(super) param: Option<&'a str>,
    pub(super) code: &'a str,
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
    /// Not of Anthropic's API: as in [`ApiError`].
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'a LimitDetails>,
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
        Dialect::Chat | Dialect::Responses => {
            let kind = FailureKind::of_name(failure.kind.as_deref(), status, &failure);
            TranslatedError {
                status: if status == 529 { 503 } else { status },
                body: chat_body(kind, unknown_name(kind, &failure), status, message),
            }
        }
        Dialect::Messages => {
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
    if let Some((status, error)) = rejection(kind) {
        return TranslatedError {
            status,
            body: gateway_error(client, status, &error, request_id).into(),
        };
    }
    let status = match kind {
        FailureKind::PromptTooLong => 400,
        kind => failure.status.unwrap_or_else(|| kind.status()),
    };
    let message = failure.message.as_deref().unwrap_or(NO_EXPLANATION);
    match client {
        Dialect::Chat | Dialect::Responses => TranslatedError {
            status: if status == 529 { 503 } else { status },
            body: chat_body(kind, unknown_name(kind, failure), status, message),
        },
        Dialect::Messages => TranslatedError {
            status: if status == 503 { 529 } else { status },
            body: messages_body(kind, message, request_id),
        },
    }
}

/// The end of a stream in which the upstream reported a failure.
#[must_use]
pub fn failure_event(client: Dialect, failure: &ReportedFailure) -> Vec<u8> {
    if client == Dialect::Responses {
        return with_stream_failure(failure, |failure| failure.to_events());
    }
    let kind = FailureKind::of_report(failure);
    if let Some((_, error)) = rejection(kind) {
        return gateway_error_event(client, &error).into();
    }
    let message = failure.message.as_deref().unwrap_or(NO_EXPLANATION);
    if client == Dialect::Messages {
        return messages_event(&messages_body(kind, message, None));
    }
    let status = failure.status.unwrap_or_else(|| kind.status());
    let body = chat_body(kind, unknown_name(kind, failure), status, message);
    [b"data: ", body.as_slice(), b"\n\n"].concat()
}

/// What a Responses stream says of a failure that the upstream reported.
pub(super) fn with_stream_failure<T>(
    failure: &ReportedFailure,
    then: impl FnOnce(StreamFailure<'_>) -> T,
) -> T {
    let kind = FailureKind::of_report(failure);
    if let Some((_, error)) = rejection(kind) {
        return then(stream_failure(&error));
    }
    // Waiting does not help, whatever the status (OpenAI's is 429).
    let is_quota = |name: &String| name == "insufficient_quota";
    let kind = match [&failure.code, &failure.kind] {
        names if names.into_iter().flatten().any(is_quota) => FailureKind::Billing,
        _ => kind,
    };
    let message = failure.message.as_deref().unwrap_or(NO_EXPLANATION);
    let status = failure.status.unwrap_or_else(|| kind.status());
    then(StreamFailure {
        error: chat_error(kind, unknown_name(kind, failure), status, message),
        code: kind.responses_code(),
    })
}

/// The same for an error of the gateway itself.
pub(super) fn stream_failure(error: &ApiError) -> StreamFailure<'_> {
    StreamFailure {
        error: ChatError {
            message: &error.message,
            kind: error.kind,
            param: error.param.as_deref(),
            code: error.code,
        },
        code: kind_of(error).responses_code(),
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
        Dialect::Chat | Dialect::Responses => error.to_body(),
        Dialect::Messages => {
            let kind = match error.kind {
                ErrorType::InsufficientQuota => FailureKind::Billing,
                _ => FailureKind::of_status(status, &ReportedFailure::default()),
            };
            limit_body(kind, &error.message, error.limit.as_deref(), request_id).into()
        }
    }
}

/// The end of a stream that failed in the gateway.
#[must_use]
pub fn gateway_error_event(client: Dialect, error: &ApiError) -> Bytes {
    match client {
        Dialect::Chat => error.to_event(),
        Dialect::Responses => stream_failure(error).to_events().into(),
        Dialect::Messages => {
            let kind = match kind_of(error) {
                FailureKind::Billing => FailureKind::RateLimit,
                kind => kind,
            };
            messages_event(&messages_body(kind, &error.message, None)).into()
        }
    }
}

fn kind_of(error: &ApiError) -> FailureKind {
    match error.kind {
        ErrorType::InvalidRequestError => FailureKind::Invalid,
        ErrorType::RateLimitError | ErrorType::Requests | ErrorType::Tokens => {
            FailureKind::RateLimit
        }
        ErrorType::InsufficientQuota => FailureKind::Billing,
        ErrorType::ServerError => FailureKind::Upstream,
    }
}

/// Status and error in place of words that may contain the upstream's key.
fn rejection(kind: FailureKind) -> Option<(u16, ApiError)> {
    let (status, kind, code, message) = match kind {
        FailureKind::Authentication => (
            502,
            ErrorType::ServerError,
            "upstream_auth_failed",
            "The upstream rejected the gateway's credential for this model. The gateway's \
             operator must renew it.",
        ),
        FailureKind::Permission => (
            403,
            ErrorType::InvalidRequestError,
            "upstream_forbidden",
            "The upstream refused the request: the gateway's credential may not use this model, \
             or the provider does not allow this request.",
        ),
        _ => return None,
    };
    let error = ApiError {
        message: message.into(),
        kind,
        param: None,
        code,
        limit: None,
    };
    Some((status, error))
}

/// A name of an error that says more than the one of its kind: the provider's own, or that
/// of a missing model, by which clients tell it from other missing things.
fn unknown_name(kind: FailureKind, failure: &ReportedFailure) -> Option<&str> {
    if kind == FailureKind::NotFound {
        let message = failure.message.as_deref().unwrap_or_default();
        let names_model = message.to_ascii_lowercase().contains("model");
        return names_model.then_some("model_not_found");
    }
    let is_general = matches!(kind, FailureKind::Invalid | FailureKind::Upstream);
    let names = [&failure.code, &failure.kind].into_iter().flatten();
    let mut names = names.map(String::as_str).filter(|_| is_general);
    names.find(|name| !is_general_name(name))
}

fn chat_body(kind: FailureKind, own_code: Option<&str>, status: u16, message: &str) -> Vec<u8> {
    let error = chat_error(kind, own_code, status, message);
    serde_json::to_vec(&ChatErrorBody { error }).unwrap_or_default()
}

fn chat_error<'a>(
    kind: FailureKind,
    own_code: Option<&'a str>,
    status: u16,
    message: &'a str,
) -> ChatError<'a> {
    let (error_type, code) = match own_code {
        None => kind.chat_type_and_code(),
        Some(code) if (400..500).contains(&status) => (ErrorType::InvalidRequestError, code),
        Some(code) => (ErrorType::ServerError, code),
    };
    ChatError {
        message,
        kind: error_type,
        param: None,
        code,
    }
}

fn messages_body(kind: FailureKind, message: &str, request_id: Option<&str>) -> Vec<u8> {
    limit_body(kind, message, None, request_id)
}

fn limit_body(
    kind: FailureKind,
    message: &str,
    limit: Option<&LimitDetails>,
    request_id: Option<&str>,
) -> Vec<u8> {
    let message = messages_words(kind, message);
    let body = MessagesErrorBody {
        kind: "error",
        error: MessagesError {
            kind: kind.messages_type(),
            message: &message,
            limit,
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
