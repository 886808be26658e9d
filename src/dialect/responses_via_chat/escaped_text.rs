//! A JSON string that arrives in parts.
//!
//! Clients decode each event by itself, and some fail at half a surrogate pair (Codex
//! drops an event that `serde_json` rejects).

use std::fmt::Write;

use crate::dialect::text::Text;

/// In place of half a surrogate pair.
const REPLACEMENT: &str = "\\ufffd";

#[derive(Debug, Default)]
pub(super) struct EscapedText {
    /// An escape whose end has not arrived.
    escape: Vec<u8>,
    /// The first half of a surrogate pair.
    high: Option<u16>,
}

/// The text is no JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidEscape;

// === impl EscapedText ===

impl EscapedText {
    /// The same text, which is a string by itself, but for half a pair at its end: that
    /// is put before the next one.
    pub(super) fn join<'t>(&mut self, text: Text<'t>) -> Option<Text<'t>> {
        let escaped = text.escaped();
        let may_be_half = || escaped.contains("\\ud") || escaped.contains("\\uD");
        if self.high.is_none() && !(escaped.contains('\\') && may_be_half()) {
            return Some(text);
        }
        let mut out = String::new();
        self.push(escaped.as_bytes(), &mut out).ok()?;
        Text::concat(&[&out])
    }

    /// What stands for half a pair whose other half has not come.
    pub(super) fn finish(&mut self) -> Option<Text<'static>> {
        let mut out = String::new();
        self.end_pair(&mut out);
        (!out.is_empty()).then(|| Text::concat(&[&out]))?
    }

    /// Appends the text, as far as it is complete. True once its quote has arrived.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut String) -> Result<bool, InvalidEscape> {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            if !self.escape.is_empty() {
                self.escape.push(byte);
                self.end_escape(out)?;
                rest = after;
                continue;
            }
            match byte {
                b'"' => {
                    self.end_pair(out);
                    return Ok(true);
                }
                b'\\' => {
                    self.escape.push(byte);
                    rest = after;
                }
                _ => {
                    let (run, after) = rest.split_at(plain_run(rest));
                    rest = self.push_plain(run, after, out);
                }
            }
        }
        Ok(false)
    }

    /// Characters without a meaning to JSON, and what follows them.
    fn push_plain<'r>(&mut self, run: &[u8], after: &'r [u8], out: &mut String) -> &'r [u8] {
        if !run.is_empty() {
            self.end_pair(out);
            out.push_str(&String::from_utf8_lossy(run));
            return after;
        }
        match after {
            // Half a surrogate pair (see `Text::decode_into`).
            [0xED, middle @ 0xA0..=0xBF, last, after @ ..] => {
                let unit = 0xD000 | u16::from(middle & 0x3F) << 6 | u16::from(last & 0x3F);
                self.push_unit(unit, out);
                after
            }
            // A control character, which is invalid in JSON.
            [control, after @ ..] => {
                self.push_unit(u16::from(*control), out);
                after
            }
            [] => after,
        }
    }

    fn end_escape(&mut self, out: &mut String) -> Result<(), InvalidEscape> {
        match *self.escape {
            [_, b'u'] => return Ok(()),
            [_, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't'] => {
                self.end_pair(out);
                out.push_str(&String::from_utf8_lossy(&self.escape));
            }
            [_, b'u', ref digits @ ..] if digits.iter().all(u8::is_ascii_hexdigit) => {
                if digits.len() < 4 {
                    return Ok(());
                }
                let digits = String::from_utf8_lossy(digits);
                let unit = u16::from_str_radix(&digits, 16).map_err(|_| InvalidEscape)?;
                self.push_unit(unit, out);
            }
            _ => return Err(InvalidEscape),
        }
        self.escape.clear();
        Ok(())
    }

    /// A unit of UTF-16.
    fn push_unit(&mut self, unit: u16, out: &mut String) {
        let high = self.high.take();
        // Writing to a string cannot fail.
        let _ = match (high, unit) {
            (Some(high), 0xDC00..=0xDFFF) => write!(out, "\\u{high:04x}\\u{unit:04x}"),
            (None, 0xDC00..=0xDFFF) => write!(out, "{REPLACEMENT}"),
            (_, 0xD800..=0xDBFF) => {
                self.high = Some(unit);
                high.map_or(Ok(()), |_| write!(out, "{REPLACEMENT}"))
            }
            (Some(_), _) => write!(out, "{REPLACEMENT}\\u{unit:04x}"),
            (None, _) => write!(out, "\\u{unit:04x}"),
        };
    }

    fn end_pair(&mut self, out: &mut String) {
        if self.high.take().is_some() {
            out.push_str(REPLACEMENT);
        }
    }
}

/// Length of what can be copied.
fn plain_run(bytes: &[u8]) -> usize {
    let is_special = |pair: &[u8]| match *pair {
        [b'"' | b'\\' | 0..=0x1F, ..] => true,
        [0xED, middle, ..] => middle >= 0xA0,
        _ => false,
    };
    (0..bytes.len())
        .find(|at| bytes.get(*at..).is_some_and(is_special))
        .unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::EscapedText;
    use crate::dialect::text::Text;

    #[test]
    fn each_part_is_a_string_by_itself() {
        for (parts, expected) in [
            (vec!["a", "b\\n"], vec!["a", "b\\n", ""]),
            (
                vec!["a\\uD83D", "\\uDE00b"],
                vec!["a", "\\ud83d\\ude00b", ""],
            ),
            (vec!["\\ud83d", "", "x"], vec!["", "", "\\ufffdx", ""]),
            (vec!["\\ude00"], vec!["\\ufffd", ""]),
            (vec!["x\\ud83d"], vec!["x", "\\ufffd"]),
            // A backslash, and letters.
            (
                vec!["\\\\ud83d", "\\\\ude00"],
                vec!["\\\\ud83d", "\\\\ude00", ""],
            ),
        ] {
            let mut text = EscapedText::default();
            let mut found: Vec<String> = Vec::new();
            for part in &parts {
                let part = Text::concat(&[part]).unwrap();
                let joined = text.join(part).unwrap();
                assert!(joined.decode().is_some());
                found.push(joined.escaped().to_owned());
            }
            let rest = text.finish();
            found.push(rest.as_ref().map_or("", Text::escaped).to_owned());
            assert_eq!(found, expected);
        }
    }
}
