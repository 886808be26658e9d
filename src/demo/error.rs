//! Errors of the demo model, in OpenAI's shape.

use http::StatusCode;
use serde_json::{Value, json};

#[derive(Debug)]
pub struct DemoError {
    pub status: StatusCode,
    code: &'static str,
    param: Option<&'static str>,
    message: String,
}

impl DemoError {
    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "invalid_api_key",
            "The demo model requires its key.",
        )
    }

    pub fn unknown_url() -> Self {
        let message = "The demo model serves POST to /chat/completions, /completions, /responses \
                       and /embeddings.";
        Self::new(StatusCode::NOT_FOUND, "unknown_url", message)
    }

    pub fn body_too_large() -> Self {
        let message = "The request body is too large for the demo model, or incomplete.";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", message)
    }

    pub fn invalid_json(error: &serde_json::Error) -> Self {
        // Only the position: the error's text may quote the body.
        let (line, column) = (error.line(), error.column());
        let message = format!("The request body is invalid JSON at line {line}, column {column}.");
        Self::new(StatusCode::BAD_REQUEST, "invalid_json", message)
    }

    pub fn missing(param: &'static str) -> Self {
        let message = format!("`{param}` is missing.");
        Self::new(StatusCode::BAD_REQUEST, "missing_field", message).with_param(param)
    }

    pub fn invalid(param: &'static str, expected: &str) -> Self {
        let message = format!("`{param}` must be {expected}.");
        Self::new(StatusCode::BAD_REQUEST, "invalid_value", message).with_param(param)
    }

    pub fn to_json(&self) -> Value {
        let Self {
            message,
            param,
            code,
            ..
        } = self;
        let error_type = "invalid_request_error";
        json!({"error": {"message": message, "type": error_type, "param": param, "code": code}})
    }

    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            param: None,
            message: message.into(),
        }
    }

    fn with_param(mut self, param: &'static str) -> Self {
        self.param = Some(param);
        self
    }
}
