//! The prices of one model.

use std::collections::BTreeMap;
use std::fmt;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Decimal, PRICE_DIGITS};
use crate::wire::usage::ServiceTier;

/// Picodollars per search for a price of one millionth of a dollar per thousand.
const PICODOLLARS_PER_SEARCH: u64 = 1_000;

/// Prices of one model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Price {
    pub rates: Rates,
    pub long_prompt: Option<LongPrompt>,
    /// By the order of [`ServiceTier::PRICED`].
    pub tiers: [Option<Rates>; ServiceTier::PRICED.len()],
}

/// The rates of requests with more prompt tokens than `above`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongPrompt {
    pub above: u64,
    pub rates: Rates,
}

/// Prices of tokens, in picodollars each; the same number is the price of a million
/// tokens in millionths of a dollar. None where no price is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rates {
    /// Prompt tokens.
    pub input: u64,
    /// Prompt tokens read from a cache.
    pub cached_input: u64,
    /// Prompt tokens written to a cache.
    pub cache_write: Option<u64>,
    /// Those that are kept for an hour.
    pub cache_write_1h: Option<u64>,
    /// Completion tokens.
    pub output: Option<u64>,
    pub audio_input: Option<u64>,
    pub audio_output: Option<u64>,
    pub image_input: Option<u64>,
    pub image_output: Option<u64>,
    /// A thousand searches on the web, in millionths of a dollar.
    pub web_search: Option<u64>,
}

// === impl Price ===

impl Price {
    /// From prices per million tokens in millionths of a dollar. Without a price
    /// of their own, cached tokens cost as much as others.
    #[must_use]
    pub fn new(input: u64, cached_input: Option<u64>, output: Option<u64>) -> Self {
        Self {
            rates: Rates {
                input,
                cached_input: cached_input.unwrap_or(input),
                output,
                ..Rates::default()
            },
            ..Self::default()
        }
    }

    /// The rates of a request in this tier with a prompt of this length. None is
    /// known for a long prompt in another tier.
    #[must_use]
    pub fn rates(&self, tier: ServiceTier, prompt: u64) -> Option<&Rates> {
        let long = self.long_prompt.as_ref();
        let long = long.filter(|long| prompt > long.above);
        if tier == ServiceTier::Standard {
            return Some(long.map_or(&self.rates, |long| &long.rates));
        }
        let mut tiers = ServiceTier::PRICED.iter().zip(&self.tiers);
        let (_, rates) = tiers.find(|(priced, _)| **priced == tier)?;
        rates.as_ref().filter(|_| long.is_none())
    }

    fn tiers(&self) -> impl Iterator<Item = (ServiceTier, &Rates)> {
        let tiers = ServiceTier::PRICED.into_iter().zip(&self.tiers);
        tiers.filter_map(|(tier, rates)| Some((tier, rates.as_ref()?)))
    }
}

// === impl Rates ===

impl Rates {
    /// The price of one search, in picodollars.
    #[must_use]
    pub fn search(&self) -> Option<u64> {
        self.web_search.map(|it| it * PICODOLLARS_PER_SEARCH)
    }

    /// The prices that need not be there: as in JSON, and as shown to people.
    fn optional(&self) -> [(&'static str, &'static str, Option<u64>); 7] {
        [
            ("cache_write_per_million", "cache write", self.cache_write),
            (
                "cache_write_1h_per_million",
                "cache write for 1h",
                self.cache_write_1h,
            ),
            ("audio_input_per_million", "audio in", self.audio_input),
            ("audio_output_per_million", "audio out", self.audio_output),
            ("image_input_per_million", "image in", self.image_input),
            ("image_output_per_million", "image out", self.image_output),
            (
                "web_search_per_thousand",
                "per 1000 searches",
                self.web_search,
            ),
        ]
    }

    fn write_members<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("input_per_million", &decimal(self.input))?;
        map.serialize_entry("cached_input_per_million", &decimal(self.cached_input))?;
        map.serialize_entry("output_per_million", &self.output.map(decimal))?;
        for (key, _, price) in self.optional() {
            if let Some(price) = price {
                map.serialize_entry(key, &decimal(price))?;
            }
        }
        Ok(())
    }
}

fn decimal(millionths: u64) -> Decimal {
    Decimal {
        units: millionths.into(),
        digits: PRICE_DIGITS,
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.rates.write_members(&mut map)?;
        if let Some(long) = &self.long_prompt {
            map.serialize_entry("long_prompt", long)?;
        }
        if self.tiers().next().is_some() {
            let tiers: BTreeMap<_, _> = self
                .tiers()
                .map(|(it, rates)| (it.as_str(), rates))
                .collect();
            map.serialize_entry("tiers", &tiers)?;
        }
        map.end()
    }
}

impl Serialize for LongPrompt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("above", &self.above)?;
        self.rates.write_members(&mut map)?;
        map.end()
    }
}

impl Serialize for Rates {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.write_members(&mut map)?;
        map.end()
    }
}

impl fmt::Display for Price {
    /// "2.5 in, 1.25 cached, 10 out", in dollars per million tokens.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rates.fmt(formatter)?;
        if let Some(LongPrompt { above, rates }) = &self.long_prompt {
            write!(formatter, "; prompts above {above} tokens: {rates}")?;
        }
        for (tier, rates) in self.tiers() {
            write!(formatter, "; {}: {rates}", tier.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Display for Rates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} in", decimal(self.input))?;
        if self.cached_input != self.input {
            write!(formatter, ", {} cached", decimal(self.cached_input))?;
        }
        if let Some(output) = self.output {
            write!(formatter, ", {} out", decimal(output))?;
        }
        for (_, label, price) in self.optional() {
            if let Some(price) = price {
                write!(formatter, ", {} {label}", decimal(price))?;
            }
        }
        Ok(())
    }
}
