//! What a request is expected to use, without a tokenizer: learned from what requests for
//! the same model have used.

use std::sync::{Mutex, PoisonError};

use super::bucket::LimitUsage;
use crate::config::Rates;

/// Weight of a new sample; that of TCP's round trip times (RFC 6298, section 2).
const WEIGHT: f64 = 1.0 / 8.0;
/// Tokens of a byte: a sentence of English has about one in four bytes.
const DEFAULT_RATIO: f64 = 0.25;
const RATIOS: std::ops::RangeInclusive<f64> = 1.0 / 64.0..=1.0;
/// Output tokens of the first request.
const DEFAULT_OUTPUT: f64 = 1024.0;
/// Deviations above the mean.
const OUTPUT_DEVIATIONS: f64 = 4.0;
/// Most that a request is expected to cost, as a share of its price without a cache.
const MAX_SHARE: f64 = 2.0;
/// Output tokens of a model whose limit is unknown.
const MAX_OUTPUT: u64 = 131_072;

/// What a request says of its usage.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestSize {
    pub body_bytes: u64,
    /// Its own limit, of all choices.
    pub max_output: Option<u64>,
}

/// What requests of one caller for one model have used.
#[derive(Debug, Default)]
pub struct LearnedUsage(Mutex<Averages>);

#[derive(Clone, Copy, Debug, Default)]
struct Averages {
    /// Tokens of a byte of the body.
    input_ratio: Average,
    output: Average,
    /// Cost as a share of that at full price, which caching lowers.
    cost_share: Average,
}

/// A moving average and its mean deviation.
#[derive(Clone, Copy, Debug, Default)]
struct Average {
    mean: Option<f64>,
    deviation: f64,
}

// === impl LearnedUsage ===

impl LearnedUsage {
    /// Without prices, no cost is expected.
    #[must_use]
    pub fn expected(&self, size: RequestSize, rates: Option<&Rates>) -> LimitUsage {
        let averages = *self.lock();
        let ratio = averages.input_ratio.mean.unwrap_or(DEFAULT_RATIO);
        let input_tokens = scale(size.body_bytes, ratio.clamp(*RATIOS.start(), *RATIOS.end()));
        let output = averages.output.above(OUTPUT_DEVIATIONS, DEFAULT_OUTPUT);
        let output_tokens = whole(output).min(size.max_output.unwrap_or(u64::MAX));
        let share = averages
            .cost_share
            .mean
            .unwrap_or(1.0)
            .clamp(0.0, MAX_SHARE);
        let full = rates.map_or(0, |rates| full_price(rates, input_tokens, output_tokens));
        LimitUsage {
            requests: 1,
            input_tokens,
            output_tokens,
            cost: scale(full, share),
        }
    }

    /// The most that the request can use: a token a byte, and all the output it may have.
    #[must_use]
    pub fn worst(size: RequestSize, rates: Option<&Rates>) -> LimitUsage {
        let input_tokens = size.body_bytes;
        let output_tokens = size.max_output.unwrap_or(MAX_OUTPUT);
        LimitUsage {
            requests: 1,
            input_tokens,
            output_tokens,
            cost: rates.map_or(0, |rates| worst_price(rates, input_tokens, output_tokens)),
        }
    }

    /// Learns from a report. `cost` is known where the model has a price.
    pub fn learn(
        &self,
        body_bytes: u64,
        used: &LimitUsage,
        cost: Option<u64>,
        rates: Option<&Rates>,
    ) {
        let mut averages = self.lock();
        if body_bytes > 0 && used.input_tokens > 0 {
            let ratio = float(used.input_tokens) / float(body_bytes);
            averages.input_ratio.add(ratio);
        }
        averages.output.add(float(used.output_tokens));
        let full = rates.map(|it| full_price(it, used.input_tokens, used.output_tokens));
        if let (Some(cost), Some(full)) = (cost, full.filter(|full| *full > 0)) {
            averages.cost_share.add(float(cost) / float(full));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Averages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn full_price(rates: &Rates, input: u64, output: u64) -> u64 {
    let input = input.saturating_mul(rates.input);
    input.saturating_add(output.saturating_mul(rates.output.unwrap_or_default()))
}

/// Writing to a cache can be dearer than reading the prompt.
fn worst_price(rates: &Rates, input: u64, output: u64) -> u64 {
    let writes = [rates.cache_write, rates.cache_write_1h];
    let dearest = writes.into_iter().flatten().chain([rates.input]).max();
    let input = input.saturating_mul(dearest.unwrap_or_default());
    input.saturating_add(output.saturating_mul(rates.output.unwrap_or_default()))
}

#[allow(clippy::cast_precision_loss, reason = "an estimate")]
fn float(number: u64) -> f64 {
    number as f64
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion saturates, and the number is not negative"
)]
fn whole(number: f64) -> u64 {
    number.ceil() as u64
}

fn scale(number: u64, by: f64) -> u64 {
    whole(float(number) * by)
}

// === impl Average ===

impl Average {
    fn add(&mut self, sample: f64) {
        let Some(mean) = &mut self.mean else {
            self.mean = Some(sample);
            self.deviation = sample / 2.0;
            return;
        };
        self.deviation += ((sample - *mean).abs() - self.deviation) * WEIGHT;
        *mean += (sample - *mean) * WEIGHT;
    }

    fn above(&self, deviations: f64, default: f64) -> f64 {
        self.mean
            .map_or(default, |mean| mean + deviations * self.deviation)
    }
}
