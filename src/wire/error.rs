//! The error envelope of the OpenAI API.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;

/// OpenAI's error types, as far as a gateway gives them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorType {
    /// The request is at fault.
    InvalidRequestError,
    /// Too many requests.
    RateLimitError,
    /// The budget is spent.
    InsufficientQuota,
    /// We or the upstream are at fault.
    ServerError,
}

/// What went wrong, as the OpenAI SDKs read it: all four members are always
/// present, `null` where they do not apply.
#[derive(Debug, Clone, Serialize)]
pub struct ApiError {
    /// One sentence for a person, with the cure.
    pub message: Cow<'static, str>,
    /// Class of the error.
    #[serde(rename = "type")]
    pub kind: ErrorType,
    /// The request member at fault.
    pub param: Option<Cow<'static, str>>,
    /// The error's name for programs.
    pub code: &'static str,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: &'a ApiError,
}

impl ApiError {
    /// The body of an error answer.
    #[must_use]
    pub fn to_body(&self) -> Bytes {
        Bytes::from(self.json())
    }

    /// The last event of a stream that failed. The SDKs raise on a data event
    /// whose object has an `error` member.
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
        };
        let expected = r#"{"error":{"message":"Say \"what\".","type":"invalid_request_error","param":null,"code":"invalid_json"}}"#;
        assert_eq!(error.to_body(), expected);
        assert_eq!(error.to_event(), format!("data: {expected}\n\n"));
    }
}
