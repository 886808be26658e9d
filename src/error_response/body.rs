//! Errors of the body of a request.

use http::header::ACCEPT_ENCODING;
use http::{HeaderValue, StatusCode};

use super::ErrorResponse;
use crate::metering::RequestOutcome;
use crate::wire::content_coding::{ACCEPTED_CODINGS, DecodeError, UnsupportedCoding};
use crate::wire::multipart;
use crate::wire::scan::{ScanError, ScanErrorKind};

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

/// The response names what is accepted (RFC 9110, section 12.5.3).
impl From<UnsupportedCoding> for ErrorResponse {
    fn from(_: UnsupportedCoding) -> Self {
        let message = format!(
            "Content-Encoding not supported. Send the body as it is, or with one of \
             {ACCEPTED_CODINGS}."
        );
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_encoding",
            message,
        )
        .header(ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED_CODINGS))
    }
}

/// A compressed body was received, and cannot be decoded within the limit.
#[must_use]
pub fn undecodable_body(error: DecodeError, limit: usize) -> ErrorResponse {
    match error {
        DecodeError::TooLarge => {
            let message = format!(
                "The decoded body is larger than the limit of {limit} bytes (server.max_body)."
            );
            ErrorResponse::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", message)
        }
        DecodeError::Invalid => {
            let message = "The body cannot be decoded as its Content-Encoding says: it has \
                           another format, is incomplete, has data behind its end, or is zstd \
                           with a window larger than 8 MiB.";
            ErrorResponse::new(StatusCode::BAD_REQUEST, "invalid_body", message)
        }
    }
}

/// A body that is JSON and not what an adapted API takes; the response has the body
/// of that API.
#[must_use]
pub fn invalid_fields() -> ErrorResponse {
    let message = "The body is not what this API takes.";
    ErrorResponse::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", message)
}

#[must_use]
pub fn request_too_large(limit: usize) -> ErrorResponse {
    too_large(limit as u64, "server.max_body")
}

/// For a body that is not buffered as a whole.
#[must_use]
pub fn upload_too_large(limit: u64) -> ErrorResponse {
    too_large(limit, "server.max_upload")
}

fn too_large(limit: u64, key: &str) -> ErrorResponse {
    let message = format!("The body is larger than the limit of {limit} bytes ({key}).");
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
                format!("The body must be UTF-8 without a byte order mark; byte {at} is not."),
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
