//! The input of a custom tool, which the upstream knows as a function with the one
//! argument `input`.
//!
//! Its text is passed on while it arrives: as it stands in the arguments' JSON, since
//! that is how it stands in an event. Escapes and surrogate pairs are kept together,
//! because clients decode each event by itself.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::escaped_text::{EscapedText, InvalidEscape};
use crate::dialect::text::Text;

/// What precedes the text; white space may surround each of these.
const HEAD: [&[u8]; 4] = [b"{", b"\"input\"", b":", b"\""];

#[derive(Debug, Default)]
pub(super) struct CustomInput {
    state: State,
    /// The JSON so far, as long as the text has not begun.
    json: Vec<u8>,
    text: EscapedText,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The text has not begun.
    #[default]
    Head,
    Text,
    /// Other members may follow.
    Rest,
    /// Read as a whole at its end.
    Other,
}

// === impl CustomInput ===

impl CustomInput {
    /// Takes more of the arguments; returns more of the input, as escaped text.
    pub(super) fn push(&mut self, arguments: &Text<'_>) -> Result<String, InvalidEscape> {
        let mut out = String::new();
        let mut bytes = Vec::new();
        arguments.decode_into(&mut bytes);
        if matches!(self.state, State::Head | State::Other) {
            self.json.append(&mut bytes);
        }
        if self.state == State::Head {
            match head(&self.json) {
                Head::Partial => {}
                Head::Complete(len) => {
                    bytes = self.json.split_off(len);
                    self.json = Vec::new();
                    self.state = State::Text;
                }
                Head::Other => self.state = State::Other,
            }
        }
        if self.state == State::Text && self.text.push(&bytes, &mut out)? {
            self.state = State::Rest;
        }
        Ok(out)
    }

    /// The arguments are complete JSON, or empty. Returns the rest of the input.
    pub(super) fn finish(self) -> Result<String, InvalidEscape> {
        match self.state {
            State::Rest => Ok(String::new()),
            State::Text => Err(InvalidEscape),
            State::Head | State::Other => input_of(&String::from_utf8_lossy(&self.json)),
        }
    }
}

enum Head {
    Partial,
    /// With its length.
    Complete(usize),
    Other,
}

fn head(json: &[u8]) -> Head {
    let mut rest = json;
    for token in HEAD {
        rest = rest.trim_ascii_start();
        match rest.strip_prefix(token) {
            Some(after) => rest = after,
            None if token.starts_with(rest) => return Head::Partial,
            None => return Head::Other,
        }
    }
    Head::Complete(json.len() - rest.len())
}

/// The input in arguments of any form: some models call it otherwise. What has no text
/// at all becomes the input as it is, so that the tool can say what is wrong.
fn input_of(json: &str) -> Result<String, InvalidEscape> {
    if json.trim().is_empty() {
        return Ok(String::new());
    }
    let members: BTreeMap<String, &RawValue> =
        serde_json::from_str(json).map_err(|_| InvalidEscape)?;
    let mut values = members.values();
    let only = values.next().filter(|_| values.next().is_none());
    let value = members.get("input").or(only);
    let whole = || Text::encode(if members.is_empty() { "" } else { json.trim() });
    let text = value.and_then(|value| Text::from_raw(value));
    let text = match (text, members.get("input")) {
        (Some(text), _) => text,
        (None, Some(value)) => Text::encode(value.get()),
        (None, None) => whole(),
    };
    let mut out = String::new();
    let mut escaped = EscapedText::default();
    escaped.push(text.escaped().as_bytes(), &mut out)?;
    escaped.push(b"\"", &mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{CustomInput, InvalidEscape};
    use crate::dialect::text::Text;

    /// Pushes parts of arguments; each is JSON of a string. Each delta must be a string
    /// by itself.
    fn read(parts: &[String]) -> Result<String, InvalidEscape> {
        let mut input = CustomInput::default();
        let mut found = String::new();
        for part in parts {
            let part: Text<'_> = serde_json::from_str(part).unwrap();
            found.push_str(&decode(&input.push(&part)?));
        }
        found.push_str(&decode(&input.finish()?));
        Ok(found)
    }

    fn decode(escaped: &str) -> String {
        let json = format!("\"{escaped}\"");
        serde_json::from_str(&json).unwrap_or_else(|_| panic!("{json}"))
    }

    fn quoted(text: &str) -> String {
        serde_json::to_string(text).unwrap()
    }

    /// With escapes for all but letters.
    fn ascii(text: &str) -> String {
        let escape = |unit: u16| match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("\\u{unit:04X}"),
        };
        format!(
            "\"{}\"",
            text.encode_utf16().map(escape).collect::<String>()
        )
    }

    #[test]
    fn arguments_of_other_forms_are_read_as_well_as_they_can_be() {
        for (arguments, input) in [
            ("", ""),
            ("{}", ""),
            (r#"{"input":""}"#, ""),
            (r#" { "input" : "a\nb" } "#, "a\nb"),
            (r#"{"input":"a","why":"b"}"#, "a"),
            (r#"{"why":"b","input":"a\"b"}"#, "a\"b"),
            (r#"{"patch":"a"}"#, "a"),
            (r#"{"inputs":"a"}"#, "a"),
            (r#"{"input":{"a":1}}"#, r#"{"a":1}"#),
            (r#"{"a":"1","b":"2"}"#, r#"{"a":"1","b":"2"}"#),
            (r#"{"a":1}"#, r#"{"a":1}"#),
            ("{\"input\":\"a\u{1}b\"}", "a\u{1}b"),
            (r#"{"input":"\ud83d\ude00"}"#, "\u{1f600}"),
            (r#"{"input":"\ud83d"}"#, "\u{fffd}"),
            (r#"{"input":"\ude00x"}"#, "\u{fffd}x"),
            (r#"{"input":"\ud83d\ud83d\ude00"}"#, "\u{fffd}\u{1f600}"),
        ] {
            assert_eq!(
                read(&[quoted(arguments)]).as_deref(),
                Ok(input),
                "{arguments}"
            );
        }
        for arguments in [
            r#"{"input":"a"#,
            r#"{"input":"\q"}"#,
            r#"{"input":"\u12g4"}"#,
            "{x}",
        ] {
            assert_eq!(
                read(&[quoted(arguments)]),
                Err(InvalidEscape),
                "{arguments}"
            );
        }
    }

    #[test]
    fn a_pair_may_be_split_between_chunks_and_within_escapes() {
        // `\ud83d\ude00` as an escape of the string, of the string in it, and of both.
        for (first, second) in [
            (r#""{\"input\":\"\ud83d""#, r#""\ude00\"}""#),
            (r#""{\"input\":\"\\ud83d""#, r#""\\ude00\"}""#),
            (r#""{\"input\":\"\\ud83""#, r#""d\ude00\"}""#),
            (r#""{\"input\":\"\ud83d\\""#, r#""ude00\"}""#),
        ] {
            let parts = [first.to_owned(), second.to_owned()];
            assert_eq!(read(&parts).as_deref(), Ok("\u{1f600}"), "{first}");
        }
    }

    proptest! {
        #[test]
        fn an_input_arrives_as_it_was_however_it_is_split(
            text in r#"[a"\\/\n\r\t\u{1}\u{7f}é\u{d7ff}\u{e000}\u{1f600}]{0,24}"#,
            escapes in any::<(bool, bool)>(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let value = if escapes.0 { ascii(&text) } else { quoted(&text) };
            let json = format!("{{ \"input\": {value} }}");
            let units: Vec<u16> = json.encode_utf16().collect();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(units.len())).collect();
            cuts.extend([0, units.len()]);
            cuts.sort_unstable();
            let parts: Vec<String> = cuts
                .windows(2)
                .map(|cut| {
                    let part = &units[cut[0]..cut[1]];
                    // Half a pair can only be written as an escape.
                    let whole = String::from_utf16(part).ok().filter(|_| !escapes.1);
                    let escape = |unit: &u16| format!("\\u{unit:04x}");
                    let escaped = || part.iter().map(escape).collect::<String>();
                    whole.map_or_else(|| format!("\"{}\"", escaped()), |text| quoted(&text))
                })
                .collect();
            prop_assert_eq!(read(&parts), Ok(text));
        }
    }
}
