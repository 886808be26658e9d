//! What a request says of its output: the limits that it sets, and its choices.
//!
//! A second pass over a body that [`super::scan()`] has accepted, made only where a
//! limit of the client counts tokens.

use super::cursor::visit_members;
use crate::wire::endpoint::Endpoint;

/// Completions that are made and billed; with both, the larger number of them.
const CHOICE_NAMES: [&str; 2] = ["n", "best_of"];
/// Of `completions`: each of several prompts has its own choices.
const PROMPT: &str = "prompt";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// Tokens that all choices may have together: the largest limit, if there are several,
    /// since providers differ in which one they obey. `None` if the request sets none.
    pub tokens: Option<u64>,
    /// At least 1.
    pub choices: u64,
}

/// What providers ignore is no limit: a name of another API, or a limit of 0.
fn limit_names(endpoint: Endpoint) -> &'static [&'static str] {
    match endpoint {
        Endpoint::ChatCompletions => &["max_completion_tokens", "max_tokens"],
        Endpoint::Completions | Endpoint::Messages => &["max_tokens"],
        Endpoint::Responses => &["max_output_tokens"],
        _ => &[],
    }
}

#[must_use]
pub fn output_limit(endpoint: Endpoint, body: &[u8]) -> OutputLimit {
    let limit_names = limit_names(endpoint);
    let mut limit: Option<u64> = None;
    let (mut choices, mut prompts) = (1, 1);
    visit_members(body, |cursor, key| {
        let is = |name: &&str| cursor.text_eq(key, name);
        let is_limit = limit_names.iter().any(is);
        let is_choices = !is_limit && CHOICE_NAMES.iter().any(is);
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
        if is_limit || is_choices {
            let span = cursor.span_from(start);
            let number = body.get(span.start..span.end).and_then(whole_number);
            if is_choices {
                choices = choices.max(number.unwrap_or(1));
            } else {
                limit = limit.max(number.filter(|number| *number > 0));
            }
        }
        Ok(())
    });
    let choices = choices.saturating_mul(prompts.max(1));
    OutputLimit {
        tokens: limit.map(|limit| limit.saturating_mul(choices)),
        choices,
    }
}

fn whole_number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::output_limit;
    use crate::wire::endpoint::Endpoint;

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
            (
                r#"{"max_tokens":18446744073709551615,"n":9}"#,
                Some(u64::MAX),
                9,
            ),
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
            let found = output_limit(Endpoint::ChatCompletions, body.as_bytes());
            assert_eq!((found.tokens, found.choices), (tokens, choices), "{body}");
        }
    }

    /// A provider ignores a name of another API, and the output has no limit.
    #[test]
    fn each_api_has_its_own_names() {
        let body = br#"{"max_output_tokens":1,"max_tokens":2,"max_completion_tokens":3}"#;
        for (endpoint, tokens) in [
            (Endpoint::ChatCompletions, Some(3)),
            (Endpoint::Completions, Some(2)),
            (Endpoint::Messages, Some(2)),
            (Endpoint::Responses, Some(1)),
            (Endpoint::ImagesGenerations, None),
        ] {
            assert_eq!(output_limit(endpoint, body).tokens, tokens, "{endpoint:?}");
        }
    }
}
