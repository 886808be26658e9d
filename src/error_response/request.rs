//! Errors caused by a request, or by the limits of the gateway.

use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

use super::ErrorResponse;
use crate::access::AccessDenied;
use crate::catalog::Unresolved;
use crate::dialect::TranslationError;
use crate::metering::RequestOutcome;
use crate::shared_limit::LimitExceeded;
use crate::wire::error::INTERNAL_ERROR;
use crate::wire::multipart;
use crate::wire::scan::{ScanError, ScanErrorKind};

/// Seconds after which a rejected request may be retried.
const SHED_RETRY_AFTER: &str = "1";

#[must_use]
pub fn unknown_url() -> ErrorResponse {
    let message = "Unknown URL. The API is under /v1, for example /v1/chat/completions; \
                   /openapi.json lists all endpoints.";
    ErrorResponse::new(StatusCode::NOT_FOUND, "unknown_url", message)
}

#[must_use]
pub fn method_not_allowed(allow: &'static str) -> ErrorResponse {
    let message = format!("Method not allowed. This URL accepts {allow}.");
    ErrorResponse::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        message,
    )
    .header(ALLOW, HeaderValue::from_static(allow))
}

/// CONNECT would make a forward proxy of the gateway (RFC 9110, section 9.3.6).
#[must_use]
pub fn connect_not_supported() -> ErrorResponse {
    method_not_allowed("GET, HEAD, POST, OPTIONS").close_connection()
}

/// `Host` is missing, doubled or malformed (RFC 9112, section 3.2).
#[must_use]
pub fn invalid_host() -> ErrorResponse {
    let message = "Host header missing, duplicated or invalid. Send exactly one.";
    ErrorResponse::new(StatusCode::BAD_REQUEST, "invalid_host", message).close_connection()
}

/// `Host` names another site, whose page may have been pointed at the gateway (DNS
/// rebinding).
#[must_use]
pub fn untrusted_host() -> ErrorResponse {
    let message = "Host name not allowed: without client keys, the gateway accepts only names \
                   of its own machine. Add the name to server.allowed_hosts, or set client keys.";
    ErrorResponse::new(StatusCode::FORBIDDEN, "forbidden_origin", message)
}

/// A request of a page of another origin.
#[must_use]
pub fn disallowed_origin() -> ErrorResponse {
    let message = "Origin not allowed. Add it to cors.allow_origins.";
    ErrorResponse::new(StatusCode::FORBIDDEN, "forbidden_origin", message)
}

/// A transfer coding other than chunked (RFC 9112, section 6.1).
#[must_use]
pub fn unsupported_transfer_encoding() -> ErrorResponse {
    let message = "Unsupported transfer coding. Use \"chunked\".";
    ErrorResponse::new(
        StatusCode::NOT_IMPLEMENTED,
        "unsupported_transfer_encoding",
        message,
    )
    .no_retry()
    .close_connection()
}

/// An expectation other than `100-continue` (RFC 9110, section 10.1.1).
#[must_use]
pub fn expectation_failed() -> ErrorResponse {
    let message = "Unsupported expectation. Use \"100-continue\".";
    ErrorResponse::new(
        StatusCode::EXPECTATION_FAILED,
        "unsupported_expectation",
        message,
    )
    .close_connection()
}

#[must_use]
pub fn shutting_down() -> ErrorResponse {
    let message = "The gateway is shutting down; retry.";
    ErrorResponse::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "server_shutting_down",
        message,
    )
    .header(RETRY_AFTER, HeaderValue::from_static(SHED_RETRY_AFTER))
    .close_connection()
}

/// The drain deadline has passed. The upstream may still be processing the request.
#[must_use]
pub fn terminated() -> ErrorResponse {
    shutting_down().no_retry()
}

/// The upstream may have processed the request.
#[must_use]
pub fn internal_error() -> ErrorResponse {
    let message = "Internal gateway error; its log has the cause.";
    ErrorResponse::new(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL_ERROR, message)
        .no_retry()
        .close_connection()
}

impl From<AccessDenied> for ErrorResponse {
    fn from(_: AccessDenied) -> Self {
        let message = "The API key is missing, wrong or expired. Send a key of this gateway as \
                       \"Authorization: Bearer KEY\".";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message)
            .header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }
}

impl From<LimitExceeded> for ErrorResponse {
    fn from(_: LimitExceeded) -> Self {
        overloaded("The gateway is overloaded; retry.")
    }
}

/// A limit is reached; a retry may succeed.
#[must_use]
pub fn overloaded(message: &'static str) -> ErrorResponse {
    ErrorResponse::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message)
        .header(RETRY_AFTER, HeaderValue::from_static(SHED_RETRY_AFTER))
}

// === errors of the body ===

/// By its Content-Type, the body is not JSON.
#[must_use]
pub fn unsupported_media_type() -> ErrorResponse {
    let message = "The body must be JSON in UTF-8: send \"Content-Type: application/json\".";
    ErrorResponse::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        message,
    )
}

#[must_use]
pub fn unsupported_encoding() -> ErrorResponse {
    let message = "Compressed request bodies are not supported: send the body without \
                   Content-Encoding.";
    ErrorResponse::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_encoding",
        message,
    )
}

#[must_use]
pub fn request_too_large(limit: usize) -> ErrorResponse {
    let message = format!("The body is larger than the limit of {limit} bytes (server.max_body).");
    ErrorResponse::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", message)
        .close_connection()
}

#[must_use]
pub fn request_timeout() -> ErrorResponse {
    let message = "The request body did not arrive in time.";
    ErrorResponse::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message).close_connection()
}

#[must_use]
pub fn invalid_body() -> ErrorResponse {
    let message = "The request body is incomplete or its framing is invalid.";
    ErrorResponse::new(StatusCode::BAD_REQUEST, "invalid_body", message).close_connection()
}

/// The client disconnected in the middle of its body and will probably not read this.
#[must_use]
pub fn client_disconnected() -> ErrorResponse {
    let mut response = invalid_body();
    response.outcome = RequestOutcome::Cancelled;
    response
}

/// A form names its model after it was routed without one.
#[must_use]
pub fn late_model() -> ErrorResponse {
    let message = "`model` must come before the files in this form.";
    ErrorResponse::new(StatusCode::BAD_REQUEST, "invalid_multipart", message)
        .param("model")
        .close_connection()
}

/// The part of a form before its `model` cannot be spooled.
#[must_use]
pub fn spool_failed() -> ErrorResponse {
    let message = "`model` comes after a file in this form, and the gateway cannot store the \
                   file. Send `model` first, or ask the gateway's operator to set \
                   server.spool_dir.";
    ErrorResponse::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", message)
        .param("model")
        .close_connection()
}

impl From<multipart::MultipartError> for ErrorResponse {
    fn from(error: multipart::MultipartError) -> Self {
        let (code, param) = match error {
            multipart::MultipartError::DuplicateModel => ("duplicate_field", Some("model")),
            multipart::MultipartError::InvalidModel => ("invalid_type", Some("model")),
            _ => ("invalid_multipart", None),
        };
        let message = format!("Invalid form: {error}.");
        let response = Self::new(StatusCode::BAD_REQUEST, code, message).close_connection();
        match param {
            Some(param) => response.param(param),
            None => response,
        }
    }
}

// === errors of routing ===

/// One error for all causes, so that it reveals no provider.
#[must_use]
pub fn unknown_provider() -> ErrorResponse {
    let message = "Unknown provider, or it is not configured, or your key may not use it.";
    ErrorResponse::new(StatusCode::NOT_FOUND, "provider_not_found", message)
}

#[must_use]
pub fn provider_not_specified() -> ErrorResponse {
    let message = "No provider for this request: it has no `model` and refers to no known \
                   object. Name the provider in the header x-trunkline-provider or in the path \
                   (/providers/NAME/v1/...), send `model`, or ask the gateway's operator to set \
                   default_provider.";
    ErrorResponse::new(StatusCode::BAD_REQUEST, "provider_unknown", message)
}

#[must_use]
pub fn unsupported_endpoint(provider: &str, supported: &str) -> ErrorResponse {
    let message =
        format!("The provider {provider} does not support this endpoint; it supports {supported}.");
    ErrorResponse::new(StatusCode::BAD_REQUEST, "unsupported_endpoint", message).no_retry()
}

/// The request cannot be translated to the provider's protocol.
#[must_use]
pub fn untranslatable(error: TranslationError) -> ErrorResponse {
    let mut response = ErrorResponse::new(StatusCode::BAD_REQUEST, error.code, error.message);
    response.body.param = error.param.map(Into::into);
    response.no_retry()
}

#[must_use]
pub fn missing_model() -> ErrorResponse {
    ScanError {
        kind: ScanErrorKind::ModelMissing,
        offset: 0,
    }
    .into()
}

#[must_use]
pub fn duplicate_model() -> ErrorResponse {
    let message = "Duplicate `model` in the query.";
    ErrorResponse::new(StatusCode::BAD_REQUEST, "duplicate_field", message).param("model")
}

impl From<ScanError> for ErrorResponse {
    fn from(error: ScanError) -> Self {
        let at = error.offset;
        let bad_request = |code, message: String| Self::new(StatusCode::BAD_REQUEST, code, message);
        match error.kind {
            ScanErrorKind::EmptyBody => bad_request(
                "empty_body",
                "The body is empty; send a JSON object.".into(),
            ),
            ScanErrorKind::InvalidJson => {
                bad_request("invalid_json", format!("Invalid JSON at byte {at}."))
            }
            ScanErrorKind::NotAnObject => {
                bad_request("invalid_json", "The body must be a JSON object.".into())
            }
            ScanErrorKind::TrailingData => bad_request(
                "invalid_json",
                format!("Trailing data after the JSON object at byte {at}."),
            ),
            ScanErrorKind::InvalidEncoding => bad_request(
                "invalid_encoding",
                format!("The body is not valid UTF-8 at byte {at}."),
            ),
            ScanErrorKind::TooDeep => bad_request(
                "too_deep",
                format!("The JSON is nested too deeply at byte {at}."),
            ),
            ScanErrorKind::ModelMissing => {
                bad_request("missing_field", "`model` is missing.".into()).param("model")
            }
            ScanErrorKind::ModelNotAString => {
                bad_request("invalid_type", "`model` must be a string.".into()).param("model")
            }
            ScanErrorKind::ModelEmpty => {
                bad_request("invalid_type", "`model` must not be empty.".into()).param("model")
            }
            ScanErrorKind::ModelTooLong => {
                bad_request("invalid_type", "`model` is too long.".into()).param("model")
            }
            ScanErrorKind::Duplicate(field) => {
                let name = field.as_str();
                bad_request(
                    "duplicate_field",
                    format!("Duplicate `{name}` at byte {at}."),
                )
                .param(name)
            }
        }
    }
}

impl From<Unresolved> for ErrorResponse {
    fn from(unresolved: Unresolved) -> Self {
        match unresolved {
            Unresolved::Unknown { nearest } => {
                let hint = match nearest.as_slice() {
                    [] => "GET /v1/models lists the available models.".to_owned(),
                    names => format!("Did you mean {}?", names.join(" or ")),
                };
                let message = format!("Unknown model, or your key may not use it. {hint}");
                Self::new(StatusCode::NOT_FOUND, "model_not_found", message).param("model")
            }
            Unresolved::NotConfigured { alias, variable } => {
                let message = format!("The model {alias} is not configured: set {variable}.");
                let mut response = Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "upstream_not_configured",
                    message,
                );
                response.outcome = RequestOutcome::ClientError;
                response.param("model").no_retry()
            }
        }
    }
}
