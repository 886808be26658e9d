//! A request that cannot be told in the other dialect.

use std::fmt;

use serde::Serialize;

use super::{Dialect, error};

/// No name of a member is repeated at a greater length.
const PARAM_LIMIT: usize = 200;

/// Why a request is not translated; the answer has status 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The member at fault, as a path: `messages[2].content[0].file.file_id`.
    pub param: Option<String>,
    /// One sentence for a person.
    pub message: String,
    /// The error's name for programs.
    pub code: &'static str,
}

#[derive(Serialize)]
struct OpenAi<'a> {
    error: OpenAiError<'a>,
}

#[derive(Serialize)]
struct OpenAiError<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'a str>,
    code: &'static str,
}

impl Refusal {
    fn new(path: &str, code: &'static str, what: impl fmt::Display) -> Self {
        let mut path = path.to_owned();
        if let Some((end, _)) = path.char_indices().nth(PARAM_LIMIT) {
            path.truncate(end);
        }
        if path.is_empty() {
            return Self {
                param: None,
                message: what.to_string(),
                code,
            };
        }
        Self {
            message: format!("`{path}` {what}"),
            param: Some(path),
            code,
        }
    }

    /// The member has no counterpart in the upstream's API.
    pub(super) fn unsupported(path: &str, what: impl fmt::Display) -> Self {
        Self::new(path, "unsupported_parameter", what)
    }

    /// The member has a counterpart, but this value of it has none.
    pub(super) fn value(path: &str, what: impl fmt::Display) -> Self {
        Self::new(path, "unsupported_value", what)
    }

    /// The member is not what the caller's own API wants there.
    pub(super) fn invalid(path: &str, what: impl fmt::Display) -> Self {
        Self::new(path, "invalid_value", what)
    }

    /// The member has a value of another type.
    pub(super) fn kind(path: &str, expected: &str) -> Self {
        Self::new(path, "invalid_type", format_args!("must be {expected}."))
    }

    /// The member may be there only once.
    pub(super) fn twice(path: &str) -> Self {
        Self::new(path, "duplicate_field", "is there twice.")
    }

    /// The member must be there.
    pub(super) fn missing(path: &str) -> Self {
        Self::new(path, "missing_field", "is missing.")
    }

    /// `POST /v1/messages/count_tokens` for a model behind a chat upstream: no
    /// call of `OpenAI`'s Chat Completions counts the tokens of a request.
    /// Answer it with status 404.
    #[must_use]
    pub fn count_tokens() -> Self {
        Self {
            param: None,
            message: "Tokens cannot be counted for this model: its provider speaks OpenAI's \
                      Chat Completions, which has no call for it."
                .to_owned(),
            code: "unsupported_endpoint",
        }
    }

    /// The body of the answer. `request_id` is repeated in it where the dialect
    /// has a place for it.
    #[must_use]
    pub fn to_body(&self, caller: Dialect, status: u16, request_id: Option<&str>) -> Vec<u8> {
        match caller {
            Dialect::OpenAi => {
                let body = OpenAi {
                    error: OpenAiError {
                        message: &self.message,
                        kind: "invalid_request_error",
                        param: self.param.as_deref(),
                        code: self.code,
                    },
                };
                serde_json::to_vec(&body).unwrap_or_default()
            }
            Dialect::Anthropic => {
                error::anthropic_body(error::kind_of(status), &self.message, request_id)
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
