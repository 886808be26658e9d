//! What a request says of its output: the limits that it sets, and its choices.
//!
//! The one scan of the body finds where such a member is. Only a body that has two of them,
//! or a list of prompts, is passed over a second time.

use std::num::NonZeroU32;

use super::cursor::visit_members;
use crate::wire::endpoint::Endpoint;
use crate::wire::frames::Frames;

/// Bytes of a number that is read, and one that shows its end: a `u64` has 20 digits.
const MAX_NUMBER: usize = 21;
/// Of `completions`: each of several prompts has its own choices.
pub(super) const PROMPT: &str = "prompt";

/// A top-level member that limits the output, or multiplies it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum OutputMember {
    #[default]
    MaxTokens,
    MaxCompletionTokens,
    MaxOutputTokens,
    /// Completions that are made and billed; with `best_of`, the larger number of them.
    Choices,
    BestOf,
}

/// Where such a member is; small, since the scan is moved about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputMembers {
    /// The offset of its value, and which one it is.
    value: Option<NonZeroU32>,
    member: OutputMember,
    /// There is more to read than this.
    needs_visit: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// Tokens that all choices may have together: the largest limit, if there are several,
    /// since providers differ in which one they obey. `None` if the request sets none.
    pub tokens: Option<u64>,
    /// At least 1.
    pub choices: u64,
}

// === impl OutputMember ===

impl OutputMember {
    const ALL: [Self; 5] = [
        Self::MaxTokens,
        Self::MaxCompletionTokens,
        Self::MaxOutputTokens,
        Self::Choices,
        Self::BestOf,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
            Self::MaxOutputTokens => "max_output_tokens",
            Self::Choices => "n",
            Self::BestOf => "best_of",
        }
    }

    /// What providers ignore is no limit: a name of another API.
    const fn is_limit(self, endpoint: Endpoint) -> bool {
        match self {
            Self::MaxTokens => matches!(
                endpoint,
                Endpoint::ChatCompletions | Endpoint::Completions | Endpoint::Messages
            ),
            Self::MaxCompletionTokens => matches!(endpoint, Endpoint::ChatCompletions),
            Self::MaxOutputTokens => matches!(endpoint, Endpoint::Responses),
            Self::Choices | Self::BestOf => false,
        }
    }
}

// === impl OutputMembers ===

impl OutputMembers {
    /// `at` is the offset of the value.
    #[inline]
    pub(super) fn record(&mut self, member: OutputMember, at: usize) {
        let at = u32::try_from(at).ok().and_then(NonZeroU32::new);
        self.needs_visit |= self.value.is_some() || at.is_none();
        self.value = at;
        self.member = member;
    }

    /// There is a list of prompts.
    #[inline]
    pub(super) fn record_prompts(&mut self) {
        self.needs_visit = true;
    }

    fn number(self, body: &Frames) -> Option<u64> {
        let mut text = [0; MAX_NUMBER];
        let found = body.copy_from(self.value?.get() as usize, &mut text);
        let text = text.get(..found)?;
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit());
        let (digits, rest) = text.split_at_checked(digits.count())?;
        // What follows a whole number is no part of it, and there are not too many digits.
        let is_whole = rest.first().is_some_and(|next| !b".eE".contains(next));
        whole_number(digits).filter(|_| is_whole)
    }
}

/// `found` is what the scan of this body has found.
#[must_use]
pub fn output_limit(endpoint: Endpoint, found: &OutputMembers, body: &Frames) -> OutputLimit {
    if found.needs_visit {
        return visit(endpoint, &body.text());
    }
    let number = found.number(body);
    match found.member {
        OutputMember::Choices | OutputMember::BestOf => {
            OutputLimit::new(None, number.unwrap_or(1).max(1))
        }
        member if member.is_limit(endpoint) => OutputLimit::new(number.filter(|it| *it > 0), 1),
        _ => OutputLimit::new(None, 1),
    }
}

fn visit(endpoint: Endpoint, body: &[u8]) -> OutputLimit {
    let mut limit: Option<u64> = None;
    let (mut choices, mut prompts) = (1, 1);
    visit_members(body, |cursor, key| {
        let mut members = OutputMember::ALL.into_iter();
        let member = members.find(|member| cursor.text_eq(key, member.name()));
        if cursor.text_eq(key, PROMPT) && cursor.peek() == Some(b'[') {
            let (mut items, mut are_numbers) = (0, false);
            cursor.array(|cursor| {
                items += 1;
                are_numbers |= cursor.peek().is_some_and(|it| it.is_ascii_digit());
                cursor.skip_value()
            })?;
            // A list of numbers is one prompt of tokens.
            prompts = if are_numbers { 1 } else { items };
            return Ok(());
        }
        let start = cursor.offset();
        cursor.skip_value()?;
        let span = cursor.span_from(start);
        let number = || body.get(span.start..span.end).and_then(whole_number);
        match member {
            Some(OutputMember::Choices | OutputMember::BestOf) => {
                choices = choices.max(number().unwrap_or(1));
            }
            Some(member) if member.is_limit(endpoint) => {
                limit = limit.max(number().filter(|number| *number > 0));
            }
            _ => {}
        }
        Ok(())
    });
    OutputLimit::new(limit, choices.saturating_mul(prompts.max(1)))
}

fn whole_number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

// === impl OutputLimit ===

impl OutputLimit {
    fn new(limit: Option<u64>, choices: u64) -> Self {
        Self {
            tokens: limit.map(|limit| limit.saturating_mul(choices)),
            choices,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{OutputLimit, output_limit, visit};
    use crate::wire::endpoint::Endpoint;
    use crate::wire::frames::Frames;
    use crate::wire::scan::scan_any;

    /// By what the scan has found, in one frame and in one for each byte; a visit finds the
    /// same.
    fn limit_of(endpoint: Endpoint, body: &str) -> OutputLimit {
        let found = scan_any(body.as_bytes()).unwrap().output;
        let bytes = body.bytes().map(|byte| Bytes::from(vec![byte]));
        let split = Frames::from(bytes.collect::<Vec<_>>());
        let whole = Frames::from(Bytes::copy_from_slice(body.as_bytes()));
        let limit = output_limit(endpoint, &found, &whole);
        assert_eq!(output_limit(endpoint, &found, &split), limit, "{body}");
        assert_eq!(visit(endpoint, body.as_bytes()), limit, "{body}");
        limit
    }

    #[test]
    fn finds_the_largest_limit_of_all_choices() {
        for (body, tokens, choices) in [
            (r#"{"model":"m"}"#, None, 1),
            (r#"{"max_tokens":7}"#, Some(7), 1),
            (
                r#"{"max_tokens" : 7 , "max_completion_tokens":5}"#,
                Some(7),
                1,
            ),
            (
                r#"{"n":3,"messages":[{"max_tokens":1}],"max_completion_tokens":10}"#,
                Some(30),
                3,
            ),
            (r#"{"max_tokens":null,"n":null}"#, None, 1),
            (r#"{"max_tokens":1e3,"n":2}"#, None, 2),
            (r#"{"max_tokens":1.5,"n":"3"}"#, None, 1),
            (
                r#"{"max_tokens":18446744073709551615,"n":9}"#,
                Some(u64::MAX),
                9,
            ),
            (r#"{"max_tokens":18446744073709551616}"#, None, 1),
            (r#"{"max_tokens":100000000000000000000000000000}"#, None, 1),
            (r#"{"max_tokens":-1,"n":0}"#, None, 1),
            (r#"{"max_tokens":0}"#, None, 1),
            (r#"{"max_tokens":9,"max_tokens":1}"#, Some(9), 1),
            (r#"{"best_of":5,"n":2,"max_tokens":4}"#, Some(20), 5),
            (r#"{"prompt":["a","b"],"n":2,"max_tokens":4}"#, Some(16), 4),
            (r#"{"prompt":[[1,2],[3]],"max_tokens":4}"#, Some(8), 2),
            (r#"{"prompt":[1,2,3],"max_tokens":4}"#, Some(4), 1),
            (r#"{"prompt":[],"max_tokens":4}"#, Some(4), 1),
            (r#"{"prompt":"text","max_tokens":4}"#, Some(4), 1),
            (r#"{"\u006dax_tokens":4}"#, Some(4), 1),
            ("[1]", None, 1),
        ] {
            let found = limit_of(Endpoint::ChatCompletions, body);
            assert_eq!((found.tokens, found.choices), (tokens, choices), "{body}");
        }
    }

    /// A provider ignores a name of another API, and the output has no limit.
    #[test]
    fn each_api_has_its_own_names() {
        let body = r#"{"max_output_tokens":1,"max_tokens":2,"max_completion_tokens":3}"#;
        for (endpoint, tokens) in [
            (Endpoint::ChatCompletions, Some(3)),
            (Endpoint::Completions, Some(2)),
            (Endpoint::Messages, Some(2)),
            (Endpoint::Responses, Some(1)),
            (Endpoint::ImagesGenerations, None),
        ] {
            assert_eq!(limit_of(endpoint, body).tokens, tokens, "{endpoint:?}");
        }
    }
}
