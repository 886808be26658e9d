//! The header `traceparent` (W3C Trace Context, section 3.2).

use std::fmt::{self, Display, Formatter};

use serde::{Serialize, Serializer};

/// In bytes, in version 00.
const TRACEPARENT_LEN: usize = 55;
/// Flag: the sender records the trace.
const SAMPLED: u8 = 1;

/// Never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId(pub(super) u128);

/// Never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanId(pub(super) u64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    pub trace: TraceId,
    /// The span of the sender.
    pub parent: SpanId,
    /// Including unknown flags.
    pub flags: u8,
}

impl TraceContext {
    /// None if the value is invalid.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (known, rest) = value.split_at_checked(TRACEPARENT_LEN)?;
        let mut fields = known.split(|byte| *byte == b'-');
        let version = number(fields.next()?, 2)?;
        let trace = number(fields.next()?, 32)?;
        let parent = number(fields.next()?, 16)?;
        let flags = number(fields.next()?, 2)?;
        // Later versions may append fields.
        let fits = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.first().is_none_or(|byte| *byte == b'-'),
        };
        let is_valid = fits && trace != 0 && parent != 0;
        is_valid.then_some(Self {
            trace: TraceId(trace),
            parent: SpanId(u64::try_from(parent).ok()?),
            flags: u8::try_from(flags).ok()?,
        })
    }

    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// A sampled trace that begins here.
    #[must_use]
    pub(super) fn new_root(trace: TraceId, parent: SpanId) -> Self {
        let flags = SAMPLED;
        Self {
            trace,
            parent,
            flags,
        }
    }
}

/// A number of exactly `count` lower-case hex digits.
fn number(digits: &[u8], count: usize) -> Option<u128> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if digits.len() != count || !digits.iter().all(is_digit) {
        return None;
    }
    u128::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

impl Display for TraceContext {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            trace,
            parent,
            flags,
        } = self;
        write!(formatter, "00-{trace}-{parent}-{flags:02x}")
    }
}

impl Display for TraceId {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

impl Display for SpanId {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl Serialize for TraceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for SpanId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{SpanId, TraceContext, TraceId};

    const VALID: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn parses_the_example_of_the_recommendation() {
        let context = TraceContext::parse(VALID.as_bytes()).unwrap();
        assert_eq!(context.trace.0, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!(context.parent.0, 0xb7ad_6b71_6920_3331);
        assert!(context.is_sampled());
        assert_eq!(context.to_string(), VALID);
        let unsampled = VALID.replace("-01", "-02");
        assert!(
            !TraceContext::parse(unsampled.as_bytes())
                .unwrap()
                .is_sampled()
        );
    }

    #[test]
    fn parses_the_known_fields_of_later_versions() {
        for good in ["", "-", "-more-of-it"] {
            let value = format!("cc{}{good}", &VALID[2..]);
            assert!(TraceContext::parse(value.as_bytes()).is_some(), "{value}");
        }
        let value = format!("cc{}x", &VALID[2..]);
        assert_eq!(TraceContext::parse(value.as_bytes()), None);
    }

    #[test]
    fn rejects_everything_else() {
        for bad in [
            "",
            "00",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-+1",
            "00-0af7651916cd43dd8448eb211c80319-cb7ad6b7169203331-01",
            " 0-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceContext::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn parses_what_it_writes(trace in 1_u128.., parent in 1_u64.., flags: u8) {
            let context = TraceContext { trace: TraceId(trace), parent: SpanId(parent), flags };
            prop_assert_eq!(TraceContext::parse(context.to_string().as_bytes()), Some(context));
        }

        #[test]
        fn any_bytes_are_parsed_without_panic(bytes: Vec<u8>, at in 0..VALID.len(), byte: u8) {
            let _ = TraceContext::parse(&bytes);
            let mut value = VALID.as_bytes().to_vec();
            value[at] = byte;
            if let Some(context) = TraceContext::parse(&value) {
                let version_alone = at < 2;
                prop_assert!(version_alone || context.to_string().as_bytes() == value);
            }
        }
    }
}
