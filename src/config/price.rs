//! What a provider asks for the tokens of its models.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use wildmatch::WildMatch;

/// Digits behind the point of a price per million tokens. With these, one
/// token costs a whole number of picodollars (10⁻¹² US dollars).
pub const PRICE_DIGITS: usize = 6;
/// Digits behind the point of a sum in US dollars, counted in picodollars.
pub const COST_DIGITS: usize = 12;
/// Highest price of a million tokens, in dollars: one dollar a token.
const HIGHEST: u64 = MILLION;
const MILLION: u64 = 1_000_000;

/// What the tokens of one model cost, in picodollars for each; the same number
/// is the price of a million in millionths of a dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "Shown")]
pub struct Price {
    /// Tokens of the prompt.
    pub input: u64,
    /// Tokens of the prompt that came out of a cache.
    pub cached_input: u64,
    /// Tokens of the answer; none where no price for them is known.
    pub output: Option<u64>,
}

/// The prices at one provider.
#[derive(Debug, Clone, Default)]
pub struct PriceList {
    own: Rows,
    builtin: Rows,
}

/// Prices by the provider's name for a model. A row without a price takes one
/// away that would hold without it.
#[derive(Debug, Clone, Default)]
struct Rows {
    exact: BTreeMap<String, Option<Arc<Price>>>,
    /// The more of a name it spells out, the earlier.
    patterns: Vec<(WildMatch, Option<Arc<Price>>)>,
}

/// A price as JSON shows it.
#[derive(Serialize)]
struct Shown {
    #[serde(rename = "input_per_million")]
    input: Decimal,
    #[serde(rename = "cached_input_per_million")]
    cached_input: Decimal,
    #[serde(rename = "output_per_million")]
    output: Option<Decimal>,
}

/// A sum of money in decimal digits, exactly.
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    /// How many of the smallest unit.
    pub units: u128,
    /// How many digits stand behind the point, less the zeros at the end.
    pub digits: usize,
}

impl PriceList {
    /// The price of what the provider calls by this name, if one is known.
    /// What the config says goes before the built-in table, and a name before
    /// a pattern.
    #[must_use]
    pub fn of(&self, upstream_model: &str) -> Option<&Arc<Price>> {
        let own = self.own.of(upstream_model);
        own.or_else(|| self.builtin.of(upstream_model))?.as_ref()
    }

    /// Adds a row of the config; without a price, it takes one away.
    pub fn add(&mut self, model: &str, price: Option<Arc<Price>>) {
        self.own.add(model, price);
    }

    /// Adds a row of the built-in table.
    pub fn add_builtin(&mut self, model: &str, price: &Arc<Price>) {
        self.builtin.add(model, Some(Arc::clone(price)));
    }
}

impl Rows {
    fn of(&self, name: &str) -> Option<&Option<Arc<Price>>> {
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
        let place = self
            .patterns
            .partition_point(|(other, _)| spelt(&other.to_string()) >= spelt(model));
        self.patterns.insert(place, (pattern, price));
    }
}

/// The provider's name (or a pattern of names) and its name for a model. Only
/// the latter may hold slashes.
pub fn split(key: &str) -> Option<(&str, &str)> {
    let parts = key.split_once('/');
    parts.filter(|(provider, model)| !provider.is_empty() && !model.is_empty())
}

/// Reads a price in dollars per million tokens; gives it in millionths of a
/// dollar.
pub fn rate(text: &str) -> Result<u64, String> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
    if !is_digits(whole) || !is_digits(rest) {
        return Err(
            "not a price; write dollars per million tokens in digits, such as \"2.50\"".into(),
        );
    }
    let rest = rest.trim_end_matches('0');
    if rest.len() > PRICE_DIGITS {
        return Err(format!(
            "has more than {PRICE_DIGITS} digits behind the point; round it"
        ));
    }
    // These are digits, so that what cannot be parsed is too much.
    let millionths = format!("{whole}{rest:0<PRICE_DIGITS$}").parse();
    match millionths {
        Ok(millionths) if millionths <= HIGHEST * MILLION => Ok(millionths),
        _ => Err(format!(
            "must be at most \"{HIGHEST}\"; it is the price of a million tokens"
        )),
    }
}

/// True when the text stands for more than itself.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

impl Price {
    /// A price per million tokens in millionths of a dollar. Cached tokens
    /// cost what others do where nothing else is known.
    #[must_use]
    pub fn new(input: u64, cached_input: Option<u64>, output: Option<u64>) -> Self {
        Self {
            input,
            cached_input: cached_input.unwrap_or(input),
            output,
        }
    }
}

impl From<Price> for Shown {
    fn from(price: Price) -> Self {
        let per_million = |millionths: u64| Decimal {
            units: millionths.into(),
            digits: PRICE_DIGITS,
        };
        Self {
            input: per_million(price.input),
            cached_input: per_million(price.cached_input),
            output: price.output.map(per_million),
        }
    }
}

impl fmt::Display for Price {
    /// "2.5 in, 1.25 cached, 10 out", in dollars per million tokens.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = Shown::from(*self);
        write!(formatter, "{} in", shown.input)?;
        if self.cached_input != self.input {
            write!(formatter, ", {} cached", shown.cached_input)?;
        }
        match shown.output {
            Some(output) => write!(formatter, ", {output} out"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { units, digits } = *self;
        // Digits are few: a constant of this module.
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
    /// As text: a number in JSON is read as a float.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
