//! Text as it stands in JSON.

use std::borrow::Cow;

use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// A JSON string, quotes and escapes included. It goes over as it came, so
/// nothing that a caller wrote is spelled anew.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(Cow<'a, RawValue>);

impl<'a> Text<'a> {
    /// A JSON string as it was found; `None` if it is another value.
    pub(super) fn raw(raw: &'a RawValue) -> Option<Self> {
        let is_text = raw.get().starts_with('"');
        is_text.then_some(Self(Cow::Borrowed(raw)))
    }

    /// Text that is not JSON yet.
    pub(super) fn of(text: &str) -> Text<'static> {
        // A string cannot fail to serialise.
        let raw = serde_json::value::to_raw_value(text).unwrap_or_default();
        Text(Cow::Owned(raw))
    }

    /// Pieces of text, written as in JSON, one after the other.
    pub(super) fn concat(pieces: &[&str]) -> Option<Text<'static>> {
        let json = format!("\"{}\"", pieces.concat());
        Some(Text(Cow::Owned(RawValue::from_string(json).ok()?)))
    }

    /// The texts one after the other, with `between` (written as in JSON) in
    /// the gaps. `None` if there are none.
    pub(super) fn join(texts: &[Self], between: &str) -> Option<Self> {
        match texts {
            [] => None,
            [text] => Some(text.clone()),
            several => {
                let inner: Vec<&str> = several.iter().map(Self::inner).collect();
                Self::concat(&[&inner.join(between)])
            }
        }
    }

    /// What stands between the quotes.
    pub(super) fn inner(&self) -> &str {
        let json = self.0.get();
        json.get(1..json.len() - 1).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.inner().is_empty()
    }

    /// What it says. `None` if an escape in it stands for no character.
    pub(super) fn decode(&self) -> Option<Cow<'_, str>> {
        if !self.inner().contains('\\') {
            return Some(Cow::Borrowed(self.inner()));
        }
        String::deserialize(&mut serde_json::Deserializer::from_str(self.0.get()))
            .ok()
            .map(Cow::Owned)
    }
}

/// A string, where it is one: for members whose type may differ between
/// upstreams.
pub(super) fn lenient<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Text<'a>>, D::Error> {
    Option::<&'a RawValue>::deserialize(deserializer).map(|raw| raw.and_then(Text::raw))
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'a RawValue>::deserialize(deserializer)?;
        Self::raw(raw).ok_or_else(|| D::Error::custom("not a string"))
    }
}
