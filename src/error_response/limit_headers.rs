//! The headers by which clients are informed of their limits, and the values in them.

use std::fmt::{self, Display, Write as _};
use std::time::Duration;

use bytes::BytesMut;
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use jiff::tz::Offset;

use crate::config::{COST_DIGITS, Decimal};
use crate::limits::{LimitReset, QuotaReport};

const BUDGET_REMAINING: HeaderName = HeaderName::from_static("x-trunkline-budget-remaining");
const BUDGET_RESET: HeaderName = HeaderName::from_static("x-trunkline-budget-reset");
/// The limit that has the least share left, or that refused the request.
pub const LIMIT: HeaderName = HeaderName::from_static("x-trunkline-limit");

/// The names for one kind of amount.
pub struct RateHeaders {
    limit: HeaderName,
    remaining: HeaderName,
    reset: HeaderName,
    /// Anthropic writes a time, OpenAI a duration.
    has_time: bool,
}

/// Picodollars as dollars.
pub struct Dollars(pub u64);

/// As OpenAI writes it: `120ms`, `1.2s`, `6m0s`.
pub struct ShortDuration(pub Duration);

/// A time in UTC or at an offset.
pub struct Rfc3339 {
    seconds: i64,
    offset: Option<Offset>,
}

// === impl RateHeaders ===

impl RateHeaders {
    // OpenAI's guide "Rate limits".
    pub const OPENAI_REQUESTS: Self = Self::new(
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
        false,
    );
    pub const OPENAI_TOKENS: Self = Self::new(
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens",
        false,
    );
    // Anthropic's API reference, "Rate limits".
    pub const ANTHROPIC_REQUESTS: Self = Self::new(
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
        true,
    );
    pub const ANTHROPIC_TOKENS: Self = Self::new(
        "anthropic-ratelimit-tokens-limit",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
        true,
    );
    pub const ANTHROPIC_INPUT: Self = Self::new(
        "anthropic-ratelimit-input-tokens-limit",
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
        true,
    );
    pub const ANTHROPIC_OUTPUT: Self = Self::new(
        "anthropic-ratelimit-output-tokens-limit",
        "anthropic-ratelimit-output-tokens-remaining",
        "anthropic-ratelimit-output-tokens-reset",
        true,
    );

    const fn new(
        limit: &'static str,
        remaining: &'static str,
        reset: &'static str,
        has_time: bool,
    ) -> Self {
        Self {
            limit: HeaderName::from_static(limit),
            remaining: HeaderName::from_static(remaining),
            reset: HeaderName::from_static(reset),
            has_time,
        }
    }

    /// Passes each name on, with its value. They share the buffer's allocation.
    pub fn write(
        &self,
        report: &QuotaReport,
        buffer: &mut BytesMut,
        mut set: impl FnMut(HeaderName, HeaderValue),
    ) {
        let mut set = |name: &HeaderName, value: Option<HeaderValue>| {
            if let Some(value) = value {
                set(name.clone(), value);
            }
        };
        set(&self.limit, header_value(buffer, report.limit));
        set(&self.remaining, header_value(buffer, report.remaining));
        if let Some(reset) = report.reset {
            let value = if self.has_time {
                header_value(buffer, Rfc3339::utc(reset.at_seconds))
            } else {
                header_value(buffer, ShortDuration(reset.after))
            };
            set(&self.reset, value);
        }
    }
}

/// What is left of a budget, and when it begins anew.
pub fn budget_headers(
    budget: &QuotaReport,
    buffer: &mut BytesMut,
) -> impl Iterator<Item = (HeaderName, HeaderValue)> + use<> {
    let remaining = header_value(buffer, Dollars(budget.remaining));
    let remaining = remaining.map(|value| (BUDGET_REMAINING, value));
    let reset = budget.reset.map(Rfc3339::local);
    let reset = reset.and_then(|reset| header_value(buffer, reset));
    let reset = reset.map(|value| (BUDGET_RESET, value));
    remaining.into_iter().chain(reset)
}

/// What is written is taken out of the buffer again.
pub fn header_value(buffer: &mut BytesMut, value: impl Display) -> Option<HeaderValue> {
    write!(buffer, "{value}").ok()?;
    HeaderValue::from_maybe_shared(buffer.split().freeze()).ok()
}

// === impl Rfc3339 ===

impl Rfc3339 {
    #[must_use]
    pub fn utc(seconds: i64) -> Self {
        Self {
            seconds,
            offset: None,
        }
    }

    /// In the time zone of the limit.
    #[must_use]
    pub fn local(reset: LimitReset) -> Self {
        Self {
            seconds: reset.at_seconds,
            offset: reset.offset,
        }
    }
}

impl Display for Rfc3339 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(time) = Timestamp::from_second(self.seconds) else {
            return Ok(());
        };
        match self.offset {
            Some(offset) => time.display_with_offset(offset).fmt(formatter),
            None => time.fmt(formatter),
        }
    }
}

impl Display for Dollars {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = self.0.into();
        let digits = COST_DIGITS;
        Decimal { units, digits }.fmt(formatter)
    }
}

impl Display for ShortDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_nanos().div_ceil(1_000_000);
        if milliseconds < 1_000 {
            return write!(formatter, "{milliseconds}ms");
        }
        let (seconds, mut rest) = (milliseconds / 1_000, milliseconds % 1_000);
        let (minutes, seconds) = (seconds / 60, seconds % 60);
        let (hours, minutes) = (minutes / 60, minutes % 60);
        if hours > 0 {
            write!(formatter, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(formatter, "{minutes}m")?;
        }
        write!(formatter, "{seconds}")?;
        if rest > 0 {
            let mut digits = 3;
            while rest % 10 == 0 {
                rest /= 10;
                digits -= 1;
            }
            write!(formatter, ".{rest:0digits$}")?;
        }
        formatter.write_str("s")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::BytesMut;

    use super::{Dollars, Rfc3339, ShortDuration, header_value};

    #[test]
    fn durations_are_written_as_openai_does() {
        for (milliseconds, expected) in [
            (0, "0ms"),
            (120, "120ms"),
            (1_200, "1.2s"),
            (59_999, "59.999s"),
            (60_010, "1m0.01s"),
            (360_000, "6m0s"),
            (3_661_500, "1h1m1.5s"),
            (7_200_000, "2h0m0s"),
        ] {
            let text = ShortDuration(Duration::from_millis(milliseconds)).to_string();
            assert_eq!(text, expected);
        }
        let rounded_up = ShortDuration(Duration::from_nanos(1)).to_string();
        assert_eq!(rounded_up, "1ms");
    }

    #[test]
    fn values_share_a_buffer() {
        let mut buffer = BytesMut::with_capacity(64);
        let time = header_value(&mut buffer, Rfc3339::utc(0)).unwrap();
        let dollars = header_value(&mut buffer, Dollars(41_370_000_000_000)).unwrap();
        assert_eq!(time, "1970-01-01T00:00:00Z");
        assert_eq!(dollars, "41.37");
    }
}
