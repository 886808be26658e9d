//! What an upstream's failure is about, and what both APIs call that.
//!
//! Sources: Anthropic's API reference, "Errors"; `OpenAI`'s API reference, "Error
//! codes". The mapping table is in `docs/dialects.md`.

use crate::wire::error::ErrorType;
use crate::wire::failure::ReportedFailure;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    Invalid,
    PromptTooLong,
    Authentication,
    Billing,
    Permission,
    NotFound,
    TooLarge,
    RateLimit,
    Timeout,
    Overloaded,
    Upstream,
}

/// What providers write if the prompt is longer than the model's context, in lower
/// case.
const PROMPT_TOO_LONG: [&str; 19] = [
    // Anthropic has two sentences.
    "prompt is too long",
    "exceed context limit",
    // Amazon Bedrock.
    "input is too long",
    "context_length_exceeded",
    // llama.cpp.
    "exceed_context_size",
    "available context size",
    // OpenAI, DeepSeek, Mistral, OpenRouter, vLLM.
    "maximum context length",
    "exceeds the context window",
    "exceeds the context length",
    "context length exceeded",
    "context window exceeded",
    // SGLang.
    "than the model's context length",
    // vLLM.
    "than the maximum model length",
    // xAI.
    "maximum prompt length",
    // DeepInfra.
    "maximum input length",
    // Cerebras, Groq.
    "reduce the length of the messages",
    // Gemini.
    "exceeds the maximum number of tokens",
    // LM Studio, Ollama.
    "context the overflows",
    "exceeded the context length",
];

impl FailureKind {
    /// Of a failure with this status, which counts more than the provider's words.
    pub(super) fn of_status(status: u16, failure: &ReportedFailure) -> Self {
        let is_too_long = match status {
            400 | 422 | 500 => is_prompt_too_long(failure),
            429 => false,
            _ => is_named_too_long(failure),
        };
        if is_too_long {
            return Self::PromptTooLong;
        }
        from_status(status)
    }

    /// Of a failure that was reported under a good status, or in a stream.
    pub(super) fn of_report(failure: &ReportedFailure) -> Self {
        let named = from_names(failure);
        let by_status = failure.status.map(from_status);
        let is_limited = named == Some(Self::RateLimit) || by_status == Some(Self::RateLimit);
        if !is_limited && is_prompt_too_long(failure) {
            return Self::PromptTooLong;
        }
        // "invalid_request_error" and "server_error" stand for anything.
        let general = [Self::Invalid, Self::Upstream];
        let specific = named.filter(|kind| !general.contains(kind));
        specific.or(by_status).or(named).unwrap_or(Self::Upstream)
    }

    /// Of the name that an Anthropic API gives it, or else of the status.
    pub(super) fn of_name(name: Option<&str>, status: u16, failure: &ReportedFailure) -> Self {
        let kind = name.and_then(from_name).unwrap_or(from_status(status));
        if kind == Self::Invalid && is_prompt_too_long(failure) {
            return Self::PromptTooLong;
        }
        kind
    }

    /// For a failure that has no status.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::Invalid | Self::PromptTooLong => 400,
            Self::Authentication => 401,
            Self::Billing => 402,
            Self::Permission => 403,
            Self::NotFound => 404,
            Self::TooLarge => 413,
            Self::RateLimit => 429,
            Self::Upstream => 502,
            Self::Overloaded => 503,
            Self::Timeout => 504,
        }
    }

    /// Anthropic's error type.
    pub(super) fn messages_type(self) -> &'static str {
        match self {
            Self::Invalid | Self::PromptTooLong => "invalid_request_error",
            Self::Authentication => "authentication_error",
            Self::Billing => "billing_error",
            Self::Permission => "permission_error",
            Self::NotFound => "not_found_error",
            Self::TooLarge => "request_too_large",
            Self::RateLimit => "rate_limit_error",
            Self::Timeout => "timeout_error",
            Self::Overloaded => "overloaded_error",
            Self::Upstream => "api_error",
        }
    }

    /// `OpenAI`'s error type and code.
    pub(super) fn chat_type_and_code(self) -> (ErrorType, &'static str) {
        let invalid = ErrorType::InvalidRequestError;
        match self {
            Self::Invalid => (invalid, "invalid_request_error"),
            Self::PromptTooLong => (invalid, "context_length_exceeded"),
            Self::Authentication => (invalid, "invalid_api_key"),
            Self::Billing => (ErrorType::InsufficientQuota, "insufficient_quota"),
            Self::Permission => (invalid, "permission_denied"),
            Self::NotFound => (invalid, "not_found"),
            Self::TooLarge => (invalid, "request_too_large"),
            Self::RateLimit => (ErrorType::RateLimitError, "rate_limit_exceeded"),
            Self::Timeout => (ErrorType::ServerError, "upstream_timeout"),
            Self::Overloaded => (ErrorType::ServerError, "overloaded"),
            Self::Upstream => (ErrorType::ServerError, "upstream_error"),
        }
    }

    /// The code of `response.failed`. Codex compacts, stops or waits by it, and repeats
    /// the request at any that it does not know: `invalid_prompt` is the one at which it
    /// shows the message and stops.
    pub(super) fn responses_code(self) -> &'static str {
        match self {
            Self::PromptTooLong => "context_length_exceeded",
            Self::Billing => "insufficient_quota",
            Self::RateLimit => "rate_limit_exceeded",
            Self::Invalid | Self::Permission | Self::NotFound | Self::TooLarge => "invalid_prompt",
            Self::Authentication | Self::Timeout | Self::Overloaded | Self::Upstream => {
                "server_error"
            }
        }
    }
}

fn from_status(status: u16) -> FailureKind {
    match status {
        401 => FailureKind::Authentication,
        402 => FailureKind::Billing,
        403 => FailureKind::Permission,
        404 => FailureKind::NotFound,
        408 | 504 => FailureKind::Timeout,
        413 => FailureKind::TooLarge,
        429 => FailureKind::RateLimit,
        503 | 529 => FailureKind::Overloaded,
        400..=499 => FailureKind::Invalid,
        _ => FailureKind::Upstream,
    }
}

/// `OpenAI`'s codes of a response that failed for what its request contains
/// (`ResponseError`).
const OF_RESPONSES_REQUESTS: [&str; 18] = [
    "bio_policy",
    "data_residency_mismatch",
    "empty_image_file",
    "failed_to_download_image",
    "image_content_policy_violation",
    "image_file_not_found",
    "image_file_too_large",
    "image_parse_error",
    "image_too_large",
    "image_too_small",
    "invalid_base64_image",
    "invalid_image",
    "invalid_image_format",
    "invalid_image_mode",
    "invalid_image_url",
    "invalid_prompt",
    "misalignment_policy_violation",
    "unsupported_image_media_type",
];

/// Whether an error of this name may be any error of a client, or of a server.
pub(super) fn is_general_name(name: &str) -> bool {
    matches!(
        name,
        "invalid_request_error"
            | "BadRequestError"
            | "INVALID_ARGUMENT"
            | "api_error"
            | "server_error"
    )
}

/// From the names that both APIs and their imitations use.
pub(super) fn from_name(name: &str) -> Option<FailureKind> {
    Some(match name {
        "invalid_request_error" | "BadRequestError" | "INVALID_ARGUMENT" => FailureKind::Invalid,
        "authentication_error" | "invalid_api_key" | "UNAUTHENTICATED" => {
            FailureKind::Authentication
        }
        "billing_error" => FailureKind::Billing,
        "permission_error" | "PERMISSION_DENIED" => FailureKind::Permission,
        "not_found_error" | "model_not_found" | "NOT_FOUND" => FailureKind::NotFound,
        "request_too_large" => FailureKind::TooLarge,
        "rate_limit_error"
        | "rate_limit_exceeded"
        | "insufficient_quota"
        | "too_many_requests"
        | "RESOURCE_EXHAUSTED" => FailureKind::RateLimit,
        "timeout_error" | "timeout" | "vector_store_timeout" | "DEADLINE_EXCEEDED" => {
            FailureKind::Timeout
        }
        "overloaded"
        | "overloaded_error"
        | "engine_overloaded_error"
        | "service_unavailable"
        | "UNAVAILABLE" => FailureKind::Overloaded,
        "api_error" | "server_error" => FailureKind::Upstream,
        name if OF_RESPONSES_REQUESTS.contains(&name) => FailureKind::Invalid,
        _ => return None,
    })
}

fn from_names(failure: &ReportedFailure) -> Option<FailureKind> {
    let names = [&failure.code, &failure.kind];
    names.into_iter().flatten().find_map(|name| from_name(name))
}

/// Clients shorten the conversation if they recognise this.
fn is_prompt_too_long(failure: &ReportedFailure) -> bool {
    is_named_too_long(failure) || failure.message.as_deref().is_some_and(says_too_long)
}

fn is_named_too_long(failure: &ReportedFailure) -> bool {
    let mut names = [&failure.code, &failure.kind].into_iter().flatten();
    names.any(|name| says_too_long(name))
}

fn says_too_long(text: &str) -> bool {
    let text = text.to_lowercase();
    PROMPT_TOO_LONG.iter().any(|words| text.contains(words))
}
