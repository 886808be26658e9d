//! Errors that a request brings on itself, or that our limits bring on it.

use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

use super::Failure;
use crate::access::Denied;
use crate::catalog::Unresolved;
use crate::dialect::Refusal;
use crate::metering::Outcome;
use crate::shared_limit::Exhausted;
use crate::wire::error::INTERNAL_ERROR;
use crate::wire::multipart;
use crate::wire::scan::{Fault, ScanError};

/// Seconds after which a refused request may be tried again.
const SHED_RETRY_AFTER: &str = "1";

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

/// We are no proxy to tunnel through (RFC 9110, section 9.3.6).
#[must_use]
pub fn no_tunnel() -> Failure {
    method_not_allowed("GET, HEAD, POST, OPTIONS").closing()
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
    Failure::new(StatusCode::FORBIDDEN, "forbidden_origin", message)
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

/// The drain deadline has passed for a request that still waits for its
/// upstream, which may be at work on it.
#[must_use]
pub fn cut_short() -> Failure {
    shutting_down().final_word()
}

/// A fault of our own. The upstream may have worked on the request.
#[must_use]
pub fn internal_error() -> Failure {
    let message = "The gateway met a fault of its own; its operator finds it in the log.";
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL_ERROR, message)
        .final_word()
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

/// There is as much of something as we take; it may be less in a moment.
#[must_use]
pub fn overloaded(message: &'static str) -> Failure {
    Failure::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message)
        .with(RETRY_AFTER, HeaderValue::from_static(SHED_RETRY_AFTER))
}

// ===== the body =====

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

/// The caller left in the middle of its body. It will hardly read this.
#[must_use]
pub fn caller_left() -> Failure {
    let mut failure = invalid_body();
    failure.outcome = Outcome::Cancelled;
    failure
}

/// A model came where nobody counted on one any more.
#[must_use]
pub fn late_model() -> Failure {
    let message = "\"model\" must come before the files in this form.";
    Failure::new(StatusCode::BAD_REQUEST, "invalid_multipart", message)
        .about("model")
        .closing()
}

/// There is no place for what comes before a form's model.
#[must_use]
pub fn no_spool() -> Failure {
    let message = "\"model\" comes after a file in this form, and the gateway has no place for \
                   the file. Send \"model\" first, or have its operator set server.spool_dir.";
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", message)
        .about("model")
        .closing()
}

impl From<multipart::Fault> for Failure {
    fn from(fault: multipart::Fault) -> Self {
        let (code, param) = match fault {
            multipart::Fault::TwoModels => ("duplicate_field", Some("model")),
            multipart::Fault::BadModel => ("invalid_type", Some("model")),
            _ => ("invalid_multipart", None),
        };
        let message = format!("The form cannot be read: {fault}.");
        let failure = Self::new(StatusCode::BAD_REQUEST, code, message).closing();
        match param {
            Some(param) => failure.about(param),
            None => failure,
        }
    }
}

// ===== where it goes =====

/// There is no such provider, it is not ready, or this caller may not use it.
#[must_use]
pub fn unknown_provider() -> Failure {
    let message = "There is no such provider, it is not ready, or it is not for you.";
    Failure::new(StatusCode::NOT_FOUND, "provider_not_found", message)
}

/// Nothing says which provider this is for.
#[must_use]
pub fn no_destination() -> Failure {
    let message = "Nothing says which provider this call is for. Name it in the header \
                   x-trunkline-provider or in the path (/providers/NAME/v1/...), send a \
                   \"model\", or have default_provider set; the ids in it are of no object \
                   that this gateway has seen made.";
    Failure::new(StatusCode::BAD_REQUEST, "provider_unknown", message)
}

/// The provider's protocol has no such call.
#[must_use]
pub fn no_such_call(provider: &str, takes: &str) -> Failure {
    let message = format!("The provider {provider} does not take this call; it takes {takes}.");
    Failure::new(StatusCode::BAD_REQUEST, "unsupported_endpoint", message).final_word()
}

/// Something in the request cannot be told in the provider's protocol.
#[must_use]
pub fn untranslatable(refusal: Refusal) -> Failure {
    let mut failure = Failure::new(StatusCode::BAD_REQUEST, refusal.code, refusal.message);
    failure.error.param = refusal.param.map(Into::into);
    failure.final_word()
}

/// The call has to name a model.
#[must_use]
pub fn missing_model() -> Failure {
    ScanError {
        fault: Fault::ModelMissing,
        offset: 0,
    }
    .into()
}

/// The query names two models.
#[must_use]
pub fn two_models() -> Failure {
    let message = "\"model\" stands twice in the query.";
    Failure::new(StatusCode::BAD_REQUEST, "duplicate_field", message).about("model")
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
