//! Inspects a response that is one JSON text, while it is forwarded.

use bytes::Bytes;

use super::failure::{Blame, ReportedFailure, is_suspect, may_report_error};
use super::usage::{Usage, UsageTail};

/// The bytes of a byte order mark.
const BOM: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// What an object and a list begin with.
const OPENS: [u8; 2] = *b"{[";

#[derive(Debug, Default)]
pub struct JsonInspector {
    tail: UsageTail,
    len: usize,
    /// The first byte that is not blank.
    first: Option<u8>,
    /// Set at the end. Boxed, as all of this is moved about for each response.
    usage: Option<Box<Usage>>,
    /// Of the failure that it reports.
    blame: Option<Blame>,
    ended: bool,
}

/// What a complete body came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonEnd {
    /// An object or a list, perhaps a broken one, that reports no failure.
    Result,
    /// It says that the request failed.
    Failure,
    /// Not an object, nor a list.
    Other,
    /// Nothing, or nothing but blanks.
    Blank,
}

// === impl JsonInspector ===

impl JsonInspector {
    pub fn feed(&mut self, chunk: &Bytes) {
        self.len += chunk.len();
        if self.first.is_none() {
            self.first = first_byte(chunk);
        }
        self.tail.push(chunk);
    }

    /// True once the body cannot be an object or a list.
    #[must_use]
    pub fn is_other(&self) -> bool {
        self.first.is_some_and(|first| !OPENS.contains(&first))
    }

    /// Call this after the last chunk. Only bodies that are still known as a whole are
    /// searched for a failure: reports are short.
    pub fn end(&mut self) -> JsonEnd {
        self.usage = self.tail.usage().map(Box::new);
        self.ended = true;
        if self.first.is_none() {
            return JsonEnd::Blank;
        }
        if self.is_other() {
            return JsonEnd::Other;
        }
        let kept = self.tail.kept();
        // Where usage is reported, there was a result: only an error beside it counts.
        let is_suspect = kept.len() == self.len
            && match self.usage {
                Some(_) => may_report_error(&kept),
                None => is_suspect(&kept),
            };
        let failure = is_suspect.then(|| ReportedFailure::find(&kept)).flatten();
        match failure {
            Some(failure) => {
                self.blame = Some(failure.blame());
                // Nothing was delivered.
                self.usage = None;
                JsonEnd::Failure
            }
            None => JsonEnd::Result,
        }
    }

    /// Whose fault the failure is, if it reports one.
    #[must_use]
    pub fn blame(&self) -> Option<Blame> {
        self.blame
    }

    /// The usage, once; what has come of it before the end.
    pub fn take_usage(&mut self) -> Option<Box<Usage>> {
        if self.ended {
            self.usage.take()
        } else {
            self.tail.usage().map(Box::new)
        }
    }
}

/// True if the chunk begins with an object or a list.
#[must_use]
pub fn is_json(chunk: &[u8]) -> bool {
    first_byte(chunk).is_some_and(|first| OPENS.contains(&first))
}

/// The first byte that is neither blank nor of a byte order mark.
#[must_use]
pub fn first_byte(chunk: &[u8]) -> Option<u8> {
    let mut bytes = chunk.iter().copied();
    bytes.find(|byte| !byte.is_ascii_whitespace() && !BOM.contains(byte))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{JsonEnd, JsonInspector};

    /// More than is kept.
    const LONG: usize = 100_000;

    fn end(body: &str, step: usize) -> (JsonEnd, Option<u64>) {
        let mut inspector = JsonInspector::default();
        for chunk in body.as_bytes().chunks(step) {
            inspector.feed(&Bytes::copy_from_slice(chunk));
        }
        let before = inspector.take_usage();
        let end = inspector.end();
        let usage = inspector.take_usage();
        assert!(usage == before || end == JsonEnd::Failure);
        (end, usage.and_then(|usage| usage.input))
    }

    #[test]
    fn a_body_is_classified_at_its_end() {
        for (body, expected, input) in [
            (
                r#"{"choices":[{}],"usage":{"prompt_tokens":3}}"#,
                JsonEnd::Result,
                Some(3),
            ),
            (
                r#"{"data":[{"embedding":[1]}],"error":null}"#,
                JsonEnd::Result,
                None,
            ),
            ("\n\n {\"choices\":[{}]}\n", JsonEnd::Result, None),
            ("\u{feff}[]", JsonEnd::Result, None),
            ("{}", JsonEnd::Result, None),
            (r#"{"error":"x"}"#, JsonEnd::Failure, None),
            ("\n{\"detail\":\"x\"}\n", JsonEnd::Failure, None),
            (
                r#"{"status":"failed","error":{"code":"x"},"usage":{"input_tokens":7}}"#,
                JsonEnd::Failure,
                None,
            ),
            ("", JsonEnd::Blank, None),
            ("\n\n \n", JsonEnd::Blank, None),
            ("\u{feff}", JsonEnd::Blank, None),
            ("null", JsonEnd::Other, None),
            ("Bad Gateway", JsonEnd::Other, None),
            ("<html>", JsonEnd::Other, None),
            (
                r#"{"choices":[{"message":{"content":"a}"#,
                JsonEnd::Result,
                None,
            ),
            ("{", JsonEnd::Result, None),
        ] {
            for step in [1, 7, body.len().max(1)] {
                assert_eq!(end(body, step), (expected, input), "{body} by {step}");
            }
        }
    }

    #[test]
    fn a_long_body_is_a_result() {
        let text = "t".repeat(LONG);
        let long = format!(r#"{{"error":"{text}","x":{{"usage":{{"prompt_tokens":9}}}}}}"#);
        assert_eq!(end(&long, 1_000), (JsonEnd::Result, Some(9)));
    }
}
