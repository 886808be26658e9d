//! Errors of requests that have no translation.

use std::fmt;

/// Longest member path that is quoted, in characters.
const MAX_PARAM_LENGTH: usize = 200;

/// Why a request cannot be translated. The client gets a 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranslationError {
    /// The path of the offending member: `messages[2].content[0].file.file_id`.
    pub param: Option<String>,
    /// One sentence for a person.
    pub message: String,
    /// The error code for programs.
    pub code: &'static str,
}

impl TranslationError {
    fn new(path: &str, code: &'static str, detail: impl fmt::Display) -> Self {
        let mut path = path.to_owned();
        if let Some((end, _)) = path.char_indices().nth(MAX_PARAM_LENGTH) {
            path.truncate(end);
        }
        if path.is_empty() {
            return Self {
                param: None,
                message: detail.to_string(),
                code,
            };
        }
        Self {
            message: format!("`{path}` {detail}"),
            param: Some(path),
            code,
        }
    }

    /// The error of a request that was translated twice: `rename` gives the client's
    /// names of members, where they differ.
    pub(super) fn renamed(self, rename: impl Fn(&str) -> Option<String>) -> Self {
        let parts = self.message.split('`').enumerate();
        let parts = parts.map(|(index, part)| match index % 2 {
            0 => part.to_owned(),
            _ => rename(part).unwrap_or_else(|| part.to_owned()),
        });
        Self {
            message: parts.collect::<Vec<_>>().join("`"),
            param: self.param.map(|param| rename(&param).unwrap_or(param)),
            code: self.code,
        }
    }

    /// There is nothing to translate.
    pub(super) fn same_dialect() -> Self {
        let detail = "The provider's API is the client's own.";
        Self::new("", "unsupported_endpoint", detail)
    }

    /// The member has no counterpart in the upstream's API.
    pub(super) fn unsupported_parameter(path: &str, detail: impl fmt::Display) -> Self {
        Self::new(path, "unsupported_parameter", detail)
    }

    /// The member has a counterpart, but not for this value.
    pub(super) fn unsupported_value(path: &str, detail: impl fmt::Display) -> Self {
        Self::new(path, "unsupported_value", detail)
    }

    /// The value is invalid in the client's own API.
    pub(super) fn invalid_value(path: &str, detail: impl fmt::Display) -> Self {
        Self::new(path, "invalid_value", detail)
    }

    pub(super) fn invalid_type(path: &str, expected: &str) -> Self {
        Self::new(path, "invalid_type", format_args!("must be {expected}."))
    }

    pub(super) fn duplicate_field(path: &str) -> Self {
        Self::new(path, "duplicate_field", "is duplicated.")
    }

    pub(super) fn missing_field(path: &str) -> Self {
        Self::new(path, "missing_field", "is missing.")
    }
}

impl fmt::Display for TranslationError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for TranslationError {}
