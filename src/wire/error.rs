//! The error object of the OpenAI API.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;

/// Error code of a bug in the gateway.
pub const INTERNAL_ERROR: &str = "internal_error";
/// Error code of a response that stopped.
pub const UPSTREAM_STALLED: &str = "upstream_stalled";

/// OpenAI's error types, as far as the gateway uses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorType {
    InvalidRequestError,
    RateLimitError,
    /// A limit of requests a minute, and the like.
    Requests,
    Tokens,
    /// The budget is spent.
    InsufficientQuota,
    /// The gateway or the upstream failed.
    ServerError,
}

/// The OpenAI SDKs expect all four members, `null` where they do not apply.
#[derive(Debug, Clone, Serialize)]
pub struct ApiError {
    /// One sentence for a person, with the cure.
    pub message: Cow<'static, str>,
    #[serde(rename = "type")]
    pub kind: ErrorType,
    /// The offending member of the request.
    pub param: Option<Cow<'static, str>>,
    pub code: &'static str,
    /// Not of the OpenAI API: the client's limit that is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<Box<LimitDetails>>,
}

/// Amounts are text: those of budgets are decimal.
#[derive(Debug, Clone, Serialize)]
pub struct LimitDetails {
    pub rule: String,
    pub subject: String,
    pub of: &'static str,
    pub period: Option<&'static str>,
    pub limit: String,
    pub used: String,
    pub requested: String,
    pub resets_at: Option<String>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: &'a ApiError,
}

impl ApiError {
    #[must_use]
    pub fn to_body(&self) -> Bytes {
        Bytes::from(self.json())
    }

    /// The last event of a failed stream. The SDKs raise on an event whose data has
    /// an `error` member.
    #[must_use]
    pub fn to_event(&self) -> Bytes {
        let json = self.json();
        Bytes::from([b"data: ", json.as_slice(), b"\n\n"].concat())
    }

    fn json(&self) -> Vec<u8> {
        // Strings, an enum and null cannot fail to serialise.
        serde_json::to_vec(&Envelope { error: self }).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{ApiError, ErrorType};

    #[test]
    fn has_all_four_members() {
        let error = ApiError {
            message: "Say \"what\".".into(),
            kind: ErrorType::InvalidRequestError,
            param: None,
            code: "invalid_json",
            limit: None,
        };
        let expected = r#"{"error":{"message":"Say \"what\".","type":"invalid_request_error","param":null,"code":"invalid_json"}}"#;
        assert_eq!(error.to_body(), expected);
        assert_eq!(error.to_event(), format!("data: {expected}\n\n"));
    }
}
