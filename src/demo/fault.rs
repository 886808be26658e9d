//! Why a request gets no answer, in OpenAI's words.

use http::StatusCode;
use serde_json::{Value, json};

/// An error answer.
#[derive(Debug)]
pub struct Fault {
    /// HTTP status.
    pub status: StatusCode,
    code: &'static str,
    param: Option<&'static str>,
    message: String,
}

impl Fault {
    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "invalid_api_key",
            "The demo model needs its key.",
        )
    }

    pub fn unknown_url() -> Self {
        let message = "The demo model answers POST to /chat/completions, /completions, /responses \
                       and /embeddings.";
        Self::new(StatusCode::NOT_FOUND, "unknown_url", message)
    }

    pub fn unreadable() -> Self {
        let message = "The body is too large for the demo model or broke off.";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", message)
    }

    pub fn no_json(error: &serde_json::Error) -> Self {
        // The place alone: the error's text may quote the body.
        let (line, column) = (error.line(), error.column());
        let message = format!("The body cannot be read at line {line}, column {column}.");
        Self::new(StatusCode::BAD_REQUEST, "invalid_json", message)
    }

    pub fn missing(param: &'static str) -> Self {
        let message = format!("The body needs {param:?}.");
        Self::new(StatusCode::BAD_REQUEST, "missing_field", message).about(param)
    }

    pub fn invalid(param: &'static str, wanted: &str) -> Self {
        let message = format!("{param:?} must be {wanted}.");
        Self::new(StatusCode::BAD_REQUEST, "invalid_value", message).about(param)
    }

    /// The body of the answer.
    pub fn to_json(&self) -> Value {
        let Self {
            message,
            param,
            code,
            ..
        } = self;
        let kind = "invalid_request_error";
        json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
    }

    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            param: None,
            message: message.into(),
        }
    }

    fn about(mut self, param: &'static str) -> Self {
        self.param = Some(param);
        self
    }
}
