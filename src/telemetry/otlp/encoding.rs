//! The JSON encoding of OTLP (OTLP specification, "JSON Protobuf Encoding": 64-bit
//! numbers as strings, enums as numbers).

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use crate::config::Collector;

/// `service.instance.id`: a random UUID of version 4, as the semantic conventions
/// recommend ("Service"). Without it, the metrics of two gateways would be one series.
static INSTANCE_ID: LazyLock<String> = LazyLock::new(|| {
    let random = || getrandom::u64().unwrap_or_else(|_| fastrand::u64(..));
    uuid(random(), random())
});

#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Attributes(Vec<Attribute>);

#[derive(Debug, Serialize)]
struct Attribute {
    key: &'static str,
    value: AttributeValue,
}

#[derive(Debug, Serialize)]
pub enum AttributeValue {
    #[serde(rename = "stringValue")]
    Text(String),
    #[serde(rename = "intValue")]
    Int(Int64),
    #[serde(rename = "doubleValue")]
    Double(f64),
    #[serde(rename = "boolValue")]
    Bool(bool),
}

/// A 64-bit number, written as a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Int64(pub u64);

/// Written as nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnixTime(pub SystemTime);

/// The process.
#[derive(Debug, Serialize)]
pub struct Resource {
    attributes: Attributes,
}

/// The library that collects the data: Trunkline itself.
#[derive(Debug, Serialize)]
pub struct Scope {
    name: &'static str,
    version: &'static str,
}

// === impl Attributes ===

impl Attributes {
    /// Omits an attribute without a value.
    pub fn add(&mut self, key: &'static str, value: Option<impl Into<AttributeValue>>) {
        let value = value.map(Into::into);
        self.0.extend(value.map(|value| Attribute { key, value }));
    }
}

// === impl Resource ===

impl Resource {
    #[must_use]
    pub fn new(collector: &Collector) -> Self {
        let mut attributes = Attributes::default();
        attributes.add("service.name", Some(&*collector.service_name));
        attributes.add("service.version", Some(env!("CARGO_PKG_VERSION")));
        attributes.add("service.instance.id", Some(INSTANCE_ID.as_str()));
        Self { attributes }
    }
}

/// RFC 9562, section 5.4.
fn uuid(high: u64, low: u64) -> String {
    let high = high & !0xf000 | 0x4000;
    let low = low & !(0b11 << 62) | 0b10 << 62;
    let (time, clock) = (high >> 32, low >> 48);
    let (mid, version) = (high >> 16 & 0xffff, high & 0xffff);
    let node = low & 0xffff_ffff_ffff;
    format!("{time:08x}-{mid:04x}-{version:04x}-{clock:04x}-{node:012x}")
}

// === impl Scope ===

impl Scope {
    pub const TRUNKLINE: Self = Self {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
    };
}

// === impl AttributeValue ===

impl From<&str> for AttributeValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for AttributeValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for AttributeValue {
    fn from(number: u64) -> Self {
        Self::Int(Int64(number))
    }
}

impl From<f64> for AttributeValue {
    fn from(number: f64) -> Self {
        Self::Double(number)
    }
}

impl From<bool> for AttributeValue {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl Serialize for Int64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for UnixTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        time(&self.0, serializer)
    }
}

/// As [`UnixTime`].
pub fn time<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    serializer.collect_str(&since.as_nanos())
}

#[cfg(test)]
mod tests {
    use super::uuid;

    #[test]
    fn an_instance_id_is_a_random_uuid() {
        assert_eq!(uuid(0, 0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(
            uuid(u64::MAX, u64::MAX),
            "ffffffff-ffff-4fff-bfff-ffffffffffff"
        );
        assert_eq!(
            uuid(0x0123_4567_89ab_cdef, 0x0fed_cba9_8765_4321),
            "01234567-89ab-4def-8fed-cba987654321"
        );
    }
}
