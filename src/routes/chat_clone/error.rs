//! Errors of the gateway, in the form of the clone.

use http::StatusCode;

use super::event::{EVENT_STREAM, StreamError, write_error};
use crate::error_response::ErrorResponse;

/// A model that the clone does not know, or whose key is missing there.
const CONFIGURATION: &str = "ConfigurationError";

/// One event with the status of the clone.
pub fn convert(mut error: ErrorResponse) -> ErrorResponse {
    if error.has_own_body() {
        return error;
    }
    let is_model = error.body.param.as_deref() == Some("model");
    let kind = match error.body.code {
        "upstream_not_configured" => {
            error.status = StatusCode::INTERNAL_SERVER_ERROR;
            CONFIGURATION
        }
        _ if is_model && error.status.is_client_error() => {
            error.status = StatusCode::BAD_REQUEST;
            CONFIGURATION
        }
        _ => kind_of(error.status),
    };
    let mut event = Vec::new();
    let stream_error = StreamError {
        message: &error.body.message,
        code: error.status.as_u16(),
        kind,
    };
    write_error(stream_error, &mut event);
    error.with_body(EVENT_STREAM, event.into())
}

/// The name of the exception that the clone's client, openai-python, raises for this
/// status.
pub fn kind_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "BadRequestError",
        401 => "AuthenticationError",
        403 => "PermissionDeniedError",
        404 => "NotFoundError",
        409 => "ConflictError",
        422 => "UnprocessableEntityError",
        429 => "RateLimitError",
        500.. => "InternalServerError",
        _ => "APIStatusError",
    }
}
