//! Cost of a request, exact: whole picodollars, never floats.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Model;
use crate::config::{COST_DIGITS, Decimal, Price};
use crate::wire::usage::Usage;

/// Maximum cost of one request, in picodollars: a million dollars. Token counts that
/// cost more are an error of the provider.
const MAX: u128 = 1_000_000_000_000_000_000;

/// In picodollars (10⁻¹² US dollars).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost(u128);

impl Cost {
    /// `None` if a count that matters, or its price, is unknown.
    #[must_use]
    pub fn of(price: &Price, usage: &Usage) -> Option<Self> {
        let input = usage.input?;
        let cached = usage.cached.unwrap_or_default().min(input);
        let output = usage.billed_output();
        let output_price = match price.output {
            Some(price) => price,
            None if output == 0 => 0,
            None => return None,
        };
        // Each product has less than 104 bits: a price has at most 40.
        let of = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
        let sum = of(input - cached, price.input)
            + of(cached, price.cached_input)
            + of(output, output_price);
        (sum <= MAX).then_some(Self(sum))
    }

    /// The sum of the known costs.
    #[must_use]
    pub fn sum(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(Self(one.0.saturating_add(other.0))),
            (one, other) => one.or(other),
        }
    }

    #[must_use]
    pub fn picodollars(self) -> u64 {
        u64::try_from(self.0).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Cost {
    /// In dollars, with all digits.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = self.0;
        let digits = COST_DIGITS;
        Decimal { units, digits }.fmt(formatter)
    }
}

impl Serialize for Cost {
    /// As a string: JSON parsers read numbers as floats.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Model {
    /// The price of the model, if it is the same at all targets.
    #[must_use]
    pub fn price(&self) -> Option<&Price> {
        let mut prices = self.targets.iter().map(|target| target.price.as_deref());
        let first = prices.next()??;
        prices.all(|price| price == Some(first)).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::Cost;
    use crate::config::Price;
    use crate::wire::usage::Usage;

    /// 2.50 in, 1.25 cached, 10 out.
    const PRICE: Price = Price {
        input: 2_500_000,
        cached_input: 1_250_000,
        output: Some(10_000_000),
    };

    fn usage(input: u64, cached: u64, output: u64) -> Usage {
        Usage {
            input: Some(input),
            cached: Some(cached),
            output: Some(output),
            ..Usage::default()
        }
    }

    fn text(price: &Price, usage: &Usage) -> Option<String> {
        Cost::of(price, usage).map(|cost| cost.to_string())
    }

    #[test]
    fn costs_are_exact_to_the_last_digit() {
        for (counts, dollars) in [
            ((1_000_000, 0, 0), "2.5"),
            ((0, 0, 1_000_000), "10"),
            ((1, 0, 0), "0.0000025"),
            ((12, 5, 34), "0.00036375"),
            ((7, 7, 0), "0.00000875"),
            ((0, 0, 0), "0"),
            ((123_456_789, 0, 987_654_321), "10185.1851825"),
        ] {
            let (input, cached, output) = counts;
            let found = text(&PRICE, &usage(input, cached, output));
            assert_eq!(found.as_deref(), Some(dollars), "{counts:?}");
        }
        let smallest = Price::new(1, None, None);
        let found = text(&smallest, &usage(1, 0, 0));
        assert_eq!(found.as_deref(), Some("0.000000000001"));
    }

    #[test]
    fn a_million_tenths_of_a_millionth_are_a_tenth() {
        // In floats, this sum is 0.10000000000184563.
        let price = Price::new(100_000, None, None);
        let one = Cost::of(&price, &usage(1, 0, 0));
        assert_eq!(one.unwrap().to_string(), "0.0000001");
        let sum = (0..1_000_000).fold(None, |sum, _| Cost::sum(sum, one));
        assert_eq!(sum.unwrap().to_string(), "0.1");
        let units = (0..1_000_000).fold(0, |sum, _| sum + one.unwrap().picodollars());
        assert_eq!(units, 100_000_000_000);
    }

    #[test]
    fn more_cached_than_input_tokens_count_as_all_of_them() {
        let found = text(&PRICE, &usage(4, 9, 0));
        assert_eq!(found.as_deref(), Some("0.000005"));
    }

    #[test]
    fn reasoning_tokens_outside_the_output_count_are_billed() {
        let separate = Usage {
            reasoning: Some(300),
            total: Some(320),
            ..usage(11, 0, 9)
        };
        assert_eq!(text(&PRICE, &separate).as_deref(), Some("0.0031175"));
        let within = Usage {
            reasoning: Some(6),
            total: Some(20),
            ..usage(11, 0, 9)
        };
        assert_eq!(text(&PRICE, &within).as_deref(), Some("0.0001175"));
    }

    #[test]
    fn unknown_counts_and_prices_have_no_cost() {
        let no_input = Usage {
            input: None,
            ..usage(0, 0, 5)
        };
        let embedding = Price::new(20_000, None, None);
        assert_eq!(text(&PRICE, &no_input), None);
        assert_eq!(text(&PRICE, &Usage::default()), None);
        assert_eq!(text(&embedding, &usage(1, 0, 1)), None);
        let only_input = Usage {
            input: Some(8),
            total: Some(8),
            ..Usage::default()
        };
        assert_eq!(text(&embedding, &only_input).as_deref(), Some("0.00000016"));
    }

    #[test]
    fn an_implausibly_large_count_has_no_cost() {
        for tokens in [u64::MAX, 1 << 53] {
            assert_eq!(text(&PRICE, &usage(tokens, 0, tokens)), None);
        }
        let expensive = Price::new(1_000_000_000_000, None, None);
        assert_eq!(
            text(&expensive, &usage(1_000_000, 0, 0)).as_deref(),
            Some("1000000")
        );
        assert_eq!(text(&expensive, &usage(1_000_001, 0, 0)), None);
        assert_eq!(Cost(u128::MAX).picodollars(), u64::MAX);
    }

    #[test]
    fn a_sum_adds_the_known_costs_and_saturates() {
        let one = Some(Cost(1));
        assert_eq!(Cost::sum(None, None), None);
        assert_eq!(Cost::sum(one, None), one);
        assert_eq!(Cost::sum(None, one), one);
        let all = Some(Cost(u128::MAX));
        assert_eq!(Cost::sum(all, one), all);
        // A hundred million dollars plus a picodollar, without loss.
        let many = Some(Cost(100_000_000 * 1_000_000_000_000));
        assert_eq!(
            Cost::sum(many, one).unwrap().to_string(),
            "100000000.000000000001"
        );
    }
}
