//! The format of `.env`.
//!
//! There is no standard. This accepts what python-dotenv, Compose and Node accept in
//! common, and a line that has another form costs only itself. A value without quotes
//! goes to the end of its line, or to a `#` after a blank.

use std::collections::BTreeMap;

/// A line that sets nothing.
#[derive(Debug, PartialEq, Eq)]
pub struct DamagedLine<'t> {
    /// From one.
    pub line: usize,
    /// The name that it may have meant to set.
    pub name: &'t str,
    pub problem: &'static str,
}

/// What a file sets, in its order, and the lines that set nothing.
#[derive(Debug, Default)]
pub struct Dotenv<'t> {
    pub variables: Vec<(&'t str, String)>,
    pub damaged: Vec<DamagedLine<'t>>,
}

impl<'t> Dotenv<'t> {
    /// References to variables are resolved by the environment, else by earlier lines.
    pub fn parse<'e>(text: &'t str, environment: impl Fn(&str) -> Option<&'e str>) -> Self {
        let mut parsed = Self::default();
        let mut earlier = BTreeMap::new();
        let (mut rest, mut line) = (text, 1);
        while !rest.is_empty() {
            let set = |name: &str| {
                let own = || earlier.get(name).map(String::as_str);
                environment(name).or_else(own).map(str::to_owned)
            };
            let length = match assignment(rest, set) {
                Ok((Some((name, value)), length)) => {
                    earlier.insert(name, value.clone());
                    parsed.variables.push((name, value));
                    length
                }
                Ok((None, length)) => length,
                Err(problem) => {
                    let name = meant_name(first_line(rest));
                    parsed.damaged.push(DamagedLine {
                        line,
                        name,
                        problem,
                    });
                    first_line(rest).len() + 1
                }
            };
            let (read, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            line += read.matches('\n').count();
            rest = after;
        }
        parsed
    }
}

type Assignment<'t> = Option<(&'t str, String)>;

/// The assignment at the start of `text`, none for a blank line or a comment, and the
/// length with the end of its last line.
fn assignment(
    text: &str,
    set: impl Fn(&str) -> Option<String>,
) -> Result<(Assignment<'_>, usize), &'static str> {
    let line = first_line(text);
    let start = line.trim_start();
    if start.is_empty() || start.starts_with('#') {
        return Ok((None, line.len() + 1));
    }
    let Some((name, value)) = without_export(start).split_once('=') else {
        return Err("has no \"=\" after its name");
    };
    let name = name.trim_end();
    if !is_name(name) {
        return Err("begins with no name of a variable");
    }
    let value = value.trim_start();
    let value_at = line.len() - value.len();
    let (value, length) = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let quoted = text.get(value_at + 1..).unwrap_or_default();
            let (value, length) = quoted_value(quoted, quote, set)?;
            (value, value_at + 1 + length)
        }
        _ => (expand(without_comment(value), false, set), line.len() + 1),
    };
    Ok((Some((name, value)), length))
}

/// The value after an opening quote, and the length to the end of its last line.
fn quoted_value(
    text: &str,
    quote: char,
    set: impl Fn(&str) -> Option<String>,
) -> Result<(String, usize), &'static str> {
    let closing = match quote {
        '"' => unescaped_quote(text),
        _ => text.find(quote),
    };
    let Some((value, after)) = closing.and_then(|at| text.split_at_checked(at)) else {
        return Err("opens a quote that is not closed");
    };
    let after = after.get(1..).unwrap_or_default();
    let behind = first_line(after);
    let comment = behind.trim();
    if !comment.is_empty() && !comment.starts_with('#') {
        return Err("has text after the closing quote");
    }
    let value_text = match quote {
        '"' => expand(value, true, set),
        _ => value.to_owned(),
    };
    Ok((value_text, value.len() + 1 + behind.len() + 1))
}

fn unescaped_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })
}

/// Without the line feed; a CR in front of it counts as a blank.
fn first_line(text: &str) -> &str {
    text.split_once('\n').map_or(text, |(line, _)| line)
}

/// Shells need `export` before a name.
fn without_export(line: &str) -> &str {
    let rest = line
        .strip_prefix("export")
        .map(|rest| (rest, rest.trim_start()));
    match rest {
        Some((rest, name)) if name.len() < rest.len() && !name.starts_with('=') => name,
        _ => line,
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(is_name_byte)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')
}

fn meant_name(line: &str) -> &str {
    let line = without_export(line.trim_start());
    let end = line.bytes().position(|byte| !is_name_byte(byte));
    line.get(..end.unwrap_or(line.len())).unwrap_or_default()
}

fn without_comment(value: &str) -> &str {
    if value.starts_with('#') {
        return "";
    }
    let comment = value.match_indices('#').find(|(at, _)| {
        value
            .get(..*at)
            .is_some_and(|before| before.ends_with([' ', '\t']))
    });
    let end = comment.map_or(value.len(), |(at, _)| at);
    value.get(..end).unwrap_or_default().trim_end()
}

/// Resolves `${NAME}`, `${NAME:-default}`, and `$NAME` of a variable that is set; any
/// other `$` may be part of a key. Other escapes than `\$` count only within quotes.
fn expand(value: &str, is_quoted: bool, set: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find(['\\', '$']) {
        let (before, special) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let (replacement, length) = if special.starts_with('\\') {
            let escaped = special
                .chars()
                .nth(1)
                .and_then(|it| unescaped(it, is_quoted));
            (escaped.map(String::from), 2)
        } else {
            reference(special, &set)
        };
        let length = if replacement.is_some() { length } else { 1 };
        let (read, after) = special.split_at_checked(length).unwrap_or((special, ""));
        out.push_str(replacement.as_deref().unwrap_or(read));
        rest = after;
    }
    out + rest
}

fn unescaped(escaped: char, is_quoted: bool) -> Option<char> {
    match escaped {
        '$' => Some('$'),
        _ if !is_quoted => None,
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        '\\' | '\'' | '"' | ' ' => Some(escaped),
        _ => None,
    }
}

/// The value of the reference that `text` begins with, and its length.
fn reference(text: &str, set: impl Fn(&str) -> Option<String>) -> (Option<String>, usize) {
    let name = text.get(1..).unwrap_or_default();
    if let Some((expression, _)) = name.strip_prefix('{').and_then(|it| it.split_once('}')) {
        let (name, default) = expression.split_once(":-").unwrap_or((expression, ""));
        let value = set(name).unwrap_or_else(|| default.to_owned());
        return (Some(value), expression.len() + 3);
    }
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let length = name.bytes().take_while(|byte| is_part(*byte)).count();
    let name = name.get(..length).filter(|name| is_name(name));
    (name.and_then(set), length + 1)
}

#[cfg(test)]
mod tests {
    use super::{DamagedLine, Dotenv};

    fn parse(text: &str) -> Dotenv<'_> {
        Dotenv::parse(text, |name| (name == "HOME").then_some("/root"))
    }

    /// Each agrees with python-dotenv 1.2 unless it says otherwise.
    #[test]
    fn s6_values_are_what_other_readers_make_of_them() {
        for (text, expected) in [
            ("A=Hello big world", "Hello big world"),
            (
                "A=https://a.com, https://b.com",
                "https://a.com, https://b.com",
            ),
            ("A={\"a\": 1}", "{\"a\": 1}"),
            ("A=it's", "it's"),
            ("A=it's and that's", "it's and that's"),
            ("A=a\"b c\"d", "a\"b c\"d"),
            ("A = b", "b"),
            ("  A=b  ", "b"),
            ("A=x\ty", "x\ty"),
            ("A==b", "=b"),
            ("A=", ""),
            ("A=b\r", "b"),
            ("export A=b", "b"),
            ("export\tA = b", "b"),
            ("A=b # c", "b"),
            ("A=b\t# c", "b"),
            ("A=b#c", "b#c"),
            ("A=b#c d # e", "b#c d"),
            ("A= # c", ""),
            // python-dotenv: "# c", which no key begins with.
            ("A=# c", ""),
            ("A='b' # c", "b"),
            ("A=\"#b\"", "#b"),
            ("A='b # c'", "b # c"),
            ("A='a\\nb'", "a\\nb"),
            ("A=\"a\\nb\\\"c\\\\\"", "a\nb\"c\\"),
            ("A=\"C:\\dir\"", "C:\\dir"),
            ("A=C:\\new", "C:\\new"),
            ("A=\"a\nb\n\"", "a\nb\n"),
            ("A='a\r\nb' # c", "a\r\nb"),
            ("A=${HOME}/x", "/root/x"),
            ("A=\"${HOME}\"", "/root"),
            ("A=${NO}x", "x"),
            ("A=${NO:-b c}", "b c"),
            ("A=${open", "${open"),
            ("A=pa$$word$5", "pa$$word$5"),
            // python-dotenv resolves within single quotes too; shells do not.
            ("A='${HOME}'", "${HOME}"),
            // As in a shell: python-dotenv resolves with braces only.
            ("A=$HOME/x", "/root/x"),
            ("A=\\$HOME", "$HOME"),
            ("A=\"\\${HOME}\"", "${HOME}"),
        ] {
            let parsed = parse(text);
            assert_eq!(parsed.variables, [("A", expected.to_owned())], "{text:?}");
            assert!(parsed.damaged.is_empty(), "{text:?}");
        }
    }

    #[test]
    fn lines_follow_each_other() {
        let parsed = parse("# c\n\nA=\nB='x\ny'\r\nC=${B}\nexport=1\nD.e_1=2");
        let expected = [
            ("A", ""),
            ("B", "x\ny"),
            ("C", "x\ny"),
            ("export", "1"),
            ("D.e_1", "2"),
        ];
        let expected = expected.map(|(name, value)| (name, value.to_owned()));
        assert_eq!(parsed.variables, expected);
        assert!(parsed.damaged.is_empty());
    }

    #[test]
    fn s6_a_line_of_another_form_costs_only_itself() {
        for (line, name, problem) in [
            ("NOVALUE", "NOVALUE", "has no \"=\" after its name"),
            ("export NOVALUE", "NOVALUE", "has no \"=\" after its name"),
            ("A: b", "A", "has no \"=\" after its name"),
            ("A b", "A", "has no \"=\" after its name"),
            ("bad-name=1", "bad", "begins with no name of a variable"),
            ("1A=1", "1A", "begins with no name of a variable"),
            ("=b", "", "begins with no name of a variable"),
            ("A b=1", "A", "begins with no name of a variable"),
            ("A='b", "A", "opens a quote that is not closed"),
            ("A=\"b\\\"", "A", "opens a quote that is not closed"),
            ("A='b'c", "A", "has text after the closing quote"),
            ("A=\"b\" c", "A", "has text after the closing quote"),
        ] {
            let text = format!("X=1\n\n{line}\nB=2\n");
            let parsed = parse(&text);
            let expected = [("X", "1".to_owned()), ("B", "2".to_owned())];
            assert_eq!(parsed.variables, expected, "{line:?}");
            let damaged = DamagedLine {
                line: 3,
                name,
                problem,
            };
            assert_eq!(parsed.damaged, [damaged], "{line:?}");
        }
    }

    #[test]
    fn any_text_is_read() {
        for text in [
            "",
            "\n",
            "=",
            "A",
            "A=\"",
            "A='",
            "é=é",
            "A=é$é\\é",
            "A=${",
            "\u{feff}",
            "A=\"é\\",
        ] {
            for cut in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
                let parsed = parse(&text[..cut]);
                assert!(
                    parsed.variables.len() + parsed.damaged.len() <= 1,
                    "{text:?}"
                );
            }
        }
    }
}
