//! Numbers as they are written: exact, and as text where they are passed on.

use std::time::Duration;

/// `digits` times ten to the power of `exponent`; not negative.
// The order serves to compare sets, and has no meaning.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number {
    digits: u128,
    exponent: i32,
}

/// As many significant digits fit into the digits of [`Number`] and leave room to scale.
const MAX_DIGITS: usize = 18;
const MAX_EXPONENT: i32 = 30;
/// The longest duration of a configuration (`config::raw`).
const MAX_DURATION: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// Decimal digits of a price per million tokens (`config::price`).
const PRICE_DIGITS: i32 = 6;
/// The highest price of a configuration: a dollar for each token, in millionths of a
/// dollar per million.
const MAX_PRICE: u128 = 1_000_000_000_000;

/// The largest budget of a configuration.
const MAX_DOLLARS: u128 = 18_000_000;
const MILLION: u128 = 1_000_000;

impl Number {
    /// Reads `600`, `0.5`, `2.5e-06` or `1_000`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().replace('_', "");
        let lower = text.strip_prefix('+').unwrap_or(&text).to_ascii_lowercase();
        let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
        let exponent: i32 = exponent.parse().ok()?;
        let (whole, rest) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{rest}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let exponent = exponent.checked_sub(i32::try_from(rest.len()).ok()?)?;
        let significant = digits.trim_start_matches('0');
        let kept = significant.trim_end_matches('0');
        let dropped = i32::try_from(significant.len() - kept.len()).ok()?;
        let exponent = exponent.checked_add(dropped)?;
        if kept.is_empty() {
            return Some(Self {
                digits: 0,
                exponent: 0,
            });
        }
        let digits = kept.parse().ok().filter(|_| kept.len() <= MAX_DIGITS)?;
        let fits = exponent.checked_abs()? <= MAX_EXPONENT;
        fits.then_some(Self { digits, exponent })
    }

    pub fn is_zero(self) -> bool {
        self.digits == 0
    }

    /// Times ten to the power of `shift`, rounded half up; none where it is too large.
    fn scaled(self, shift: i32) -> Option<u128> {
        let exponent = self.exponent.checked_add(shift)?;
        let power = 10_u128.checked_pow(exponent.unsigned_abs());
        if exponent >= 0 {
            return self.digits.checked_mul(power?);
        }
        // A power that is too large leaves nothing of the digits.
        Some(power.map_or(0, |power| (self.digits + power / 2) / power))
    }

    /// As a whole number; none if it has a fraction.
    pub fn whole(self) -> Option<u64> {
        (self.exponent >= 0)
            .then(|| self.scaled(0))
            .flatten()
            .and_then(|whole| u64::try_from(whole).ok())
    }

    /// These seconds, to the millisecond.
    fn seconds(self) -> Option<Duration> {
        let millis = u64::try_from(self.scaled(3)?).ok()?;
        (millis > 0).then(|| Duration::from_millis(millis))
    }

    /// These seconds, where a configuration accepts them.
    pub fn config_seconds(self) -> Option<Duration> {
        self.seconds().filter(|seconds| *seconds <= MAX_DURATION)
    }

    /// As the text of a budget, to the millionth of a dollar.
    pub fn dollars(self) -> Option<String> {
        let millionths = self.scaled(PRICE_DIGITS);
        let millionths = millionths.filter(|it| *it <= MAX_DOLLARS * MILLION)?;
        // Zero would block.
        (millionths > 0 || self.is_zero()).then(|| decimal(millionths))
    }

    /// A price of one token as the text of the price of a million.
    pub fn per_million(self) -> Option<String> {
        let millionths = self
            .scaled(6 + PRICE_DIGITS)
            .filter(|it| *it <= MAX_PRICE)?;
        Some(decimal(millionths))
    }
}

/// Millionths as a decimal number.
fn decimal(millionths: u128) -> String {
    let (whole, rest) = (millionths / MILLION, millionths % MILLION);
    if rest == 0 {
        return whole.to_string();
    }
    let rest = format!("{rest:06}");
    format!("{whole}.{}", rest.trim_end_matches('0'))
}

/// Whole weights from 1 to `max` in the same proportion, as far as that allows.
/// A zero stays zero.
pub fn whole_weights(numbers: &[Number], max: u128) -> Option<Vec<u32>> {
    let least = numbers.iter().map(|number| number.exponent).min()?;
    let scaled: Option<Vec<u128>> = numbers.iter().map(|it| it.scaled(-least)).collect();
    let scaled = scaled?;
    let divisor = scaled.iter().copied().fold(0, greatest_common_divisor);
    let largest = scaled.iter().copied().max()? / divisor.max(1);
    let weight = |number: u128| {
        let reduced = number / divisor.max(1);
        let weight = if largest > max {
            // Rounded; not to zero, which would exclude the target.
            let exact = reduced.checked_mul(max)?.checked_add(largest / 2)? / largest;
            exact.max(u128::from(reduced > 0))
        } else {
            reduced
        };
        u32::try_from(weight).ok()
    };
    scaled.into_iter().map(weight).collect()
}

fn greatest_common_divisor(one: u128, other: u128) -> u128 {
    if other == 0 {
        one
    } else {
        greatest_common_divisor(other, one % other)
    }
}

#[cfg(test)]
mod tests {
    use super::{Number, whole_weights};

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn a_price_per_token_becomes_the_exact_price_of_a_million() {
        for (token, million) in [
            ("0.0000025", "2.5"),
            ("2.5e-06", "2.5"),
            ("1E-5", "10"),
            ("0", "0"),
            ("0.00", "0"),
            ("3e-7", "0.3"),
            ("0.000000123456789", "0.123457"),
            ("1", "1000000"),
        ] {
            assert_eq!(number(token).per_million().unwrap(), million, "{token}");
        }
    }

    #[test]
    fn what_is_no_plain_number_is_none() {
        for text in [
            "",
            "-1",
            "x",
            "1e",
            "e5",
            "1.2.3",
            "inf",
            "nan",
            "1e999999999999",
            "1e31",
        ] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
        assert_eq!(number("1_000").whole(), Some(1000));
        assert_eq!(number("1.5").whole(), None);
        assert_eq!(number("1e30").whole(), None);
    }

    #[test]
    fn seconds_may_have_a_fraction_and_are_not_zero() {
        assert_eq!(number("0.5").seconds().unwrap().as_millis(), 500);
        assert_eq!(number("600").seconds().unwrap().as_secs(), 600);
        assert_eq!(number("0").seconds(), None);
        assert_eq!(number("0.0001").seconds(), None);
    }

    #[test]
    fn weights_keep_their_proportion() {
        for (weights, expected) in [
            (&["0.7", "0.3"][..], &[7, 3][..]),
            (&["6", "1440"], &[1, 240]),
            (&["1", "1"], &[1, 1]),
            (&["60000", "600", "1"], &[1000, 10, 1]),
            (&["0", "2"], &[0, 1]),
            (&["0", "0"], &[0, 0]),
            (&["1e-30", "1e30"], &[1, 1000]),
        ] {
            let numbers: Vec<_> = weights.iter().map(|text| number(text)).collect();
            let whole = whole_weights(&numbers, 1000);
            // More than the digits of a number can span is refused.
            let is_too_wide = weights.contains(&"1e30");
            assert!(whole.as_deref() == Some(expected) || (is_too_wide && whole.is_none()));
        }
    }
}
