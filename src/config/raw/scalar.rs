//! Durations, sizes and counts. They are valid wherever they exist: the
//! validator checks the written value against the [`Format`] or range in the
//! schema, and reports its location.

use std::borrow::Cow;
use std::time::Duration;

use bytesize::ByteSize;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Timers add durations to the clock, and a sum that overflows would panic.
const MAX_DURATION: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// Maximum of any size, in bytes.
const MAX_SIZE: u64 = 1 << 40;
/// Maximum of any count; semaphores allow no more.
pub const MAX_COUNT: u32 = 10_000_000;

/// How the text of a scalar is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Duration,
    DurationOrZero,
    DurationOrOff,
    /// At least this many bytes.
    Size(usize),
}

/// A duration of more than zero, such as "10s".
#[derive(Debug, Clone, Copy)]
pub struct PositiveDuration(Duration);

/// A duration, such as "0s".
#[derive(Debug, Clone, Copy)]
pub struct DurationOrZero(Duration);

/// A duration of more than zero, or "off".
#[derive(Debug, Clone, Copy)]
pub struct DurationOrOff(Option<Duration>);

/// A size of at least `MIN` bytes, such as "64KiB".
#[derive(Debug, Clone, Copy)]
pub struct Size<const MIN: usize>(usize);

/// A number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy)]
pub struct Count<const MIN: u32, const MAX: u32 = MAX_COUNT>(u32);

// === impl Format ===

impl Format {
    /// The format of a property in the JSON Schema.
    pub fn of(schema: &serde_json::Value) -> Option<Self> {
        match schema.get("format")?.as_str()? {
            "positive-duration" => Some(Self::Duration),
            "duration-or-zero" => Some(Self::DurationOrZero),
            "duration-or-off" => Some(Self::DurationOrOff),
            "size" => {
                let min = schema.get("x-minimum")?.as_u64()?;
                usize::try_from(min).ok().map(Self::Size)
            }
            _ => None,
        }
    }

    /// What is wrong with the text, and the cure.
    pub fn check(self, text: &str) -> Result<(), String> {
        match self {
            Self::Duration => parse_positive(text).map(drop),
            Self::DurationOrZero => parse_duration(text).map(drop),
            Self::DurationOrOff => parse_or_off(text).map(drop),
            Self::Size(min) => parse_size(text, min).map(drop),
        }
    }
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if duration > MAX_DURATION => {
            Err("longer than a year; write a shorter time".into())
        }
        Ok(duration) => Ok(duration),
        Err(_) => {
            Err("not a duration; write a number with a unit, such as \"10s\" or \"5m\"".into())
        }
    }
}

fn parse_positive(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("must be more than zero, such as \"10s\"".into()),
        duration => Ok(duration),
    }
}

fn parse_or_off(text: &str) -> Result<Option<Duration>, String> {
    if text == "off" {
        return Ok(None);
    }
    let or_off = |message| format!("{message}, or \"off\" for no limit");
    parse_positive(text).map(Some).map_err(or_off)
}

fn parse_size(text: &str, min: usize) -> Result<usize, String> {
    let size: ByteSize = text
        .parse()
        .map_err(|_| "not a size; write a number with a unit, such as \"64KiB\" or \"32MiB\"")?;
    if size.as_u64() > MAX_SIZE {
        return Err("must be at most \"1TiB\"".into());
    }
    let size =
        usize::try_from(size.as_u64()).map_err(|_| "larger than this machine can address")?;
    if size < min {
        return Err(format!("must be at least \"{}\"", size_text(min)));
    }
    Ok(size)
}

fn size_text(bytes: usize) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units
        .iter()
        .find(|(shift, _)| bytes != 0 && bytes.is_multiple_of(1 << shift));
    match unit {
        Some((shift, unit)) => format!("{}{unit}", bytes >> shift),
        None => format!("{bytes}B"),
    }
}

// === impl PositiveDuration, DurationOrZero, DurationOrOff, Size ===

impl PositiveDuration {
    pub const fn secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    pub const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    pub fn get(self) -> Duration {
        self.0
    }
}

impl DurationOrZero {
    pub const fn secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    pub fn get(self) -> Duration {
        self.0
    }
}

impl DurationOrOff {
    pub const OFF: Self = Self(None);

    pub const fn secs(secs: u64) -> Self {
        Self(Some(Duration::from_secs(secs)))
    }

    pub fn get(self) -> Option<Duration> {
        self.0
    }
}

impl<const MIN: usize> Size<MIN> {
    pub const fn bytes(bytes: usize) -> Self {
        Self(bytes)
    }

    pub const fn kib(kib: usize) -> Self {
        Self(kib << 10)
    }

    pub const fn mib(mib: usize) -> Self {
        Self(mib << 20)
    }

    /// In bytes.
    pub fn get(self) -> usize {
        self.0
    }
}

macro_rules! text_scalar {
    ($type:ident $(<$min:ident>)?, $parse:expr, $text:expr, $schema:expr) => {
        impl<'de $(, const $min: usize)?> Deserialize<'de> for $type $(<$min>)? {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                $parse(&text).map(Self).map_err(D::Error::custom)
            }
        }

        impl $(<const $min: usize>)? Serialize for $type $(<$min>)? {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&$text(self.0))
            }
        }

        impl $(<const $min: usize>)? JsonSchema for $type $(<$min>)? {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

text_scalar!(
    PositiveDuration,
    parse_positive,
    humantime::format_duration,
    json_schema!({ "type": "string", "format": "positive-duration" })
);
text_scalar!(
    DurationOrZero,
    parse_duration,
    humantime::format_duration,
    json_schema!({ "type": "string", "format": "duration-or-zero" })
);
text_scalar!(
    DurationOrOff,
    parse_or_off,
    |limit: Option<Duration>| limit.map_or("off".to_owned(), |limit| {
        humantime::format_duration(limit).to_string()
    }),
    json_schema!({ "type": "string", "format": "duration-or-off" })
);
text_scalar!(
    Size<MIN>,
    |text: &str| parse_size(text, MIN),
    size_text,
    json_schema!({ "type": "string", "format": "size", "x-minimum": MIN })
);

// === impl Count ===

impl<const MIN: u32, const MAX: u32> Count<MIN, MAX> {
    /// For defaults, which the schema's tests check.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    pub fn get(self) -> u32 {
        self.0
    }

    pub fn size(self) -> usize {
        self.0 as usize
    }
}

impl<'de, const MIN: u32, const MAX: u32> Deserialize<'de> for Count<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)?;
        if (MIN..=MAX).contains(&number) {
            return Ok(Self(number));
        }
        Err(D::Error::custom(format!("must be from {MIN} to {MAX}")))
    }
}

impl<const MIN: u32, const MAX: u32> Serialize for Count<MIN, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<const MIN: u32, const MAX: u32> JsonSchema for Count<MIN, MAX> {
    fn schema_name() -> Cow<'static, str> {
        "Count".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "minimum": MIN, "maximum": MAX })
    }
}
