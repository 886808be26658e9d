//! What the gateway writes into a request on its own account, and how errors name it.

use memchr::memmem;

/// The additions of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Additions {
    /// Asks for the usage of a stream.
    pub stream_usage: bool,
    /// How a translated chat names its limit.
    pub limit: Option<LimitName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitName {
    MaxTokens,
    MaxCompletionTokens,
}

/// One addition, as an upstream may refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addition {
    StreamOptions,
    MaxTokens,
    MaxCompletionTokens,
}

// === impl Additions ===

impl Additions {
    /// The additions without those that the body of an error refuses; `None` if it is
    /// about none of them.
    #[must_use]
    pub fn without_refused(self, error: &[u8]) -> Option<Self> {
        let letters = letters(error);
        let is_refused = |addition: Addition| addition.is_named_in(&letters);
        let mut rest = self;
        rest.stream_usage &= !is_refused(Addition::StreamOptions);
        rest.limit = rest.limit.map(|limit| {
            if is_refused(limit.addition()) {
                limit.other()
            } else {
                limit
            }
        });
        (rest != self).then_some(rest)
    }

    /// What is not in `rest` any more.
    pub fn refused(self, rest: Self) -> impl Iterator<Item = Addition> {
        let usage = self.stream_usage && !rest.stream_usage;
        let limit = self.limit.filter(|_| self.limit != rest.limit);
        let limit = limit.map(LimitName::addition);
        usage
            .then_some(Addition::StreamOptions)
            .into_iter()
            .chain(limit)
    }
}

// === impl LimitName ===

impl LimitName {
    #[must_use]
    pub fn addition(self) -> Addition {
        match self {
            Self::MaxTokens => Addition::MaxTokens,
            Self::MaxCompletionTokens => Addition::MaxCompletionTokens,
        }
    }

    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::MaxTokens => Self::MaxCompletionTokens,
            Self::MaxCompletionTokens => Self::MaxTokens,
        }
    }
}

// === impl Addition ===

impl Addition {
    /// The member of the request.
    #[must_use]
    pub fn member(self) -> &'static str {
        match self {
            Self::StreamOptions => "stream_options",
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
        }
    }

    /// Errors about the value of `max_tokens` name it as well: it is refused where the
    /// other name is asked for.
    fn is_named_in(self, letters: &[u8]) -> bool {
        let names: &[&str] = match self {
            Self::StreamOptions => &["streamoptions", "includeusage"],
            Self::MaxTokens | Self::MaxCompletionTokens => &["maxcompletiontokens"],
        };
        names
            .iter()
            .any(|name| memmem::find(letters, name.as_bytes()).is_some())
    }
}

/// In lower case and without what may stand between words: `stream_options`,
/// `["body", "stream_options"]`, `Stream options` and `streamOptions` are the same.
fn letters(text: &[u8]) -> Vec<u8> {
    let letters = text.iter().filter(|byte| byte.is_ascii_alphanumeric());
    letters.map(u8::to_ascii_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::{Addition, Additions, LimitName};

    const USAGE: Additions = Additions {
        stream_usage: true,
        limit: None,
    };

    fn with_limit(limit: LimitName) -> Additions {
        Additions {
            stream_usage: true,
            limit: Some(limit),
        }
    }

    fn refused(additions: Additions, error: &str) -> Vec<Addition> {
        let rest = additions.without_refused(error.as_bytes());
        rest.map_or_else(Vec::new, |rest| additions.refused(rest).collect())
    }

    #[test]
    fn the_option_is_found_in_any_spelling() {
        for error in [
            r#"{"error":{"message":"Unrecognized request argument supplied: stream_options","type":"invalid_request_error","param":null,"code":null}}"#,
            r#"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted","input":{"include_usage":true}}]}"#,
            r#"{"message":"Validation error at #/stream_options: Extra inputs are not permitted"}"#,
            r#"{"error":"json: unknown field \"include_usage\""}"#,
            r#"{"error":{"param":"stream_options.include_usage"}}"#,
            r#"{"object":"error","message":"Stream options can only be defined when `stream=True`."}"#,
            r#"[{"error":{"code":400,"message":"Unknown name \"streamOptions\": Cannot find field."}}]"#,
            "create() got an unexpected keyword argument 'stream_options'",
            "STREAM-OPTIONS",
        ] {
            assert_eq!(refused(USAGE, error), [Addition::StreamOptions], "{error}");
            assert!(refused(Additions::default(), error).is_empty());
        }
        for error in [
            "",
            r#"{"error":{"message":"stream must be false","param":"stream"}}"#,
            r#"{"error":{"message":"usage limit reached, see your options"}}"#,
        ] {
            assert_eq!(USAGE.without_refused(error.as_bytes()), None, "{error}");
        }
    }

    #[test]
    fn a_limit_takes_its_other_name_where_one_is_refused() {
        use LimitName::{MaxCompletionTokens, MaxTokens};
        let unknown = "Unrecognized request argument supplied: max_completion_tokens";
        let unsupported = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        let value = "max_tokens is too large: 99999";
        for (limit, error, expected) in [
            (MaxCompletionTokens, unknown, Some(MaxTokens)),
            (MaxTokens, unsupported, Some(MaxCompletionTokens)),
            (MaxTokens, value, None),
            (MaxCompletionTokens, value, None),
        ] {
            let rest = with_limit(limit).without_refused(error.as_bytes());
            assert_eq!(rest.and_then(|rest| rest.limit), expected, "{error}");
            assert!(rest.is_none_or(|rest| rest.stream_usage));
        }
        assert_eq!(
            refused(with_limit(MaxTokens), unsupported),
            [Addition::MaxTokens]
        );
        let both = format!("{unknown}, stream_options");
        assert_eq!(refused(with_limit(MaxCompletionTokens), &both).len(), 2);
    }
}
