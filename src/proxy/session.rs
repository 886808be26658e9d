//! The session that a client names in a header.

use http::{HeaderMap, HeaderName, HeaderValue};

/// A longer value names no session.
const MAX_LENGTH: usize = 128;

/// The first of these headers that is there.
pub(super) fn named<'h>(names: &[HeaderName], headers: &'h HeaderMap) -> Option<&'h HeaderValue> {
    let mut values = names.iter().filter_map(|name| headers.get(name));
    values.find(|value| !value.is_empty())
}

/// The same, if it can forge nothing in a line of the log.
pub(super) fn for_log<'h>(names: &[HeaderName], headers: &'h HeaderMap) -> Option<&'h str> {
    let value = named(names, headers)?.as_bytes();
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    let fits = value.len() <= MAX_LENGTH && value.iter().all(is_plain);
    std::str::from_utf8(value).ok().filter(|_| fits)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::{for_log, named};

    #[test]
    fn the_first_header_that_is_there_names_the_session() {
        let names = ["x-claude-code-session-id", "session-id"].map(HeaderName::from_static);
        let session = |headers: &[(&'static str, &[u8])]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, HeaderValue::from_bytes(value).unwrap());
            }
            let logged = for_log(&names, &map).map(str::to_owned);
            (named(&names, &map).is_some(), logged)
        };
        let logged = |text: &str| (true, Some(text.to_owned()));
        assert_eq!(session(&[]), (false, None));
        assert_eq!(session(&[("session-id", b"b")]), logged("b"));
        let both: [(_, &[u8]); 2] = [("session-id", b"b"), ("x-claude-code-session-id", b"a-1")];
        assert_eq!(session(&both), logged("a-1"));
        let empty: [(_, &[u8]); 2] = [("session-id", b"b"), ("x-claude-code-session-id", b"")];
        assert_eq!(session(&empty), logged("b"));
        for odd in [&b"a b"[..], b"a\"b", b"a\\b", b"\xe4", &[b'x'; 129]] {
            assert_eq!(session(&[("session-id", odd)]), (true, None));
        }
        assert_eq!(
            session(&[("session-id", &[b'x'; 128])]).1.unwrap().len(),
            128
        );
    }
}
