//! Finds members of JSON text by byte search, without parsing.

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
        self.finder.find_iter(json).filter_map(|at| {
            let (before, found) = json.split_at_checked(at)?;
            if before.last() == Some(&b'\\') {
                return None;
            }
            let rest = found.get(self.finder.needle().len()..)?;
            let value = rest.trim_ascii_start().strip_prefix(b":")?;
            Some(value.trim_ascii_start())
        })
    }

    /// True if a member with this key has a value other than `null`.
    pub(super) fn has_value(&self, json: &[u8]) -> bool {
        self.values(json)
            .any(|value| !value.is_empty() && !value.starts_with(b"null"))
    }
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
    fn null_is_not_set() {
        let key = KeyFinder::new("\"k\"");
        assert!(key.has_value(br#"{"k":null,"a":{"k":false}}"#));
        assert!(!key.has_value(br#"{"k": null}"#));
        assert!(!key.has_value(br#"{"k":"#));
    }
}
