//! Mistakes in the text of a key. A provider would reject the request and could not say
//! why. No message quotes the text.

use memchr::memmem;
use zeroize::Zeroizing;

use crate::config::file;

/// Parts of the words in the place of a key, in lower case and with `-` for `_`.
const PLACEHOLDERS: [&str; 10] = [
    "...",
    "your-api-key",
    "your-key",
    "your-token",
    "api-key-here",
    "key-here",
    "changeme",
    "change-me",
    "replaceme",
    "replace-me",
];

/// Beginnings of paths and URLs.
const LOCATIONS: [&str; 10] = [
    "/run/", "/etc/", "/var/", "/home/", "/mnt/", "./", "../", "~/", "http://", "https://",
];

/// Why it cannot be a key, and the cure.
pub fn error(key: &str) -> Option<&'static str> {
    Some(if key.is_empty() {
        "the key is empty; set it, or remove this line"
    } else if let Some(cure) = file::encoding_error(key.as_bytes()) {
        cure
    } else if key.contains(['\n', '\r']) {
        "the key contains a line break; keep one line, with the key alone"
    } else if is_quoted(key) {
        "the key is in quotes, which would be sent with it; remove them"
    } else if is_assignment(key) {
        "this is a line of the form NAME=value; keep only the value"
    } else if key
        .get(..7)
        .is_some_and(|start| start.eq_ignore_ascii_case("bearer "))
    {
        "the key begins with \"Bearer\", which is added to it; remove that word"
    } else if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        "the key contains a space or another character that is invalid in a header; copy it again"
    } else {
        return None;
    })
}

/// Why it is probably not the key that is meant, and the cure.
pub fn doubt(key: &str) -> Option<&'static str> {
    if is_placeholder(key) {
        Some("the key looks like a placeholder; write the key in its place")
    } else if is_variable(key) {
        Some(
            "the key looks like the name of a variable; write its value, or name it in api_key_env",
        )
    } else if LOCATIONS.iter().any(|start| key.starts_with(start)) {
        Some("the key looks like a path or a URL; write the key, or name its file in api_key_file")
    } else {
        None
    }
}

fn is_quoted(key: &str) -> bool {
    let in_quotes = |quote| key.len() > 1 && key.starts_with(quote) && key.ends_with(quote);
    ['"', '\'', '`'].into_iter().any(in_quotes)
}

/// A line of `.env`. Keys in base64 have `=` at their end only.
fn is_assignment(key: &str) -> bool {
    let Some((name, value)) = key.split_once('=') else {
        return false;
    };
    let name = name.strip_prefix("export ").unwrap_or(name).trim();
    is_capitals(name) && !value.trim_matches('=').is_empty()
}

fn is_capitals(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    name.starts_with(|first: char| first.is_ascii_uppercase()) && name.bytes().all(plain)
}

fn is_placeholder(key: &str) -> bool {
    let mut text = Zeroizing::new(key.as_bytes().to_ascii_lowercase());
    for byte in text.iter_mut().filter(|byte| **byte == b'_') {
        *byte = b'-';
    }
    // Behind a prefix such as "sk-".
    let last = text.rsplit(|byte| *byte == b'-').next();
    let is_crossed_out =
        |part: &[u8]| part.len() >= 3 && part.iter().all(|byte| matches!(byte, b'x' | b'*'));
    last.is_some_and(is_crossed_out)
        || key.starts_with('<') && key.ends_with('>')
        || key.starts_with("{{")
        || PLACEHOLDERS
            .iter()
            .any(|part| memmem::find(&text, part.as_bytes()).is_some())
}

/// `$NAME`, `${NAME}`, `%NAME%`, or the name of a variable that would hold a key.
fn is_variable(key: &str) -> bool {
    let expanded = key.strip_prefix('$').map(|name| {
        let inner = name
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'));
        inner.unwrap_or(name)
    });
    let percent = key
        .strip_prefix('%')
        .and_then(|name| name.strip_suffix('%'));
    let endings = ["_API_KEY", "_KEY", "_TOKEN", "_SECRET"];
    expanded.or(percent).is_some_and(is_capitals)
        || is_capitals(key) && endings.iter().any(|ending| key.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::{doubt, error};

    #[test]
    fn wo04_what_no_provider_takes_is_an_error() {
        for (key, expected) in [
            ("", "empty"),
            ("sk-a\n", "line break"),
            ("sk-a\nsk-b", "line break"),
            ("sk-a\r", "line break"),
            ("\u{feff}sk-a", "byte order mark"),
            ("\"sk-a\"", "quotes"),
            ("'sk-a'", "quotes"),
            ("`sk-a`", "quotes"),
            ("\"\"", "quotes"),
            ("OPENAI_API_KEY=sk-a", "NAME=value"),
            ("OPENAI_API_KEY = sk-a", "NAME=value"),
            ("export OPENAI_API_KEY=sk-a", "NAME=value"),
            ("KEY=\"sk-a\"", "NAME=value"),
            ("Bearer sk-a", "\"Bearer\""),
            ("bearer sk-a", "\"Bearer\""),
            ("sk-a ", "a space"),
            ("sk\u{200b}a", "another character"),
            ("sk-a\0", "another character"),
            ("\u{201c}sk-a\u{201d}", "another character"),
        ] {
            let text = error(key).unwrap_or_else(|| panic!("{key:?} is accepted"));
            assert!(text.contains(expected), "{key:?}: {text}");
        }
    }

    #[test]
    fn what_is_probably_no_key_is_a_doubt() {
        for key in [
            "<your-key>",
            "<key>",
            "sk-...",
            "sk-xxxx",
            "gsk_XXXXXXXX",
            "xxx",
            "sk-****",
            "changeme",
            "CHANGE_ME",
            "YOUR_API_KEY",
            "your-api-key-here",
            "sk-your-key",
            "{{key}}",
        ] {
            assert!(
                doubt(key).is_some_and(|text| text.contains("placeholder")),
                "{key}"
            );
        }
        for key in [
            "$OPENAI_API_KEY",
            "${OPENAI_API_KEY}",
            "%KEY%",
            "OPENAI_API_KEY",
            "HF_TOKEN",
        ] {
            let text = doubt(key);
            assert!(text.is_some_and(|text| text.contains("variable")), "{key}");
        }
        for key in ["/run/secrets/key", "./key", "https://api.example.com/v1"] {
            let text = doubt(key);
            assert!(text.is_some_and(|text| text.contains("path")), "{key}");
        }
    }

    #[test]
    fn keys_and_the_words_of_local_servers_raise_no_doubt() {
        for key in [
            "sk-proj-Ab3_xY-9zT",
            "gsk_0123456789abcdefABCDEF",
            "AIzaSyA-1234_5678",
            "QUJDREVGRw==",
            "ABC=",
            "a1b2c3d4e5f60718293a4b5c6d7e8f90",
            "eyJhbGciOiJIUzI1NiJ9.e30.x-x",
            "/9j/4AAQSkZJRg==",
            "EMPTY",
            "none",
            "dummy",
            "no-key",
            "ollama",
            "lm-studio",
            "sk-1234",
            "key=value",
            "k",
            "$2b$12$abcdef",
            "xx",
            "\"",
            "AKIAIOSFODNN7EXAMPLE",
        ] {
            assert_eq!((error(key), doubt(key)), (None, None), "{key}");
        }
    }
}
