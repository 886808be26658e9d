//! Reads a request as JSON, member by member, with the path of each value.
//!
//! Members that were not taken are detected at the end, so that nothing is dropped
//! silently, except in the past: a client sends the history of a conversation with
//! each request, so an error there would be an error forever. Values stay raw JSON
//! until they are read.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::text::Text;
use super::translation_error::TranslationError;

const NO_COUNTERPART: &str = "is not supported by the API of this model's provider.";

type Result<T> = std::result::Result<T, TranslationError>;

/// A value and its path.
#[derive(Clone, Debug)]
pub(super) struct JsonField<'a> {
    pub(super) path: String,
    raw: &'a RawValue,
    /// See [`in_past`](Self::in_past).
    past: bool,
}

/// An object whose members are taken out one by one; [`finish`](Self::finish)
/// rejects those that are left.
#[derive(Debug)]
pub(super) struct JsonObject<'a> {
    pub(super) path: String,
    members: Vec<RawMember<'a>>,
    past: bool,
}

type RawMember<'a> = (Cow<'a, str>, &'a RawValue);

/// The type of a value, by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonType {
    String,
    Array,
    Object,
    Other,
}

// === impl JsonField ===

impl<'a> JsonField<'a> {
    /// Marks the value, and all within it, as a part of the history, where members
    /// without a counterpart are dropped.
    pub(super) fn in_past(mut self) -> Self {
        self.past = true;
        self
    }

    pub(super) fn is_past(&self) -> bool {
        self.past
    }

    pub(super) fn json_type(&self) -> JsonType {
        match self.raw.get().as_bytes().first() {
            Some(b'"') => JsonType::String,
            Some(b'[') => JsonType::Array,
            Some(b'{') => JsonType::Object,
            _ => JsonType::Other,
        }
    }

    pub(super) fn raw(&self) -> &'a RawValue {
        self.raw
    }

    /// A string, not decoded.
    pub(super) fn text(&self) -> Result<Text<'a>> {
        Text::from_raw(self.raw)
            .ok_or_else(|| TranslationError::invalid_type(&self.path, "a string"))
    }

    /// A decoded string.
    pub(super) fn string(&self) -> Result<Cow<'a, str>> {
        #[derive(Deserialize)]
        struct Decoded<'a>(#[serde(borrow)] Cow<'a, str>);

        self.text()?;
        self.parse::<Decoded<'a>>("a string").map(|text| text.0)
    }

    pub(super) fn boolean(&self) -> Result<bool> {
        self.parse("true or false")
    }

    pub(super) fn integer(&self) -> Result<u64> {
        self.parse("a non-negative integer")
    }

    pub(super) fn number(&self) -> Result<f64> {
        self.parse("a number")
    }

    /// An object that is passed on unchanged.
    pub(super) fn raw_object(&self) -> Result<&'a RawValue> {
        if self.json_type() == JsonType::Object {
            return Ok(self.raw);
        }
        Err(TranslationError::invalid_type(&self.path, "an object"))
    }

    pub(super) fn array(&self) -> Result<Vec<JsonField<'a>>> {
        let items: Vec<&'a RawValue> = self.parse("an array")?;
        let fields = items.into_iter().enumerate().map(|(index, raw)| JsonField {
            path: format!("{}[{index}]", self.path),
            raw,
            past: self.past,
        });
        Ok(fields.collect())
    }

    pub(super) fn object(&self) -> Result<JsonObject<'a>> {
        let Members(members) = self.parse("an object")?;
        let mut names = BTreeSet::new();
        let duplicate = members.iter().find(|(name, _)| !names.insert(&**name));
        if let Some((name, _)) = duplicate {
            return Err(TranslationError::duplicate_field(&member_path(
                &self.path, name,
            )));
        }
        Ok(JsonObject {
            path: self.path.clone(),
            members,
            past: self.past,
        })
    }

    pub(super) fn unsupported_parameter<T>(&self, detail: &str) -> Result<T> {
        Err(TranslationError::unsupported_parameter(&self.path, detail))
    }

    pub(super) fn unsupported_value<T>(&self, detail: &str) -> Result<T> {
        Err(TranslationError::unsupported_value(&self.path, detail))
    }

    /// Whether the value equals one of these, in JSON.
    pub(super) fn equals_any_of(&self, values: &[&str]) -> bool {
        let parse = |json: &str| serde_json::from_str::<serde_json::Value>(json).ok();
        // `0` equals `0.0`.
        let same = |left: &serde_json::Value, right: &serde_json::Value| {
            left == right
                || left
                    .as_f64()
                    .is_some_and(|left| Some(left) == right.as_f64())
        };
        let value = parse(self.raw.get());
        value.is_some_and(|value| {
            let mut candidates = values.iter().filter_map(|json| parse(json));
            candidates.any(|candidate| same(&value, &candidate))
        })
    }

    fn parse<T: Deserialize<'a>>(&self, expected: &str) -> Result<T> {
        serde_json::from_str(self.raw.get())
            .map_err(|_| TranslationError::invalid_type(&self.path, expected))
    }
}

fn member_path(path: &str, name: &str) -> String {
    if path.is_empty() {
        return name.to_owned();
    }
    format!("{path}.{name}")
}

// === impl JsonObject ===

impl<'a> JsonObject<'a> {
    /// As [`JsonField::in_past`].
    pub(super) fn in_past(mut self) -> Self {
        self.past = true;
        self
    }

    /// Parses the body of a request.
    pub(super) fn from_body(bytes: &'a [u8]) -> Result<Self> {
        let raw = serde_json::from_slice::<&'a RawValue>(bytes)
            .map_err(|_| TranslationError::invalid_value("", "The body is not valid JSON."))?;
        let path = String::new();
        if !raw.get().starts_with('{') {
            return Err(TranslationError::invalid_value(
                "",
                "The body must be a JSON object.",
            ));
        }
        let past = false;
        JsonField { path, raw, past }.object()
    }

    /// Takes out a member; `null` counts as absent.
    pub(super) fn take(&mut self, name: &str) -> Option<JsonField<'a>> {
        let index = self.members.iter().position(|member| member.0 == name)?;
        let (_, raw) = self.members.swap_remove(index);
        if raw.get() == "null" {
            return None;
        }
        Some(JsonField {
            path: member_path(&self.path, name),
            raw,
            past: self.past,
        })
    }

    /// The value of a member, which is not taken out; `null` counts as absent.
    pub(super) fn raw_member(&self, name: &str) -> Option<&'a RawValue> {
        let member = self.members.iter().find(|member| member.0 == name);
        member
            .map(|(_, raw)| *raw)
            .filter(|raw| raw.get() != "null")
    }

    /// Takes out a required member.
    pub(super) fn require(&mut self, name: &str) -> Result<JsonField<'a>> {
        self.take(name)
            .ok_or_else(|| TranslationError::missing_field(&member_path(&self.path, name)))
    }

    /// Takes out a required string.
    pub(super) fn require_string(&mut self, name: &str) -> Result<Cow<'a, str>> {
        self.require(name)?.string()
    }

    /// Takes out an optional string.
    pub(super) fn take_text(&mut self, name: &str) -> Result<Option<Text<'a>>> {
        self.take(name).map(|field| field.text()).transpose()
    }

    /// Takes out an optional number, in its original notation.
    pub(super) fn take_number(&mut self, name: &str) -> Result<Option<&'a RawValue>> {
        let Some(field) = self.take(name) else {
            return Ok(None);
        };
        field.number()?;
        Ok(Some(field.raw()))
    }

    /// Drops members that do not change the response.
    pub(super) fn ignore(&mut self, names: &[&str]) {
        self.members.retain(|(name, _)| !names.contains(&&**name));
    }

    /// Drops members whose value is the default. Other values are unsupported,
    /// except in the past.
    pub(super) fn ignore_defaults(&mut self, defaults: &[(&str, &[&str])]) -> Result<()> {
        if self.past {
            return Ok(());
        }
        for (name, values) in defaults {
            let Some(field) = self.take(name) else {
                continue;
            };
            if !field.equals_any_of(values) {
                return field.unsupported_parameter(NO_COUNTERPART);
            }
        }
        Ok(())
    }

    /// Rejects members that are left, except in the past.
    pub(super) fn finish(self) -> Result<()> {
        if self.past {
            return Ok(());
        }
        let unread = self.members.iter().find(|(_, raw)| raw.get() != "null");
        let Some((name, _)) = unread else {
            return Ok(());
        };
        Err(TranslationError::unsupported_parameter(
            &member_path(&self.path, name),
            NO_COUNTERPART,
        ))
    }
}

struct Members<'a>(Vec<RawMember<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct MembersVisitor;

        #[derive(Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Vec<RawMember<'de>>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(MembersVisitor).map(Members)
    }
}

pub(super) fn to_json(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    write_json(value, &mut out);
    out
}

/// Appends JSON.
pub(super) fn write_json(value: &impl Serialize, out: &mut Vec<u8>) {
    // Strings, numbers and raw JSON cannot fail to serialise, and writing to a
    // vector cannot fail.
    let _ = serde_json::to_writer(out, value);
}
