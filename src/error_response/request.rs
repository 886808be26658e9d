//! Errors caused by a request apart from its body, or by the limits of the gateway.

use std::ops::RangeInclusive;

use http::header::{ALLOW, CONNECTION, RETRY_AFTER, UPGRADE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};

use super::ErrorResponse;
use crate::access::AccessDenied;
use crate::catalog::Unresolved;
use crate::dialect::TranslationError;
use crate::metering::RequestOutcome;
use crate::shared_limit::LimitExceeded;
use crate::wire::endpoint::Endpoint;
use crate::wire::error::INTERNAL_ERROR;
use crate::wire::path_hint::{PathHint, PathMistake};
use crate::wire::scan::{ScanError, ScanErrorKind};

/// Seconds after which a rejected request may be retried. Each response says one of
/// them at random, so that clients rejected together do not return together.
const SHED_RETRY_AFTER: RangeInclusive<u16> = 1..=5;

#[must_use]
pub fn unknown_url(hint: Option<PathHint>) -> ErrorResponse {
    let message = match hint {
        None => "Unknown URL. The API is under /v1, for example /v1/chat/completions; \
                 /openapi.json lists all endpoints."
            .to_owned(),
        Some(hint) => {
            let cure = match hint.cause {
                PathMistake::DoubledVersion => {
                    "/v1 is there twice: the client's base URL ends in /v1 already, and the \
                     client may add it itself. Take one off the base URL."
                }
                PathMistake::DoubledEndpoint => {
                    "The client's base URL ends in the path of an endpoint already, and the \
                     client adds one itself. Take it off the base URL."
                }
                PathMistake::Other => {
                    "Check the client's base URL; for most clients, it ends in /v1."
                }
            };
            let (prefix, endpoint) = (hint.prefix, hint.endpoint.path());
            format!("Unknown URL. This is served at {prefix}{endpoint}. {cure}")
        }
    };
    ErrorResponse::new(StatusCode::NOT_FOUND, "unknown_url", message)
}

/// The upstream could read another path in it.
#[must_use]
pub fn invalid_path() -> ErrorResponse {
    let message = "The path has a dot segment (\"..\"), also one behind an escape, \"\\\" or \
                   \";\", a control character, or an escape that is not UTF-8. Send the path \
                   without it.";
    ErrorResponse::new(StatusCode::BAD_REQUEST, "invalid_path", message)
}

/// The name would become a part of the upstream's path.
#[must_use]
pub fn invalid_model_name() -> ErrorResponse {
    let message = "`model` must not have a dot segment (\"..\") or a control character: this \
                   provider has the model in its path.";
    ErrorResponse::new(StatusCode::BAD_REQUEST, "invalid_value", message).param("model")
}

/// A path of the chat clone, below another root path or not served here.
#[must_use]
pub fn chat_clone_url() -> ErrorResponse {
    let message = "Unknown URL. Of the chat clone's API, GET /models and POST /chat/stream are \
                   served, also below server.root_path (ROOT_PATH); \
                   docs/migrate-from-the-clone.md lists what differs.";
    ErrorResponse::new(StatusCode::NOT_FOUND, "unknown_url", message)
}

#[must_use]
pub fn method_not_allowed(allow: &'static str) -> ErrorResponse {
    method_error(
        allow,
        format!("Method not allowed. This URL accepts {allow}."),
    )
}

/// Of a URL of the chat clone's API.
#[must_use]
pub fn chat_clone_method(allow: &'static str) -> ErrorResponse {
    let message = format!(
        "Method not allowed. This URL is of the chat clone's API and accepts {allow}; see \
         docs/migrate-from-the-clone.md. OpenAI's API is under /v1."
    );
    method_error(allow, message)
}

fn method_error(allow: &'static str, message: String) -> ErrorResponse {
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

/// A header of which one is allowed came more than once.
#[must_use]
pub fn repeated_header(name: &HeaderName) -> ErrorResponse {
    let message = format!("Header `{name}` sent more than once. Send it once.");
    ErrorResponse::new(StatusCode::BAD_REQUEST, "duplicate_header", message).close_connection()
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
    let message = "Origin not allowed. Add it to cors.allow_origins, or to \
                   ADDITIONAL_CORS_ORIGINS.";
    ErrorResponse::new(StatusCode::FORBIDDEN, "forbidden_origin", message)
}

/// The key or certificate is not of an operator.
#[must_use]
pub fn not_operator() -> ErrorResponse {
    let message = "This client may not see what concerns all clients. Set operator = true in the \
                   table of its key, [access.keys.NAME], or of its certificate.";
    ErrorResponse::new(StatusCode::FORBIDDEN, "not_operator", message).no_retry()
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
    .header(RETRY_AFTER, shed_retry_after())
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
        .header(RETRY_AFTER, shed_retry_after())
}

fn shed_retry_after() -> HeaderValue {
    fastrand::u16(SHED_RETRY_AFTER).into()
}

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

/// The code of an error about a call that the provider has not.
pub const UNSUPPORTED_ENDPOINT: &str = "unsupported_endpoint";

/// The provider speaks these dialects, and the call belongs to another one.
#[must_use]
pub fn unsupported_endpoint(provider: &str, endpoint: Endpoint, spoken: &str) -> ErrorResponse {
    let call = call(endpoint);
    let cure = match endpoint {
        Endpoint::ResponsesCompact => " Let the client summarize the conversation.",
        Endpoint::ResponseObjects => {
            " Nothing is stored there: send the whole history in `input`, with `store: false`."
        }
        _ => "",
    };
    let message = format!(
        "The provider {provider} has no {call}: it speaks {spoken}. Of other APIs, only \
         /v1/chat/completions, /v1/messages and /v1/responses are translated for it.{cure}"
    );
    ErrorResponse::new(StatusCode::BAD_REQUEST, UNSUPPORTED_ENDPOINT, message).no_retry()
}

/// The provider was asked for the call `asked`, which is the client's own or one that it
/// was translated to, and refused it as one that it has not.
#[must_use]
pub fn missing_endpoint(
    provider: &str,
    endpoint: Endpoint,
    asked: Endpoint,
    status: StatusCode,
) -> ErrorResponse {
    let (status, translated) = (status.as_u16(), asked != endpoint);
    let (purpose, keys) = if translated {
        (
            format!(" to translate {} to", call(endpoint)),
            " or `dialects`",
        )
    } else {
        (String::new(), "")
    };
    let message = format!(
        "The provider {provider} has no {}{purpose}: it responded with status {status}. If it \
         should have it, the gateway's operator must correct providers.{provider}.base_url{keys}.",
        call(asked)
    );
    ErrorResponse::new(StatusCode::BAD_REQUEST, UNSUPPORTED_ENDPOINT, message).no_retry()
}

fn call(endpoint: Endpoint) -> String {
    let below = match endpoint {
        Endpoint::ResponseObjects => "/... (stored responses)",
        _ => "",
    };
    format!("/v1{}{below}", endpoint.path())
}

/// A WebSocket was asked for where only HTTP serves the call. Codex takes this status, and
/// no other one, as the advice to use HTTP at once.
#[must_use]
pub fn websocket_unavailable() -> ErrorResponse {
    let message = "No WebSocket here: the provider of this request takes this call over HTTP \
                   only, or none is found without a model. Send a POST to /v1/responses.";
    // The headers name what to use instead (RFC 9110, sections 15.5.22 and 7.8).
    ErrorResponse::new(
        StatusCode::UPGRADE_REQUIRED,
        "websocket_unavailable",
        message,
    )
    .header(UPGRADE, HeaderValue::from_static("HTTP/1.1"))
    .header(CONNECTION, HeaderValue::from_static("upgrade"))
    .no_retry()
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
                not_configured(&format!("model {alias}"), &variable)
            }
            Unresolved::ProviderNotConfigured { provider, variable } => {
                not_configured(&format!("provider {provider}"), &variable)
            }
        }
    }
}

fn not_configured(what: &str, variable: &str) -> ErrorResponse {
    let message = format!("The {what} is not configured: set {variable}.");
    let mut response = ErrorResponse::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "upstream_not_configured",
        message,
    );
    response.outcome = RequestOutcome::NotConfigured;
    response.param("model").no_retry()
}
