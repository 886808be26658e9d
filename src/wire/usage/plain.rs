//! Reads a `usage` object that has nothing but counts, as most have, without a parser.

use super::UsageReport;
use super::parse::Member;

/// No count that is valid has more.
const MAX_DIGITS: usize = 12;

/// What follows of the JSON text.
struct Reader<'j>(&'j [u8]);

// === impl UsageReport ===

impl UsageReport {
    /// Adds the counts of the object at the start of `json`. `None`, with a part of them
    /// added, if anything in it is not a whole number, `null`, or details of these: that
    /// is left to [`Self::parse_any`], with which this agrees.
    pub(super) fn read_plain(&mut self, json: &[u8]) -> Option<()> {
        Reader(json).object(|reader, member| {
            if member.has_details() && reader.0.starts_with(b"{") {
                let mut details = Self::default();
                reader.object(|reader, member| details.read_count(reader, &member))?;
                self.record_details(&member, &details);
                return Some(());
            }
            self.read_count(reader, &member)
        })
    }

    fn read_count(&mut self, reader: &mut Reader<'_>, member: &Member) -> Option<()> {
        if let Some(rest) = reader.0.strip_prefix(b"null") {
            reader.0 = rest;
        } else {
            self.record_count(member, reader.number()?);
        }
        Some(())
    }
}

// === impl Reader ===

impl Reader<'_> {
    /// Calls `read` at the value of each member.
    fn object(&mut self, mut read: impl FnMut(&mut Self, Member) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        if self.skip(b'}') {
            return Some(());
        }
        loop {
            let member = self.key()?;
            self.expect(b':')?;
            self.skip_blanks();
            read(self, member)?;
            if self.skip(b'}') {
                return Some(());
            }
            self.expect(b',')?;
        }
    }

    fn key(&mut self) -> Option<Member> {
        self.expect(b'"')?;
        let (name, rest) = self.0.split_at_checked(memchr::memchr(b'"', self.0)?)?;
        self.0 = rest.get(1..)?;
        let member = Member::from_name(name)?;
        let is_known = !matches!(member, Member::Unknown);
        // An escape may have hidden the name, and it may be no valid string.
        let is_plain = |byte: &u8| byte.is_ascii_graphic() && *byte != b'\\';
        (is_known || name.iter().all(is_plain)).then_some(member)
    }

    fn number(&mut self) -> Option<u64> {
        let is_end = |byte: &u8| !byte.is_ascii_digit();
        let len = self.0.iter().position(is_end)?;
        let (digits, rest) = self.0.split_at_checked(len)?;
        if len > MAX_DIGITS || len != 1 && digits.first().is_none_or(|first| *first == b'0') {
            return None;
        }
        self.0 = rest;
        let number = digits
            .iter()
            .fold(0, |sum, digit| sum * 10 + u64::from(digit & 0xF));
        Some(number)
    }

    fn skip_blanks(&mut self) {
        while let Some((b' ' | b'\t' | b'\n' | b'\r', rest)) = self.0.split_first() {
            self.0 = rest;
        }
    }

    fn skip(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        match self.0.split_first() {
            Some((first, rest)) if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.skip(byte).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use crate::wire::usage::UsageReport;

    fn read(json: &str) -> Option<UsageReport> {
        let mut report = UsageReport::default();
        report.read_plain(json.as_bytes())?;
        Some(report)
    }

    #[test]
    fn counts_are_read_without_the_parser() {
        for json in [
            "{}",
            r#"{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}"#,
            r#"{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,
            "prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},
            "completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,
            "accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},"x":"#,
            r#"{ "input_tokens" : 1 , "output_tokens_details":null, "own-name" : 999999999999 }"#,
            r#"{"cache_creation":{"ephemeral_5m_input_tokens":20},"num_sources_used":1,"tier":null}"#,
        ] {
            let report = read(json);
            assert!(report.is_some(), "{json}");
            assert_eq!(report, UsageReport::parse_any(json.as_bytes()), "{json}");
        }
    }

    #[test]
    fn all_else_is_left_to_the_parser() {
        for json in [
            "",
            "{",
            "[]",
            r#"{"prompt_tokens"}"#,
            r#"{"prompt_tokens":}"#,
            r#"{"prompt_tokens":1"#,
            r#"{"prompt_tokens":1,}"#,
            r#"{"prompt_tokens":1 2}"#,
            r#"{"prompt_tokens":01}"#,
            r#"{"prompt_tokens":-1}"#,
            r#"{"prompt_tokens":1.0}"#,
            r#"{"prompt_tokens":1e2}"#,
            r#"{"prompt_tokens":1000000000000}"#,
            r#"{"prompt_tokens":"1"}"#,
            r#"{"prompt_tokens":true}"#,
            r#"{"prompt_tokens":[1]}"#,
            r#"{"prompt_tokens":{}}"#,
            r#"{"prompt_tokens":nullx}"#,
            r#"{"service_tier":"default"}"#,
            r#"{"own_name":{}}"#,
            r#"{"own\u005fname":1}"#,
            "{\"own\u{e4}name\":1}",
            r#"{"prompt_tokens_details":{"prompt_tokens_details":{}}}"#,
        ] {
            assert_eq!(read(json), None, "{json}");
        }
    }

    proptest! {
        #[test]
        fn both_readers_agree(parts in vec(select(vec![
            "{", "}", "{", "}", ",", ",", ":", " ", "\n", "0", "7", "12", "1.5", "-", "null",
            "\"prompt_tokens\":", "\"total_tokens\" :", "\"input_tokens\":3,", "\"x\":1",
            "\"prompt_tokens_details\":{", "\"cached_tokens\":4", "\"audio_tokens\":5,",
            "\"completion_tokens_details\":{", "\"reasoning_tokens\":6", "\"seconds\":1",
            "\"cache_creation\":", "\"ephemeral_1h_input_tokens\":2", "\"service_tier\":",
        ]), 0..12)) {
            let json = format!("{{{}", parts.concat());
            if let Some(report) = read(&json) {
                prop_assert_eq!(Some(report), UsageReport::parse_any(json.as_bytes()));
            }
        }
    }
}
