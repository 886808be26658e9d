//! The headers by which clients are informed of their limits, and the values in them.

use std::fmt::{self, Display, Write as _};
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use jiff::tz::Offset;

use crate::config::COST_DIGITS;
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

/// A value that is written without the machinery of [`std::fmt`]: there are up to nine of
/// them in each response to a client with limits.
pub trait HeaderText {
    fn write(&self, text: &mut BytesMut);
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
        set(&self.limit, header_value(buffer, &report.limit));
        set(&self.remaining, header_value(buffer, &report.remaining));
        if let Some(reset) = report.reset {
            let value = if self.has_time {
                header_value(buffer, &Rfc3339::utc(reset.at_seconds))
            } else {
                header_value(buffer, &ShortDuration(reset.after))
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
    let remaining = header_value(buffer, &Dollars(budget.remaining));
    let remaining = remaining.map(|value| (BUDGET_REMAINING, value));
    let reset = budget.reset.map(Rfc3339::local);
    let reset = reset.and_then(|reset| header_value(buffer, &reset));
    let reset = reset.map(|value| (BUDGET_RESET, value));
    remaining.into_iter().chain(reset)
}

/// What is written is taken out of the buffer again.
pub fn header_value(
    buffer: &mut BytesMut,
    value: &(impl HeaderText + ?Sized),
) -> Option<HeaderValue> {
    value.write(buffer);
    HeaderValue::from_maybe_shared(buffer.split().freeze()).ok()
}

fn display(value: &impl HeaderText, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = BytesMut::new();
    value.write(&mut text);
    formatter.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

fn two_digits(number: u16) -> [u8; 2] {
    let number = number % 100;
    [number / 10, number % 10].map(|digit| b'0' + digit.to_le_bytes()[0])
}

impl HeaderText for u64 {
    fn write(&self, text: &mut BytesMut) {
        text.put_slice(itoa::Buffer::new().format(*self).as_bytes());
    }
}

impl HeaderText for str {
    fn write(&self, text: &mut BytesMut) {
        text.put_slice(self.as_bytes());
    }
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

    /// `None` beyond what has two digits for each part, and four for the year.
    fn write_plain(&self, time: Timestamp, text: &mut BytesMut) -> Option<()> {
        let offset = self.offset.unwrap_or(Offset::UTC);
        let time = offset.to_datetime(time);
        let year = u16::try_from(time.year()).ok().filter(|it| *it < 10_000)?;
        let offset = offset.seconds();
        let minutes = u16::try_from(offset.unsigned_abs() / 60).ok();
        let minutes = minutes.filter(|_| offset % 60 == 0)?;
        let date = [time.month(), time.day()];
        let clock = [time.hour(), time.minute(), time.second()];
        let parts = date.into_iter().chain(clock);
        let parts = parts.map(|part| u16::from(part.unsigned_abs()));
        let parts = [year / 100, year].into_iter().chain(parts);
        let mut plain = *b"0000-00-00T00:00:00";
        for (at, part) in [0, 2, 5, 8, 11, 14, 17].into_iter().zip(parts) {
            if let Some(digits) = plain.get_mut(at..at + 2) {
                digits.copy_from_slice(&two_digits(part));
            }
        }
        text.put_slice(&plain);
        if self.offset.is_none() {
            text.put_u8(b'Z');
            return Some(());
        }
        text.put_u8(if offset < 0 { b'-' } else { b'+' });
        text.put_slice(&two_digits(minutes / 60));
        text.put_u8(b':');
        text.put_slice(&two_digits(minutes % 60));
        Some(())
    }
}

impl HeaderText for Rfc3339 {
    fn write(&self, text: &mut BytesMut) {
        let Ok(time) = Timestamp::from_second(self.seconds) else {
            return;
        };
        if self.write_plain(time, text).is_none() {
            // Writing to a buffer does not fail.
            let _ = match self.offset {
                Some(offset) => write!(text, "{}", time.display_with_offset(offset)),
                None => write!(text, "{time}"),
            };
        }
    }
}

impl HeaderText for Dollars {
    fn write(&self, text: &mut BytesMut) {
        #[allow(clippy::cast_possible_truncation, reason = "it is 12")]
        const ONE: u64 = 10_u64.pow(COST_DIGITS as u32);
        (self.0 / ONE).write(text);
        let mut rest = self.0 % ONE;
        if rest == 0 {
            return;
        }
        let mut digits = COST_DIGITS;
        while rest.is_multiple_of(10) {
            rest /= 10;
            digits -= 1;
        }
        let mut buffer = itoa::Buffer::new();
        let rest = buffer.format(rest).as_bytes();
        text.put_u8(b'.');
        text.put_bytes(b'0', digits.saturating_sub(rest.len()));
        text.put_slice(rest);
    }
}

impl HeaderText for ShortDuration {
    fn write(&self, text: &mut BytesMut) {
        let rest = u64::from(self.0.subsec_nanos().div_ceil(1_000_000));
        let milliseconds = self.0.as_secs().saturating_mul(1_000).saturating_add(rest);
        if milliseconds < 1_000 {
            milliseconds.write(text);
            return text.put_slice(b"ms");
        }
        let (seconds, rest) = (milliseconds / 1_000, milliseconds % 1_000);
        let (minutes, seconds) = (seconds / 60, seconds % 60);
        let (hours, minutes) = (minutes / 60, minutes % 60);
        if hours > 0 {
            hours.write(text);
            text.put_u8(b'h');
        }
        if hours > 0 || minutes > 0 {
            minutes.write(text);
            text.put_u8(b'm');
        }
        seconds.write(text);
        if rest > 0 {
            let digits = [rest / 100, rest / 10 % 10, rest % 10];
            let digits = digits.map(|digit| b'0' + digit.to_le_bytes()[0]);
            let zeros = digits.iter().rev().take_while(|it| **it == b'0').count();
            text.put_u8(b'.');
            text.put_slice(digits.get(..digits.len() - zeros).unwrap_or_default());
        }
        text.put_u8(b's');
    }
}

impl Display for Rfc3339 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        display(self, formatter)
    }
}

impl Display for Dollars {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        display(self, formatter)
    }
}

impl Display for ShortDuration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        display(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::BytesMut;
    use jiff::Timestamp;
    use jiff::tz::Offset;
    use proptest::prelude::*;

    use super::{Dollars, Rfc3339, ShortDuration, header_value};
    use crate::config::{COST_DIGITS, Decimal};

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
        let time = header_value(&mut buffer, &Rfc3339::utc(0)).unwrap();
        let dollars = header_value(&mut buffer, &Dollars(41_370_000_000_000)).unwrap();
        assert_eq!(time, "1970-01-01T00:00:00Z");
        assert_eq!(dollars, "41.37");
    }

    #[test]
    fn dollars_have_no_zeros_at_their_end() {
        for (picodollars, expected) in [
            (0, "0"),
            (1, "0.000000000001"),
            (500_000_000_000, "0.5"),
            (1_000_000_000_000, "1"),
            (10_000_000_000_000_000_000, "10000000"),
            (u64::MAX, "18446744.073709551615"),
        ] {
            assert_eq!(Dollars(picodollars).to_string(), expected);
            let units = picodollars.into();
            let digits = COST_DIGITS;
            assert_eq!(Decimal { units, digits }.to_string(), expected);
        }
    }

    proptest! {
        #[test]
        fn times_are_written_as_jiff_does(
            seconds in -1_000_000_000_000_i64..1_000_000_000_000,
            offset in prop::option::of(-93_599_i32..93_599),
        ) {
            let offset = offset.map(|it| Offset::from_seconds(it).unwrap());
            let Ok(time) = Timestamp::from_second(seconds) else {
                return Ok(());
            };
            let expected = match offset {
                Some(offset) => time.display_with_offset(offset).to_string(),
                None => time.to_string(),
            };
            prop_assert_eq!(Rfc3339 { seconds, offset }.to_string(), expected);
        }
    }
}
