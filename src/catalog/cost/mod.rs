//! Cost of a request, exact: whole picodollars, never floats.

#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Serialize, Serializer};

use super::Model;
use crate::config::{COST_DIGITS, Decimal, Price, Rates};
use crate::wire::usage::Usage;

/// Maximum cost of one request, in picodollars: a million dollars. Token counts that
/// cost more are an error of the provider.
const MAX: u128 = 1_000_000_000_000_000_000;

/// In picodollars (10⁻¹² US dollars).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cost(u128);

impl Cost {
    /// `None` if a count that matters, or a price of what was used, is unknown.
    #[must_use]
    pub fn of(price: &Price, usage: &Usage) -> Option<Self> {
        if usage.inexact {
            return None;
        }
        let rates = price.rates(usage.tier.unwrap_or_default(), usage.input?)?;
        let searches = Item(usage.searches, rates.search());
        let sum = input(rates, usage)? + output(rates, usage)? + searches.cost()?;
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
    pub fn from_picodollars(picodollars: u128) -> Self {
        Self(picodollars)
    }

    #[must_use]
    pub fn picodollars(self) -> u64 {
        u64::try_from(self.0).unwrap_or(u64::MAX)
    }
}

/// A count and the price of one.
struct Item(Option<u64>, Option<u64>);

impl Item {
    fn cost(&self) -> Option<u128> {
        let count = self.0.unwrap_or_default();
        if count == 0 {
            return Some(0);
        }
        // Less than 114 bits: a price has at most 50.
        Some(u128::from(count) * u128::from(self.1?))
    }
}

/// The cost of so many tokens, of which some have prices of their own.
fn tokens(all: u64, price: Option<u64>, parts: &[Item]) -> Option<u128> {
    let mut plain = all;
    let mut sum = 0;
    for part in parts {
        // More of a kind than of all kinds is a contradiction.
        plain = plain.checked_sub(part.0.unwrap_or_default())?;
        sum += part.cost()?;
    }
    Some(sum + Item(Some(plain), price).cost()?)
}

fn input(rates: &Rates, usage: &Usage) -> Option<u128> {
    let written = usage.cache_write.unwrap_or_default();
    let for_an_hour = usage.cache_write_1h.unwrap_or_default();
    let cache = [
        Item(usage.cached, Some(rates.cached_input)),
        Item(written.checked_sub(for_an_hour), rates.cache_write),
        Item(usage.cache_write_1h, rates.cache_write_1h),
    ];
    let media = [
        Item(usage.audio_input, rates.audio_input),
        Item(usage.image_input, rates.image_input),
    ];
    let is_used = |items: &[Item]| items.iter().any(|item| item.0.is_some_and(|it| it > 0));
    // How many of the cached tokens are audio or images is unknown.
    if written < for_an_hour || is_used(&cache) && is_used(&media) {
        return None;
    }
    let [read, short, long] = cache;
    let [audio, image] = media;
    let parts = [read, short, long, audio, image];
    tokens(usage.input?, Some(rates.input), &parts)
}

fn output(rates: &Rates, usage: &Usage) -> Option<u128> {
    // Embeddings have no completion, and no price for one.
    if rates.output.is_some() && usage.output.is_none() && usage.total.is_none() {
        return None;
    }
    let parts = [
        Item(usage.audio_output, rates.audio_output),
        Item(usage.image_output, rates.image_output),
    ];
    tokens(usage.billed_output(), rates.output, &parts)
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
