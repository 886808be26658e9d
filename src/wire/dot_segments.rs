//! Dot segments in a path, in every spelling that a server may read as one: it may unescape
//! before it removes them (RFC 3986, section 5.2.4), once or twice, and may take `\` for
//! `/`, or drop what follows `;` in a segment (Jakarta Servlet, "Request URI Path
//! Processing"). With the gateway's key, such a path leads out of the base URL.

use std::borrow::Cow;

use memchr::memchr3;
use percent_encoding::percent_decode;

/// Escaped more often than by any chain of servers.
const MAX_DECODED: usize = 4;

/// Characters beyond ASCII that some servers map to these ("best fit" on Windows, NFKC).
const LOOKALIKES: [(char, &str); 5] = [
    ('\u{ff0e}', "."),
    ('\u{2024}', "."),
    ('\u{2025}', ".."),
    ('\u{ff0f}', "/"),
    ('\u{ff3c}', "\\"),
];

/// Whether a path may be another one to the upstream: by dot segments, by bytes that
/// decoders read differently (overlong UTF-8), or by control characters.
pub(super) fn may_change(path: &str) -> bool {
    let bytes = path.as_bytes();
    if memchr3(b'%', b'\\', b';', bytes).is_none() {
        return has_dot_segment(path);
    }
    bytes.contains(&b'\\') || has_malformed_escape(bytes) || may_change_decoded(path)
}

/// As [`may_change`], for a name that becomes one segment of a path, escaped.
#[must_use]
pub fn is_in_name(name: &str) -> bool {
    may_change_decoded(name)
}

fn may_change_decoded(text: &str) -> bool {
    let mut text = Cow::Borrowed(text);
    for _ in 0..MAX_DECODED {
        if has_dot_segment(&text) || text.bytes().any(|byte| byte.is_ascii_control()) {
            return true;
        }
        let decoded: Cow<'_, [u8]> = percent_decode(text.as_bytes()).into();
        if decoded.len() == text.len() {
            return false;
        }
        let Ok(decoded) = String::from_utf8(decoded.into_owned()) else {
            return true;
        };
        text = Cow::Owned(without_lookalikes(decoded));
    }
    true
}

/// A segment of dots alone; also in front of a parameter, a query or a fragment, and of
/// blanks, which Windows drops.
fn has_dot_segment(text: &str) -> bool {
    text.split(['/', '\\']).any(|segment| {
        let end = segment.find([';', '?', '#']).unwrap_or(segment.len());
        let name = segment.get(..end).unwrap_or_default().trim_ascii_end();
        !name.is_empty() && name.bytes().all(|byte| byte == b'.')
    })
}

/// `%` without two hex digits, as in `%u002e`.
fn has_malformed_escape(path: &[u8]) -> bool {
    let mut escapes = path.split(|byte| *byte == b'%').skip(1);
    escapes.any(|rest| {
        let digits = rest.get(..2);
        !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

fn without_lookalikes(text: String) -> String {
    if text.is_ascii() {
        return text;
    }
    let mut text = text;
    for (lookalike, plain) in LOOKALIKES {
        text = text.replace(lookalike, plain);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{is_in_name, may_change};

    #[test]
    fn a7_every_spelling_of_a_dot_segment_is_found() {
        for path in [
            "/..",
            "/.",
            "/a/../b",
            "/files/%2e%2E/x",
            "/files/..%2f..%2fadmin",
            "/files/..%2Fadmin",
            "/files/%2e%2e%2fadmin",
            "/files/a%2f..",
            "/files/a%2f..%2fb",
            "/files/..%5cadmin",
            "/files/..\\admin",
            "/files\\x",
            "/..;/x",
            "/..;a=b/x",
            "/.;/x",
            "/..%3b/x",
            "/..%3Ba/x",
            "/%2e%2e;/x",
            "/files/%252e%252e/x",
            "/files/..%252f..%252fadmin",
            "/files/%25252e%25252e/x",
            "/files/%c0%ae%c0%ae/x",
            "/files/..%c0%afadmin",
            "/files/..%c1%9cadmin",
            "/files/..%e0%80%afadmin",
            "/files/%25c0%25ae%25c0%25ae/x",
            "/files/%u002e%u002e/x",
            "/files/%ef%bc%8e%ef%bc%8e/x",
            "/files/..%ef%bc%8fadmin",
            "/files/%e2%80%a5/x",
            "/files/..%20/x",
            "/files/..%00/x",
            "/files/a%00",
            "/files/a%0d%0ab",
            "/files/..%3fx",
            "/files/..%23x",
            "/files/.../x",
            "/files/%",
            "/files/%2",
            "/files/%zz",
            "/files/%2525252525252e",
        ] {
            assert!(may_change(path), "{path}");
        }
    }

    /// Each character as it is, or escaped, and its escape sign in turn.
    fn escaped(text: &str, rng: &mut fastrand::Rng, depth: usize) -> String {
        let one = |letter: char| {
            if depth == 0 || rng.bool() {
                return letter.to_string();
            }
            let digits = format!("{:02x}", u32::from(letter));
            let sign = escaped("%", &mut rng.fork(), depth - 1);
            if rng.bool() {
                sign + &digits
            } else {
                sign + &digits.to_uppercase()
            }
        };
        text.chars().map(one).collect()
    }

    #[test]
    fn a7_a_dot_segment_is_found_however_it_is_escaped() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let separator = rng.choice(["/", "\\", ";x/", "?/"]).unwrap();
            let dots = rng.choice(["..", "."]).unwrap();
            let outward = escaped(&format!("/a/{dots}{separator}b"), &mut rng, 3);
            assert!(may_change(&outward), "{outward}");
            let inward = escaped(&format!("/a/x{dots}{separator}b"), &mut rng, 3);
            let is_legal = !inward.contains('\\');
            assert!(!is_legal || !may_change(&inward), "{inward}");
        }
    }

    #[test]
    fn a7_a_legal_path_is_none() {
        for path in [
            "/files/file-1.jsonl",
            "/files/..a",
            "/files/a..",
            "/files/a..b/content",
            "/files/.well-known/x",
            "/models/meta%2Fllama",
            "/models/meta-llama%2FLlama-3.3-70B%2f.hidden",
            "/models/ft:gpt-4o:org::id",
            "/models/100%25",
            "/models/100%2525",
            "/files/a%5Cb",
            "/files/a;v=1/x",
            "/files/a%3Fb%23c",
            "/files/%e4%bd%a0%e5%a5%bd",
            "/files/a%20b",
            "/files/~a/!$&'()*+,=@",
        ] {
            assert!(!may_change(path), "{path}");
        }
    }

    #[test]
    fn a7_a_name_may_not_hold_one_either() {
        for name in [
            "..", ".", "../x", "a/../b", "a\\..", "..;x", "%2e%2e", "a/%2e./b", "a\n",
        ] {
            assert!(is_in_name(name), "{name:?}");
        }
        for name in [
            "gpt-4.1",
            "meta/llama-3",
            "a..b",
            "100%",
            "%zz",
            "Qwen 3",
            "模型",
        ] {
            assert!(!is_in_name(name), "{name:?}");
        }
    }
}
