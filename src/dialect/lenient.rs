//! Readers of members whose type differs between upstreams: a value of another type
//! counts as absent, so that one odd member does not cost the others.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON value, as far as it has objects of one type.
enum Value<T> {
    Object(T),
    /// The objects of an array.
    List(Vec<T>),
    Other,
}

struct ValueVisitor<T>(PhantomData<T>);

pub(super) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Value::deserialize(deserializer).map(|value| match value {
        Value::Object(object) => Some(object),
        _ => None,
    })
}

/// An object counts as a list of one.
pub(super) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    Value::deserialize(deserializer).map(|value| match value {
        Value::List(list) => Some(list),
        Value::Object(object) => Some(vec![object]),
        Value::Other => None,
    })
}

/// A whole number, which may be written as text.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let raw = Option::<&RawValue>::deserialize(deserializer)?;
    Ok(raw.and_then(|raw| {
        let text = raw.get().trim_matches('"').trim();
        text.strip_suffix(".0").unwrap_or(text).parse().ok()
    }))
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Value<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for ValueVisitor<T> {
    type Value = Value<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Value<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(Value::Object)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Value<T>>()? {
            if let Value::Object(object) = item {
                list.push(object);
            }
        }
        Ok(Value::List(list))
    }

    fn visit_unit<E>(self) -> Result<Value<T>, E> {
        Ok(Value::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value<T>, E> {
        Ok(Value::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value<T>, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value<T>, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<T>, E> {
        Ok(Value::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Value<T>, E> {
        Ok(Value::Other)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::value::RawValue;

    #[derive(Deserialize)]
    struct Outer<'a> {
        #[serde(borrow, default, deserialize_with = "super::object")]
        object: Option<Inner<'a>>,
        #[serde(borrow, default, deserialize_with = "super::list")]
        list: Option<Vec<Inner<'a>>>,
    }

    #[derive(Deserialize)]
    struct Inner<'a> {
        #[serde(default, deserialize_with = "super::number")]
        number: Option<u64>,
        #[serde(borrow)]
        raw: Option<&'a RawValue>,
    }

    #[test]
    fn values_of_other_types_are_absent() {
        for odd in ["null", "\"\"", "\"x\"", "false", "0", "-1", "1.5"] {
            let json = format!(r#"{{"object":{odd},"list":{odd}}}"#);
            let outer: Outer<'_> = serde_json::from_str(&json).unwrap();
            assert!(outer.object.is_none() && outer.list.is_none(), "{odd}");
        }
        let json = r#"{"object":[{"number":1}],"list":{"number":1}}"#;
        let outer: Outer<'_> = serde_json::from_str(json).unwrap();
        assert!(outer.object.is_none());
        assert_eq!(outer.list.unwrap()[0].number, Some(1));
        let json = r#"{"list":[null,{"number":1},"x",[{"number":2}],{"raw":[ 1 ]}]}"#;
        let list = serde_json::from_str::<Outer<'_>>(json)
            .unwrap()
            .list
            .unwrap();
        let found: Vec<_> = list
            .iter()
            .map(|it| (it.number, it.raw.map(RawValue::get)))
            .collect();
        assert_eq!(found, [(Some(1), None), (None, Some("[ 1 ]"))]);
    }

    #[test]
    fn numbers_may_be_text() {
        let read = |number: &str| {
            let json = format!(r#"{{"object":{{"number":{number}}}}}"#);
            let outer: Outer<'_> = serde_json::from_str(&json).unwrap();
            outer.object.unwrap().number
        };
        for number in ["7", "\"7\"", "7.0", "\" 7 \""] {
            assert_eq!(read(number), Some(7), "{number}");
        }
        for number in ["null", "\"\"", "-1", "1.5", "{}", "[7]", "true"] {
            assert_eq!(read(number), None, "{number}");
        }
    }
}
