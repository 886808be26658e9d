//! Finds members in JSON text by byte search, without parsing it.

use memchr::memmem::Finder;

/// The key of a member, with its quotes.
///
/// It cannot be met inside a string: there, a quote is escaped, so the closing
/// quote of the key would have a backslash before it, and the opening quote as
/// well. A string value that equals the key has no colon behind it.
pub(super) struct Key {
    finder: Finder<'static>,
}

impl Key {
    /// For a `key` given with its quotes.
    pub(super) fn new(key: &'static str) -> Self {
        Self {
            finder: Finder::new(key),
        }
    }

    /// What follows the colon of each member with this key, at any depth.
    pub(super) fn values<'j>(&self, json: &'j [u8]) -> impl Iterator<Item = &'j [u8]> {
        self.finder.find_iter(json).filter_map(|at| {
            let (before, found) = json.split_at_checked(at)?;
            if before.last() == Some(&b'\\') {
                return None;
            }
            let behind = found.get(self.finder.needle().len()..)?;
            let value = behind.trim_ascii_start().strip_prefix(b":")?;
            Some(value.trim_ascii_start())
        })
    }

    /// Whether a member with this key has a value other than `null`.
    pub(super) fn is_set(&self, json: &[u8]) -> bool {
        self.values(json)
            .any(|value| !value.is_empty() && !value.starts_with(b"null"))
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn finds_members_only() {
        let key = Key::new("\"k\"");
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
        let key = Key::new("\"k\"");
        assert!(key.is_set(br#"{"k":null,"a":{"k":false}}"#));
        assert!(!key.is_set(br#"{"k": null}"#));
        assert!(!key.is_set(br#"{"k":"#));
    }
}
