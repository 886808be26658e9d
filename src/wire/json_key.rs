//! Finds members of JSON text by byte search, without parsing.

use std::iter;

use memchr::memmem::Finder;

/// Finds the members with one key.
///
/// A match inside a string is impossible: there, quotes are escaped, so the
/// closing quote of the key would follow a backslash, as would the opening one.
/// A string value that equals the key has no colon after it.
pub(super) struct KeyFinder {
    finder: Finder<'static>,
}

impl KeyFinder {
    /// `key` includes its quotes.
    pub(super) fn new(key: &'static str) -> Self {
        Self {
            finder: Finder::new(key),
        }
    }

    /// The text after the colon of each member with this key, at any depth.
    pub(super) fn values<'j>(&self, json: &'j [u8]) -> impl Iterator<Item = &'j [u8]> {
        let needle = self.finder.needle().len();
        let mut from = 0;
        // `find_iter` would copy the finder.
        let found = iter::from_fn(move || {
            let at = from + self.finder.find(json.get(from..)?)?;
            from = at + needle;
            Some(at)
        });
        found.filter_map(move |at| {
            let (before, found) = json.split_at_checked(at)?;
            if before.last() == Some(&b'\\') {
                return None;
            }
            let rest = found.get(needle..)?;
            let value = rest.trim_ascii_start().strip_prefix(b":")?;
            Some(value.trim_ascii_start())
        })
    }

    /// True if a member with this key has a value that is not empty.
    pub(super) fn has_value(&self, json: &[u8]) -> bool {
        self.values(json).any(|value| !is_empty(value))
    }
}

/// True if `json` begins with an empty value, which stands for none: `null`, `false`,
/// `""`, `[]` or `{}`.
pub(super) fn is_empty(json: &[u8]) -> bool {
    let (end, rest) = match json.split_first() {
        Some((b'n' | b'f', _)) => return json.starts_with(b"null") || json.starts_with(b"false"),
        Some((b'"', rest)) => (b'"', rest),
        Some((b'[', rest)) => (b']', rest),
        Some((b'{', rest)) => (b'}', rest),
        other => return other.is_none(),
    };
    rest.trim_ascii_start().first() == Some(&end)
}

#[cfg(test)]
mod tests {
    use super::KeyFinder;

    #[test]
    fn finds_members_only() {
        let key = KeyFinder::new("\"k\"");
        let values = |json: &'static str| key.values(json.as_bytes()).collect::<Vec<_>>();
        assert_eq!(values(r#"{"k":1}"#), [b"1}"]);
        assert_eq!(values("{\"a\":{\"k\" \n: \t1}}"), [b"1}}"]);
        assert_eq!(values(r#"{"k":1,"k":2}"#).len(), 2);
        for other in [
            r#"{"a":"k"}"#,
            r#"["k"]"#,
            r#"{"kk":1}"#,
            r#"{"a":"\"k\":1"}"#,
            r#"{"a\"k":1}"#,
            r#"{"\"k":1}"#,
            r#"{"k""#,
        ] {
            assert_eq!(values(other).len(), 0, "{other}");
        }
    }

    #[test]
    fn wu01_an_empty_value_is_not_set() {
        let key = KeyFinder::new("\"k\"");
        for empty in ["null", "false", "\"\"", "\" \"", "[]", "[ ]", "{}", "{\n}"] {
            for json in [format!("{{\"k\":{empty}}}"), format!("{{\"k\" : {empty} ,")] {
                assert!(!key.has_value(json.as_bytes()), "{json}");
            }
        }
        for set in ["true", "\"stop\"", "0", "1", "[1]", "{\"a\":1}", "\"\\\"\""] {
            let json = format!("{{\"k\":null,\"a\":{{\"k\":{set}}}}}");
            assert!(key.has_value(json.as_bytes()), "{json}");
        }
        assert!(!key.has_value(br#"{"k":"#));
    }
}
