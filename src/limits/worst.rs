//! The most that a request can use: for rules whose amounts must never be passed.

use super::estimate::RequestSize;
use super::quota::LimitUsage;
use crate::catalog::Resolved;
use crate::config::{Price, Rates};

/// Output tokens of a model whose limit is unknown.
const MAX_OUTPUT: u64 = 131_072;
/// Context of a model of which it is unknown.
const MAX_CONTEXT: u64 = 1_048_576;

/// A token has at least a byte, and the output is as long as it may be.
pub(super) fn usage(size: &RequestSize, resolved: &Resolved<'_>) -> LimitUsage {
    let context = resolved.model.context;
    let context = context.map_or(MAX_CONTEXT, |tokens| tokens as u64);
    // What the body only points to is part of the context.
    let elsewhere = if size.refers_elsewhere { context } else { 0 };
    let input_tokens = size.body_bytes.max(elsewhere);
    let output_tokens = output_tokens(size, resolved);
    let prices = resolved.targets.iter().filter_map(|it| it.price.as_deref());
    let costs = prices.map(|price| {
        let all = rates(price, input_tokens, size.wants_other_tier);
        let costs = all.map(|rates| cost(rates, input_tokens, output_tokens));
        costs.max().unwrap_or_default()
    });
    LimitUsage {
        requests: 1,
        input_tokens,
        cached_tokens: 0,
        output_tokens,
        cost: costs.max().unwrap_or_default(),
    }
}

pub(super) fn output_tokens(size: &RequestSize, resolved: &Resolved<'_>) -> u64 {
    let own = size.max_output.or_else(|| model_output(size, resolved));
    own.unwrap_or_else(|| MAX_OUTPUT.saturating_mul(size.choices.max(1)))
}

/// The model's own limit, of all choices together.
pub(super) fn model_output(size: &RequestSize, resolved: &Resolved<'_>) -> Option<u64> {
    let limit = resolved.model.max_output?;
    Some((limit as u64).saturating_mul(size.choices.max(1)))
}

/// All that may hold for a prompt of at most this length.
fn rates(price: &Price, prompt: u64, any_tier: bool) -> impl Iterator<Item = &Rates> {
    let long = price.long_prompt.as_ref();
    let long = long.filter(|long| prompt > long.above);
    let tiers = price.tiers.iter().flatten().filter(move |_| any_tier);
    let standard = std::iter::once(&price.rates);
    standard.chain(long.map(|long| &long.rates)).chain(tiers)
}

/// Writing to a cache can be dearer than reading the prompt, and sound than text.
fn cost(rates: &Rates, input: u64, output: u64) -> u64 {
    let inputs = [
        Some(rates.input),
        rates.cache_write,
        rates.cache_write_1h,
        rates.audio_input,
        rates.image_input,
    ];
    let outputs = [rates.output, rates.audio_output, rates.image_output];
    let dearest = |rates: &[Option<u64>]| rates.iter().flatten().max().copied().unwrap_or(0);
    let output = output.saturating_mul(dearest(&outputs));
    input
        .saturating_mul(dearest(&inputs))
        .saturating_add(output)
}
