//! Reads a request member by member, and knows at any place where it is.
//!
//! What was not asked for by its name is found, so nothing is lost unseen.
//! Values stay the bytes that the caller wrote until somebody looks into them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::refusal::Refusal;
use super::text::Text;

type Result<T> = std::result::Result<T, Refusal>;

/// A value and its path.
#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    pub(super) path: String,
    raw: &'a RawValue,
}

/// An object whose members are taken out one by one.
#[derive(Debug)]
pub(super) struct Object<'a> {
    pub(super) path: String,
    members: Vec<Member<'a>>,
}

type Member<'a> = (Cow<'a, str>, &'a RawValue);

/// What a value is, by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    List,
    Object,
    Other,
}

// === impl Field ===

impl<'a> Field<'a> {
    pub(super) fn kind(&self) -> Kind {
        match self.raw.get().as_bytes().first() {
            Some(b'"') => Kind::Text,
            Some(b'[') => Kind::List,
            Some(b'{') => Kind::Object,
            _ => Kind::Other,
        }
    }

    /// The value as it was written.
    pub(super) fn raw(&self) -> &'a RawValue {
        self.raw
    }

    /// A string, unread.
    pub(super) fn text(&self) -> Result<Text<'a>> {
        Text::raw(self.raw).ok_or_else(|| Refusal::kind(&self.path, "a string"))
    }

    /// A string that is read here.
    pub(super) fn string(&self) -> Result<Cow<'a, str>> {
        #[derive(Deserialize)]
        struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

        self.text()?;
        self.parse::<Borrowed<'a>>("a string").map(|text| text.0)
    }

    pub(super) fn flag(&self) -> Result<bool> {
        self.parse("true or false")
    }

    pub(super) fn whole(&self) -> Result<u64> {
        self.parse("a whole number that is not negative")
    }

    pub(super) fn number(&self) -> Result<f64> {
        self.parse("a number")
    }

    /// An object that is passed on as it is.
    pub(super) fn any_object(&self) -> Result<&'a RawValue> {
        if self.kind() == Kind::Object {
            return Ok(self.raw);
        }
        Err(Refusal::kind(&self.path, "an object"))
    }

    pub(super) fn list(&self) -> Result<Vec<Field<'a>>> {
        let items: Vec<&'a RawValue> = self.parse("an array")?;
        let fields = items.into_iter().enumerate().map(|(index, raw)| Field {
            path: format!("{}[{index}]", self.path),
            raw,
        });
        Ok(fields.collect())
    }

    pub(super) fn object(&self) -> Result<Object<'a>> {
        let Members(members) = self.parse("an object")?;
        let mut names = BTreeSet::new();
        let twice = members.iter().find(|(name, _)| !names.insert(&**name));
        if let Some((name, _)) = twice {
            return Err(Refusal::twice(&path_of(&self.path, name)));
        }
        Ok(Object {
            path: self.path.clone(),
            members,
        })
    }

    /// A refusal of this member.
    pub(super) fn unsupported<T>(&self, what: &str) -> Result<T> {
        Err(Refusal::unsupported(&self.path, what))
    }

    /// A refusal of this value.
    pub(super) fn not_this<T>(&self, what: &str) -> Result<T> {
        Err(Refusal::value(&self.path, what))
    }

    /// Whether it is the same as one of these values, written as JSON.
    pub(super) fn is_any_of(&self, values: &[&str]) -> bool {
        let read = |json: &str| serde_json::from_str::<serde_json::Value>(json).ok();
        let same = |one: &serde_json::Value, other: &serde_json::Value| {
            one == other || one.as_f64().is_some_and(|one| Some(one) == other.as_f64())
        };
        let own = read(self.raw.get());
        own.is_some_and(|own| {
            let mut values = values.iter().filter_map(|value| read(value));
            values.any(|value| same(&own, &value))
        })
    }

    fn parse<T: Deserialize<'a>>(&self, expected: &str) -> Result<T> {
        serde_json::from_str(self.raw.get()).map_err(|_| Refusal::kind(&self.path, expected))
    }
}

fn path_of(path: &str, name: &str) -> String {
    if path.is_empty() {
        return name.to_owned();
    }
    format!("{path}.{name}")
}

// === impl Object ===

impl<'a> Object<'a> {
    /// The body of a request.
    pub(super) fn body(bytes: &'a [u8]) -> Result<Self> {
        let raw = serde_json::from_slice::<&'a RawValue>(bytes)
            .map_err(|_| Refusal::invalid("", "The body is not valid JSON."))?;
        let path = String::new();
        if !raw.get().starts_with('{') {
            return Err(Refusal::invalid("", "The body must be a JSON object."));
        }
        Field { path, raw }.object()
    }

    /// Takes a member out; `null` is the same as none.
    pub(super) fn take(&mut self, name: &str) -> Option<Field<'a>> {
        let place = self.members.iter().position(|member| member.0 == name)?;
        let (_, raw) = self.members.swap_remove(place);
        if raw.get() == "null" {
            return None;
        }
        Some(Field {
            path: path_of(&self.path, name),
            raw,
        })
    }

    /// Takes out a member that must be there.
    pub(super) fn need(&mut self, name: &str) -> Result<Field<'a>> {
        self.take(name)
            .ok_or_else(|| Refusal::missing(&path_of(&self.path, name)))
    }

    /// Takes out a string that must be there.
    pub(super) fn need_string(&mut self, name: &str) -> Result<Cow<'a, str>> {
        self.need(name)?.string()
    }

    /// Takes out a string that may be there.
    pub(super) fn take_text(&mut self, name: &str) -> Result<Option<Text<'a>>> {
        self.take(name).map(|field| field.text()).transpose()
    }

    /// Takes out a number that goes over as it was written.
    pub(super) fn take_number(&mut self, name: &str) -> Result<Option<&'a RawValue>> {
        let Some(field) = self.take(name) else {
            return Ok(None);
        };
        field.number()?;
        Ok(Some(field.raw()))
    }

    /// Leaves out members that change nothing about the answer.
    pub(super) fn ignore(&mut self, names: &[&str]) {
        self.members.retain(|(name, _)| !names.contains(&&**name));
    }

    /// Leaves out members whose value says what happens without them.
    pub(super) fn ignore_neutral(&mut self, neutral: &[(&str, &[&str])]) -> Result<()> {
        for (name, values) in neutral {
            let Some(field) = self.take(name) else {
                continue;
            };
            if !field.is_any_of(values) {
                return field
                    .unsupported("has no counterpart in the API of this model's provider.");
            }
        }
        Ok(())
    }

    /// Nothing else may be there.
    pub(super) fn done(self) -> Result<()> {
        let left = self.members.iter().find(|(_, raw)| raw.get() != "null");
        let Some((name, _)) = left else {
            return Ok(());
        };
        Err(Refusal::unsupported(
            &path_of(&self.path, name),
            "has no counterpart in the API of this model's provider.",
        ))
    }
}

struct Members<'a>(Vec<Member<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Reader;

        #[derive(Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

        impl<'de> Visitor<'de> for Reader {
            type Value = Vec<Member<'de>>;

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

        deserializer.deserialize_map(Reader).map(Members)
    }
}

/// What has been put together, as JSON.
pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::new();
    write_json(value, &mut out);
    out
}

/// The same, behind what is there.
pub(super) fn write_json(value: &impl Serialize, out: &mut Vec<u8>) {
    // Strings, numbers and raw JSON cannot fail to serialise, nor can a vector
    // fail to take them.
    let _ = serde_json::to_writer(out, value);
}
