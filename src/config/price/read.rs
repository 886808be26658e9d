//! Reads a price as it was written.

use super::{LongPrompt, Price, Rates, parse_rate};
use crate::config::raw;
use crate::wire::usage::ServiceTier;

/// What is wrong with a row, and the cure.
#[derive(Debug)]
pub struct PriceError {
    /// The keys below that of the row.
    pub path: Vec<String>,
    /// Something is missing, which may have been removed as invalid.
    pub is_missing: bool,
    pub text: String,
}

struct Reader {
    errors: Vec<PriceError>,
}

/// The price of a row, none for a row without one; and all errors.
pub fn read(raw: &raw::Price) -> (Option<Price>, Vec<PriceError>) {
    let mut reader = Reader { errors: Vec::new() };
    let long_prompt = raw.long_prompt.as_ref();
    let long_prompt = long_prompt.and_then(|long| reader.long_prompt(long));
    let tiers = reader.tiers(raw);
    let has_more = raw.long_prompt.is_some() || !raw.tiers.is_empty();
    let rates = reader.rates(&[], &raw.rates, has_more);
    let price = rates.map(|rates| Price {
        rates,
        long_prompt,
        tiers,
    });
    (price, reader.errors)
}

impl Reader {
    fn error(&mut self, path: &[&str], is_missing: bool, text: String) {
        self.errors.push(PriceError {
            path: path.iter().map(|key| (*key).to_owned()).collect(),
            is_missing,
            text,
        });
    }

    /// None without a price of the prompt, which is an error if there is any other.
    fn rates(&mut self, path: &[&str], raw: &raw::PriceRates, is_needed: bool) -> Option<Rates> {
        let mut is_used = is_needed;
        let mut read = |key: &str, text: &Option<String>| {
            let text = text.as_deref()?;
            is_used = true;
            Some(parse_rate(text).unwrap_or_else(|text| {
                self.error(&[path, &[key][..]].concat(), false, text);
                0
            }))
        };
        let input = read("input", &raw.input);
        let cached_input = read("cached_input", &raw.cached_input);
        let rates = Rates {
            input: input.unwrap_or_default(),
            cached_input: cached_input.or(input).unwrap_or_default(),
            cache_write: read("cache_write", &raw.cache_write),
            cache_write_1h: read("cache_write_1h", &raw.cache_write_1h),
            output: read("output", &raw.output),
            audio_input: read("audio_input", &raw.audio_input),
            audio_output: read("audio_output", &raw.audio_output),
            image_input: read("image_input", &raw.image_input),
            image_output: read("image_output", &raw.image_output),
            web_search: read("web_search", &raw.web_search),
        };
        if input.is_none() && is_used {
            let text = "input is missing; write it, \"0\" where the prompt is free";
            self.error(path, true, text.to_owned());
        }
        input.map(|_| rates)
    }

    fn long_prompt(&mut self, raw: &raw::LongPromptPrice) -> Option<LongPrompt> {
        let path = ["long_prompt"];
        let rates = self.rates(&path, &raw.rates, true);
        let Some(above) = raw.above else {
            let text = "above is missing; write the number of tokens above which a prompt is long";
            self.error(&path, true, text.to_owned());
            return None;
        };
        let above = u64::from(above.get());
        rates.map(|rates| LongPrompt { above, rates })
    }

    fn tiers(&mut self, raw: &raw::Price) -> [Option<Rates>; ServiceTier::PRICED.len()] {
        for name in raw.tiers.keys() {
            if !ServiceTier::PRICED.iter().any(|tier| tier.as_str() == name) {
                let known = ServiceTier::PRICED.map(ServiceTier::as_str).join(", ");
                let text = format!("unknown service tier; use one of: {known}");
                self.error(&["tiers", name], false, text);
            }
        }
        ServiceTier::PRICED.map(|tier| {
            let raw = raw.tiers.get(tier.as_str())?;
            self.rates(&["tiers", tier.as_str()], &raw.rates, true)
        })
    }
}
