//! The limits of its output that a request sets.
//!
//! A second pass over a body that [`super::scan()`] has accepted, made only where a
//! limit of the client counts tokens.

use super::cursor::visit_members;

/// Chat completions have two names, Messages the second; Responses has the third.
const LIMIT_NAMES: [&str; 3] = ["max_completion_tokens", "max_tokens", "max_output_tokens"];
const CHOICES: &str = "n";

/// Tokens that all choices of the response may have together. `None` if the request sets
/// no limit.
#[must_use]
pub fn max_output_tokens(body: &[u8]) -> Option<u64> {
    let mut limit: Option<u64> = None;
    let mut choices = 1;
    visit_members(body, |cursor, key| {
        let is_limit = LIMIT_NAMES.iter().any(|name| cursor.text_eq(key, name));
        let is_choices = !is_limit && cursor.text_eq(key, CHOICES);
        let start = cursor.offset();
        cursor.skip_value()?;
        if is_limit || is_choices {
            let span = cursor.span_from(start);
            let number = body.get(span.start..span.end).and_then(whole_number);
            if is_choices {
                choices = number.unwrap_or(1).max(1);
            } else if let Some(number) = number {
                limit = Some(limit.map_or(number, |other| other.min(number)));
            }
        }
        Ok(())
    });
    limit.map(|limit| limit.saturating_mul(choices))
}

fn whole_number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::max_output_tokens;

    #[test]
    fn finds_the_smallest_limit_of_all_choices() {
        for (body, expected) in [
            (r#"{"model":"m"}"#, None),
            (r#"{"max_tokens":7}"#, Some(7)),
            (r#"{"max_tokens" : 7 , "max_completion_tokens":5}"#, Some(5)),
            (
                r#"{"n":3,"messages":[{"max_tokens":1}],"max_output_tokens":10}"#,
                Some(30),
            ),
            (r#"{"max_tokens":null,"n":null}"#, None),
            (r#"{"max_tokens":1e3}"#, None),
            (
                r#"{"max_tokens":18446744073709551615,"n":9}"#,
                Some(u64::MAX),
            ),
            (r#"{"max_tokens":-1,"n":0}"#, None),
        ] {
            assert_eq!(max_output_tokens(body.as_bytes()), expected, "{body}");
        }
    }
}
