//! JSON strings that are copied without decoding.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A JSON string with its quotes and escapes. It is copied as written, so that
/// escapes stay what the client wrote.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(Cow<'a, RawValue>);

impl<'a> Text<'a> {
    /// `None` if the value is not a string.
    pub(super) fn from_raw(raw: &'a RawValue) -> Option<Self> {
        let is_string = raw.get().starts_with('"');
        is_string.then_some(Self(Cow::Borrowed(raw)))
    }

    pub(super) fn encode(text: &str) -> Text<'static> {
        // A string cannot fail to serialise.
        let raw = serde_json::value::to_raw_value(text).unwrap_or_default();
        Text(Cow::Owned(raw))
    }

    pub(super) fn into_owned(self) -> Text<'static> {
        Text(Cow::Owned(self.0.into_owned()))
    }

    pub(super) fn borrowed(&self) -> Text<'_> {
        Text(Cow::Borrowed(&self.0))
    }

    /// Joins escaped text.
    pub(super) fn concat(parts: &[&str]) -> Option<Text<'static>> {
        let json = format!("\"{}\"", parts.concat());
        Some(Text(Cow::Owned(RawValue::from_string(json).ok()?)))
    }

    /// `separator` is escaped text. `None` if there are no texts.
    pub(super) fn join(texts: &[Self], separator: &str) -> Option<Self> {
        match texts {
            [] => None,
            [text] => Some(text.clone()),
            texts => {
                let escaped: Vec<&str> = texts.iter().map(Self::escaped).collect();
                Self::concat(&[&escaped.join(separator)])
            }
        }
    }

    /// The content without its quotes, not decoded.
    pub(super) fn escaped(&self) -> &str {
        let json = self.0.get();
        json.get(1..json.len() - 1).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.escaped().is_empty()
    }

    /// Whether there is nothing but white space.
    pub(super) fn is_blank(&self) -> bool {
        let is_blank = |text: Cow<'_, str>| text.trim().is_empty();
        self.decode().is_some_and(is_blank)
    }

    /// The number of characters (code points); of a surrogate pair, whose halves may be in
    /// two strings, the first half counts.
    pub(super) fn characters(&self) -> u64 {
        let mut rest = self.escaped().as_bytes();
        let mut count = 0;
        while let [first, ..] = rest {
            let (length, is_character) = match rest {
                [b'\\', b'u', b'd' | b'D', b'c'..=b'f' | b'C'..=b'F', ..] => (6, false),
                [b'\\', b'u', ..] => (6, true),
                [b'\\', ..] => (2, true),
                // The other bytes of a character.
                _ => (1, !(0x80..=0xBF).contains(first)),
            };
            count += u64::from(is_character);
            rest = rest.get(length..).unwrap_or_default();
        }
        count
    }

    /// `None` if an escape is not a character (a lone surrogate).
    pub(super) fn decode(&self) -> Option<Cow<'_, str>> {
        if !self.escaped().contains('\\') {
            return Some(Cow::Borrowed(self.escaped()));
        }
        String::deserialize(&mut serde_json::Deserializer::from_str(self.0.get()))
            .ok()
            .map(Cow::Owned)
    }

    /// Appends the decoded text. Half of a surrogate pair, of which the other half may
    /// be in another string, becomes three bytes.
    pub(super) fn decode_into(&self, out: &mut Vec<u8>) {
        if !self.escaped().contains('\\') {
            out.extend_from_slice(self.escaped().as_bytes());
            return;
        }
        // A string cannot fail to decode to bytes.
        let _ = serde_json::Deserializer::from_str(self.0.get()).deserialize_bytes(Append(out));
    }
}

struct Append<'o>(&'o mut Vec<u8>);

impl Visitor<'_> for Append<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<(), E> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Values of other types are `None`: for members whose type differs between
/// upstreams.
pub(super) fn lenient<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Text<'a>>, D::Error> {
    Option::<&'a RawValue>::deserialize(deserializer).map(|raw| raw.and_then(Text::from_raw))
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'a RawValue>::deserialize(deserializer)?;
        Self::from_raw(raw).ok_or_else(|| D::Error::custom("not a string"))
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn characters_are_counted_in_any_notation() {
        for (json, count) in [
            (r#""""#, 0),
            (r#""a""#, 1),
            (r#""é😀\n\"\\\u00e9""#, 6),
            (r#""\ud83d\ude00""#, 1),
            (r#""\uD83D\uDE00x""#, 2),
            (r#""\ud83d""#, 1),
            (r#""\udead""#, 0),
        ] {
            let text: Text<'_> = serde_json::from_str(json).unwrap();
            assert_eq!(text.characters(), count, "{json}");
        }
    }
}
