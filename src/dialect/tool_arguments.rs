//! The arguments of a tool call whose chunks arrive one by one.

use serde::de::IgnoredAny;

use super::text::Text;

/// What has arrived so far.
#[derive(Debug, Default)]
pub(super) struct ToolArguments {
    json: Vec<u8>,
    state: ArgumentsState,
    depth: usize,
    in_string: bool,
    escaped: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ArgumentsState {
    /// Stands for an empty object, unless more follows.
    #[default]
    Empty,
    Partial,
    /// An object whose last bracket has arrived.
    Complete,
    /// No object, or one with more behind it.
    Invalid,
}

/// The arguments of a finished call are not a JSON object.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidArguments;

impl ToolArguments {
    pub(super) fn push(&mut self, text: &Text<'_>) {
        let start = self.json.len();
        text.decode_into(&mut self.json);
        let Self {
            json,
            state,
            depth,
            in_string,
            escaped,
        } = self;
        for byte in json.get(start..).unwrap_or_default() {
            match (*state, byte) {
                (ArgumentsState::Partial, _) if *in_string => {
                    *in_string = *byte != b'"' || *escaped;
                    *escaped = *byte == b'\\' && !*escaped;
                }
                (ArgumentsState::Partial, b'"') => *in_string = true,
                (ArgumentsState::Partial, b'{' | b'[') => *depth += 1,
                (ArgumentsState::Partial, b'}' | b']') => {
                    *depth -= 1;
                    if *depth == 0 {
                        *state = ArgumentsState::Complete;
                    }
                }
                (ArgumentsState::Empty, b'{') => {
                    *state = ArgumentsState::Partial;
                    *depth = 1;
                }
                (ArgumentsState::Partial, _) | (_, b' ' | b'\t' | b'\n' | b'\r') => {}
                _ => *state = ArgumentsState::Invalid,
            }
        }
    }

    pub(super) fn state(&self) -> ArgumentsState {
        self.state
    }

    /// What follows in the whole text, if that begins with what has arrived.
    pub(super) fn rest_of(&self, whole: &Text<'_>) -> Option<Text<'static>> {
        let whole = whole.decode()?;
        let rest = whole.as_bytes().strip_prefix(self.json.as_slice())?;
        std::str::from_utf8(rest).ok().map(Text::encode)
    }

    /// Bytes kept.
    pub(super) fn len(&self) -> usize {
        self.json.len()
    }

    /// The call is finished; only its state is kept. A token limit may have cut the
    /// arguments short.
    pub(super) fn finish(&mut self, may_be_cut: bool) -> Result<(), InvalidArguments> {
        let json = std::mem::take(&mut self.json);
        let is_valid = match self.state {
            ArgumentsState::Empty => true,
            ArgumentsState::Partial => may_be_cut,
            // The brackets alone do not show that it is JSON.
            ArgumentsState::Complete => serde_json::from_slice::<IgnoredAny>(&json).is_ok(),
            ArgumentsState::Invalid => false,
        };
        is_valid.then_some(()).ok_or(InvalidArguments)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{ArgumentsState, Text, ToolArguments};

    fn read(chunks: &[&str]) -> ToolArguments {
        let mut arguments = ToolArguments::default();
        for chunk in chunks {
            arguments.push(&Text::encode(chunk));
        }
        arguments
    }

    #[test]
    fn the_end_of_an_object_is_found() {
        use ArgumentsState::{Complete, Empty, Invalid, Partial};
        for (text, state, valid, valid_if_cut) in [
            ("", Empty, true, true),
            (" \n", Empty, true, true),
            ("{", Partial, false, true),
            (r#"{"a":"}"#, Partial, false, true),
            (r#"{"a":"\"}"#, Partial, false, true),
            (r#"{"a":"\\"}"#, Complete, true, true),
            (r#" {"a":[{}, 1.5]} "#, Complete, true, true),
            (r#"{"a":[}]"#, Complete, false, false),
            (r#"{"a":{"b":1}2}"#, Complete, false, false),
            ("{x}", Complete, false, false),
            ("{}{}", Invalid, false, false),
            ("[]", Invalid, false, false),
            ("null", Invalid, false, false),
            ("1}", Invalid, false, false),
        ] {
            assert_eq!(read(&[text]).state(), state, "{text}");
            assert_eq!(read(&[text]).finish(false).is_ok(), valid, "{text}");
            assert_eq!(read(&[text]).finish(true).is_ok(), valid_if_cut, "{text}");
        }
    }

    #[test]
    fn escapes_may_stand_for_any_character() {
        // `{"a":"` and half of a surrogate pair; the other half, and `"}`.
        let mut arguments = ToolArguments::default();
        for json in [r#""\u007b\"a\":\u0022\ud83d""#, r#""\ude00\"\u007D""#] {
            assert_eq!(
                arguments.state() == ArgumentsState::Empty,
                arguments.len() == 0
            );
            arguments.push(&serde_json::from_str(json).unwrap());
        }
        assert_eq!(arguments.state(), ArgumentsState::Complete);
        assert_eq!(arguments.finish(false), Ok(()));
    }

    proptest! {
        #[test]
        fn where_the_text_is_cut_makes_no_difference(
            text in r#"[{}\[\]",:\\a1 é]{0,24}"#,
            at in any::<prop::sample::Index>(),
        ) {
            let ends: Vec<_> = (0..=text.len()).filter(|at| text.is_char_boundary(*at)).collect();
            let (first, second) = text.split_at(*at.get(&ends));
            let (whole, mut cut) = (read(&[&text]), read(&[first, second]));
            prop_assert_eq!(whole.state(), cut.state());
            let is_object = text.trim_start().starts_with('{')
                && serde_json::from_str::<serde_json::Value>(&text).is_ok();
            let is_blank = text.bytes().all(|byte| byte == b' ');
            prop_assert_eq!(cut.finish(false).is_ok(), is_object || is_blank);
        }
    }
}
