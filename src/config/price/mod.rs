//! Prices of providers' models.

mod rates;
mod read;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use wildmatch::WildMatch;

use super::glob::overlap;

pub use rates::{LongPrompt, Price, Rates};
pub use read::read;

/// Decimal digits of a price per million tokens. With these, one token costs a
/// whole number of picodollars (10⁻¹² US dollars).
pub const PRICE_DIGITS: usize = 6;
/// Decimal digits of a sum in US dollars, counted in picodollars.
pub const COST_DIGITS: usize = 12;
/// Maximum price of a million tokens: one dollar per token.
const MAX_DOLLARS_PER_MILLION: u64 = MILLION;
const MILLION: u64 = 1_000_000;

/// Prices of one provider.
#[derive(Debug, Clone, Default)]
pub struct PriceList {
    own: PriceTable,
    builtin: PriceTable,
}

/// Prices by the provider's name for a model. A row without a price hides a
/// lower-ranking one.
#[derive(Debug, Clone, Default)]
struct PriceTable {
    exact: BTreeMap<String, Option<Arc<Price>>>,
    /// Most literal characters first.
    patterns: Vec<(WildMatch, Option<Arc<Price>>)>,
}

/// An exact decimal number.
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    /// Number of smallest units.
    pub units: u128,
    /// Number of decimal digits; trailing zeros are not shown.
    pub digits: usize,
}

impl PriceList {
    /// The price of the provider's model, if known. Configured rows override
    /// built-in ones, and a name overrides a pattern.
    #[must_use]
    pub fn get(&self, upstream_model: &str) -> Option<&Arc<Price>> {
        let own = self.own.get(upstream_model);
        own.or_else(|| self.builtin.get(upstream_model))?.as_ref()
    }

    /// Whether a name that this pattern matches may have a price.
    #[must_use]
    pub fn has_price_within(&self, pattern: &str) -> bool {
        [&self.own, &self.builtin].into_iter().any(|table| {
            let exact = table
                .exact
                .iter()
                .map(|(name, price)| (name.clone(), price));
            let patterns = table.patterns.iter();
            let patterns = patterns.map(|(pattern, price)| (pattern.pattern(), price));
            let mut priced = exact.chain(patterns).filter(|(_, price)| price.is_some());
            priced.any(|(name, _)| overlap(&[&name, pattern]))
        })
    }

    /// Adds a configured row; without a price, it hides a built-in one.
    pub fn add(&mut self, model: &str, price: Option<Arc<Price>>) {
        self.own.add(model, price);
    }

    /// Adds a built-in row.
    pub fn add_builtin(&mut self, model: &str, price: &Arc<Price>) {
        self.builtin.add(model, Some(Arc::clone(price)));
    }
}

impl PriceTable {
    fn get(&self, name: &str) -> Option<&Option<Arc<Price>>> {
        self.exact.get(name).or_else(|| {
            let mut patterns = self.patterns.iter();
            let (_, price) = patterns.find(|(pattern, _)| pattern.matches(name))?;
            Some(price)
        })
    }

    fn add(&mut self, model: &str, price: Option<Arc<Price>>) {
        if !is_pattern(model) {
            self.exact.insert(model.to_owned(), price);
            return;
        }
        let pattern = WildMatch::new(model);
        let spelt = |text: &str| text.chars().filter(|it| !matches!(it, '*' | '?')).count();
        let location = self
            .patterns
            .partition_point(|(other, _)| spelt(&other.to_string()) >= spelt(model));
        self.patterns.insert(location, (pattern, price));
    }
}

/// The provider (a name or pattern) and its name for a model. Only the latter
/// may contain slashes.
pub fn split_key(key: &str) -> Option<(&str, &str)> {
    let parts = key.split_once('/');
    parts.filter(|(provider, model)| !provider.is_empty() && !model.is_empty())
}

/// Parses a price in dollars per million tokens, as millionths of a dollar.
pub fn parse_rate(text: &str) -> Result<u64, String> {
    let Some((whole, rest)) = decimal_parts(text) else {
        return Err(
            "not a price; write dollars per million tokens in digits, such as \"2.50\"".into(),
        );
    };
    if rest.len() > PRICE_DIGITS {
        return Err(format!(
            "has more than {PRICE_DIGITS} decimal digits; round it"
        ));
    }
    // Only digits: if this does not parse, it is too large.
    let millionths = format!("{whole}{rest:0<PRICE_DIGITS$}").parse();
    match millionths {
        Ok(millionths) if millionths <= MAX_DOLLARS_PER_MILLION * MILLION => Ok(millionths),
        _ => Err(format!(
            "must be at most \"{MAX_DOLLARS_PER_MILLION}\"; it is the price of a million tokens"
        )),
    }
}

/// Parses a decimal number as units of its last digit. `None` if it is none, has more
/// digits, or is too large.
pub fn decimal(text: &str, digits: usize) -> Option<u64> {
    let (whole, rest) = decimal_parts(text)?;
    let fits = rest.len() <= digits;
    fits.then(|| format!("{whole}{rest:0<digits$}").parse().ok())?
}

/// The digits before and behind the point, without zeros at the end.
fn decimal_parts(text: &str) -> Option<(&str, &str)> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
    let is_number = is_digits(whole) && is_digits(rest);
    is_number.then(|| (whole, rest.trim_end_matches('0')))
}

/// True when the text contains wildcards.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { units, digits } = *self;
        // `digits` is small: a constant of this module.
        let one = 10_u128.pow(u32::try_from(digits).unwrap_or_default());
        let (whole, rest) = (units / one, units % one);
        if rest == 0 {
            return write!(formatter, "{whole}");
        }
        let rest = format!("{rest:0digits$}");
        write!(formatter, "{whole}.{}", rest.trim_end_matches('0'))
    }
}

impl Serialize for Decimal {
    /// As text: JSON numbers are read as floats.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
