//! The one place that knows HTTP statuses and the error envelope.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::limits::Exhausted;
use crate::access::Denied;
use crate::catalog::Unresolved;
use crate::metering::Outcome;
use crate::telemetry::request_id::RequestId;
use crate::upstream;
use crate::upstream::ErrorKind;
use crate::wire::error::{ApiError, ErrorType};
use crate::wire::scan::{Fault, ScanError};

/// The id under which we know a request.
pub const OWN_REQUEST_ID: HeaderName = HeaderName::from_static("x-trunkline-request-id");
/// The id that the OpenAI SDKs show: the upstream's where there is one.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Obeyed by the OpenAI SDKs (their `_should_retry`).
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
/// Seconds after which a refused request may be tried again.
const SHED_RETRY_AFTER: &str = "1";

/// An error of ours on its way to the caller.
#[derive(Debug)]
pub struct Failure {
    /// HTTP status.
    pub status: StatusCode,
    /// What the body says.
    pub error: ApiError,
    /// How the request is accounted.
    pub outcome: Outcome,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Failure {
    fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let kind = match status {
            StatusCode::TOO_MANY_REQUESTS => ErrorType::RateLimitError,
            status if status.is_server_error() => ErrorType::ServerError,
            _ => ErrorType::InvalidRequestError,
        };
        let outcome = match status {
            StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => Outcome::Timeout,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => Outcome::Shed,
            StatusCode::INTERNAL_SERVER_ERROR => Outcome::InternalError,
            status if status.is_server_error() => Outcome::UpstreamError,
            _ => Outcome::ClientError,
        };
        let error = ApiError {
            message: message.into(),
            kind,
            param: None,
            code,
        };
        Self {
            status,
            error,
            outcome,
            headers: Vec::new(),
        }
    }

    fn about(mut self, param: &'static str) -> Self {
        self.error.param = Some(param);
        self
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// A retry by the SDK cannot help, or could be billed twice.
    fn final_word(self) -> Self {
        self.with(SHOULD_RETRY, HeaderValue::from_static("false"))
    }

    /// The connection is not to be used again.
    fn closing(self) -> Self {
        self.with(CONNECTION, HeaderValue::from_static("close"))
    }

    /// The error as the last event of a stream.
    #[must_use]
    pub fn to_event(&self) -> Bytes {
        self.error.to_event()
    }

    /// The status, headers and body of the answer.
    #[must_use]
    pub fn into_response(self, request_id: &RequestId) -> Response<Bytes> {
        let mut response = Response::new(self.error.to_body());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.extend(self.headers);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        identify(headers, request_id);
        response
    }
}

/// Puts the request's id on an answer; an upstream's own one stays.
pub fn identify(headers: &mut HeaderMap, request_id: &RequestId) {
    headers
        .entry(REQUEST_ID)
        .or_insert_with(|| request_id.header());
    headers.insert(OWN_REQUEST_ID, request_id.header());
}

// ===== the request's head =====

/// The path is none that we serve.
#[must_use]
pub fn unknown_url() -> Failure {
    let message = "There is nothing at this URL. The API is below /v1, for example \
                   /v1/chat/completions; /openapi.json lists all of it.";
    Failure::new(StatusCode::NOT_FOUND, "unknown_url", message)
}

/// The path is served, but not by this method.
#[must_use]
pub fn method_not_allowed(allow: &'static str) -> Failure {
    let message = format!("This URL takes {allow} only.");
    Failure::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        message,
    )
    .with(ALLOW, HeaderValue::from_static(allow))
}

/// `Host` is missing, doubled or malformed (RFC 9112, section 3.2).
#[must_use]
pub fn invalid_host() -> Failure {
    let message = "The request needs exactly one valid Host header.";
    Failure::new(StatusCode::BAD_REQUEST, "invalid_host", message).closing()
}

/// `Host` names another site: a page of that site may have been pointed at us
/// (DNS rebinding).
#[must_use]
pub fn foreign_host() -> Failure {
    let message = "This gateway is open to its own machine only and does not answer under this \
                   host name. Add the name to server.allowed_hosts, or set client keys.";
    Failure::new(StatusCode::FORBIDDEN, "forbidden_host", message)
}

/// A page of another origin calls, and nobody has allowed it.
#[must_use]
pub fn foreign_origin() -> Failure {
    let message = "Pages of this origin may not call this gateway. Add the origin to \
                   cors.allow_origins.";
    Failure::new(StatusCode::FORBIDDEN, "forbidden_origin", message)
}

/// A transfer coding other than chunked (RFC 9112, section 6.1).
#[must_use]
pub fn unsupported_transfer_encoding() -> Failure {
    let message = "Only the transfer coding \"chunked\" is supported.";
    Failure::new(
        StatusCode::NOT_IMPLEMENTED,
        "unsupported_transfer_encoding",
        message,
    )
    .final_word()
    .closing()
}

/// An expectation other than `100-continue` (RFC 9110, section 10.1.1).
#[must_use]
pub fn expectation_failed() -> Failure {
    let message = "Only the expectation \"100-continue\" is supported.";
    Failure::new(
        StatusCode::EXPECTATION_FAILED,
        "unsupported_expectation",
        message,
    )
    .closing()
}

/// We are shutting down and take nothing new.
#[must_use]
pub fn shutting_down() -> Failure {
    let message = "The gateway is shutting down; please try again.";
    Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "server_shutting_down",
        message,
    )
    .with(RETRY_AFTER, HeaderValue::from_static(SHED_RETRY_AFTER))
    .closing()
}

impl From<Denied> for Failure {
    fn from(_: Denied) -> Self {
        let message = "The API key is missing, wrong or expired. Send one that was given to you \
                       for this gateway, as \"Authorization: Bearer KEY\".";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message)
            .with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }
}

impl From<Exhausted> for Failure {
    fn from(_: Exhausted) -> Self {
        overloaded("The gateway has as much to do as it can take; please try again.")
    }
}

fn overloaded(message: &'static str) -> Failure {
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message)
        .with(RETRY_AFTER, HeaderValue::from_static(SHED_RETRY_AFTER))
}

// ===== the request's body =====

/// The body is not JSON by its own account.
#[must_use]
pub fn unsupported_media_type() -> Failure {
    let message = "The body must be JSON in UTF-8: send \"Content-Type: application/json\".";
    Failure::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        message,
    )
}

/// The body is compressed.
#[must_use]
pub fn unsupported_encoding() -> Failure {
    let message = "Compressed request bodies are not supported: send the body without \
                   Content-Encoding.";
    Failure::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_encoding",
        message,
    )
}

/// The body is larger than the limit of so many bytes.
#[must_use]
pub fn request_too_large(limit: usize) -> Failure {
    let message = format!("The body is larger than the limit of {limit} bytes (server.max_body).");
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", message).closing()
}

/// The body did not come within its time.
#[must_use]
pub fn request_timeout() -> Failure {
    let message = "The body did not arrive in time.";
    Failure::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message).closing()
}

/// The body broke off, or its chunked framing is broken.
#[must_use]
pub fn invalid_body() -> Failure {
    let message = "The body could not be read: its framing is broken or it ended early.";
    Failure::new(StatusCode::BAD_REQUEST, "invalid_body", message).closing()
}

impl From<ScanError> for Failure {
    fn from(error: ScanError) -> Self {
        let at = error.offset;
        let bad = |code, message: String| Self::new(StatusCode::BAD_REQUEST, code, message);
        match error.fault {
            Fault::EmptyBody => bad(
                "empty_body",
                "The body is empty; send a JSON object.".into(),
            ),
            Fault::InvalidJson => bad("invalid_json", format!("Invalid JSON at byte {at}.")),
            Fault::NotAnObject => bad("invalid_json", "The body must be a JSON object.".into()),
            Fault::TrailingData => bad(
                "invalid_json",
                format!("Something follows the JSON object at byte {at}."),
            ),
            Fault::InvalidEncoding => bad(
                "invalid_encoding",
                format!("The body is not valid UTF-8 at byte {at}."),
            ),
            Fault::TooDeep => bad(
                "too_deep",
                format!("The JSON is nested too deeply at byte {at}."),
            ),
            Fault::ModelMissing => {
                bad("missing_field", "The body needs a \"model\".".into()).about("model")
            }
            Fault::ModelNotAString => {
                bad("invalid_type", "\"model\" must be a string.".into()).about("model")
            }
            Fault::ModelEmpty => {
                bad("invalid_type", "\"model\" must not be empty.".into()).about("model")
            }
            Fault::ModelTooLong => {
                bad("invalid_type", "\"model\" is too long.".into()).about("model")
            }
            Fault::Duplicate(field) => {
                let name = field.as_str();
                bad(
                    "duplicate_field",
                    format!("\"{name}\" stands twice, again at byte {at}."),
                )
                .about(name)
            }
        }
    }
}

impl From<Unresolved> for Failure {
    fn from(unresolved: Unresolved) -> Self {
        match unresolved {
            Unresolved::Unknown { nearest } => {
                let hint = match nearest.as_slice() {
                    [] => "GET /v1/models lists those there are.".to_owned(),
                    names => format!("Did you mean {}?", names.join(" or ")),
                };
                let message = format!("There is no such model, or not for you. {hint}");
                Self::new(StatusCode::NOT_FOUND, "model_not_found", message).about("model")
            }
            Unresolved::NotConfigured { alias, variable } => {
                let message = format!("The model {alias} is not ready: set {variable}.");
                let mut failure = Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "upstream_not_configured",
                    message,
                );
                failure.outcome = Outcome::ClientError;
                failure.about("model").final_word()
            }
        }
    }
}

// ===== the upstream =====

impl From<&upstream::Error> for Failure {
    fn from(error: &upstream::Error) -> Self {
        let bad = |code, message: &'static str| Self::new(StatusCode::BAD_GATEWAY, code, message);
        let late =
            |code, message: &'static str| Self::new(StatusCode::GATEWAY_TIMEOUT, code, message);
        match error.kind() {
            ErrorKind::Full => {
                overloaded("Too many requests are in flight at this model's provider.")
            }
            ErrorKind::Dns => bad(
                "upstream_dns_failed",
                "The upstream's host name could not be resolved.",
            ),
            ErrorKind::Connect => bad(
                "upstream_connect_failed",
                "The upstream could not be reached.",
            ),
            ErrorKind::ConnectTimeout => late(
                "upstream_connect_timeout",
                "The upstream could not be reached in time.",
            ),
            ErrorKind::Tls => bad(
                "upstream_tls_failed",
                "The TLS handshake with the upstream failed.",
            )
            .final_word(),
            ErrorKind::Protocol => bad(
                "upstream_protocol_error",
                "The upstream's answer broke the rules of HTTP.",
            )
            .final_word(),
            ErrorKind::Disconnected => {
                let failure = bad(
                    "upstream_disconnected",
                    "The upstream closed before it answered.",
                );
                match error.outcome() {
                    crate::routing::Outcome::NotProcessed => failure,
                    crate::routing::Outcome::MaybeProcessed => failure.final_word(),
                }
            }
            ErrorKind::HeadTimeout => upstream_timeout(),
        }
    }
}

/// The upstream took too long to begin its answer.
#[must_use]
pub fn upstream_timeout() -> Failure {
    let message = "The upstream did not answer in time; it may still be at work.";
    Failure::new(StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", message).final_word()
}

/// The upstream points elsewhere; following would carry its key there.
#[must_use]
pub fn upstream_redirect() -> Failure {
    let message = "The upstream answered with a redirect, which is not followed. Its base_url \
                   is probably wrong.";
    Failure::new(StatusCode::BAD_GATEWAY, "upstream_redirect", message).final_word()
}

/// The upstream refused our credential. Its body may echo it.
#[must_use]
pub fn upstream_auth_failed() -> Failure {
    let message = "The upstream refused the gateway's credential for this model. Its operator \
                   must renew it.";
    Failure::new(StatusCode::BAD_GATEWAY, "upstream_auth_failed", message).final_word()
}

/// The upstream's answer is no HTTP answer to a request like ours.
#[must_use]
pub fn upstream_protocol_error() -> Failure {
    let message = "The upstream's answer broke the rules of HTTP.";
    Failure::new(StatusCode::BAD_GATEWAY, "upstream_protocol_error", message).final_word()
}

/// The upstream says that all is well, with a web page.
#[must_use]
pub fn upstream_bad_content_type() -> Failure {
    let message = "The upstream answered with a web page. Its base_url is probably wrong.";
    Failure::new(
        StatusCode::BAD_GATEWAY,
        "upstream_bad_content_type",
        message,
    )
    .final_word()
}

/// The upstream failed without an error that a program can read. `headers` are
/// the upstream's, of which those on retries and limits are kept.
#[must_use]
pub fn upstream_error(status: StatusCode, headers: &HeaderMap) -> Failure {
    let message = format!(
        "The upstream failed with status {} and no readable error.",
        status.as_u16()
    );
    let mut failure = Failure::new(status, "upstream_error", message);
    failure.outcome = Outcome::of_status(status.as_u16());
    for (name, value) in headers {
        if passes_with_error(name) {
            failure.headers.push((name.clone(), value.clone()));
        }
    }
    failure
}

fn passes_with_error(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(
        name,
        "retry-after" | "retry-after-ms" | "x-request-id" | "x-should-retry"
    ) || name.starts_with("x-ratelimit-")
}

// ===== inside a stream =====

/// The upstream closed in the middle of its stream.
#[must_use]
pub fn stream_disconnected() -> Failure {
    let message = "The upstream closed in the middle of the answer.";
    Failure::new(StatusCode::BAD_GATEWAY, "upstream_disconnected", message)
}

/// The upstream fell silent in the middle of its stream.
#[must_use]
pub fn stream_stalled() -> Failure {
    let message = "The upstream fell silent in the middle of the answer.";
    Failure::new(StatusCode::GATEWAY_TIMEOUT, "upstream_stalled", message)
}

/// The upstream's stream ended properly, but not its answer.
#[must_use]
pub fn stream_incomplete() -> Failure {
    let message = "The upstream ended its stream before the answer was complete.";
    Failure::new(StatusCode::BAD_GATEWAY, "upstream_incomplete", message)
}

/// The whole answer took longer than is allowed.
#[must_use]
pub fn stream_too_long() -> Failure {
    let message = "The answer took longer than the limit for this model.";
    Failure::new(StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", message)
}
