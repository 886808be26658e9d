//! What a request is expected to use, without a tokenizer: learned from what requests for
//! the same model have used.

use super::average::Average;
use super::quota::LimitUsage;
use super::worst;
use crate::catalog::Resolved;
use crate::config::{Price, Rates};
use crate::wire::usage::ServiceTier;

/// Tokens of a byte before anything was learned: English text and code have about one in
/// four bytes.
const DEFAULT_RATIO: f64 = 0.25;
/// Below and above, a provider counts what is not in the body, or the body is data.
const RATIOS: std::ops::RangeInclusive<f64> = 1.0 / 64.0..=1.0;
/// Output tokens of the first request.
const DEFAULT_OUTPUT: f64 = 1024.0;
/// Deviations above the mean; as of RFC 6298's timeout.
const OUTPUT_DEVIATIONS: f64 = 4.0;
/// Most that a request is expected to cost, as a share of its price without a cache.
const MAX_SHARE: f64 = 2.0;

/// What a request says of its usage.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestSize {
    pub body_bytes: u64,
    /// Its own limit, of all choices together.
    pub max_output: Option<u64>,
    /// Choices that it asks for; 0 counts as 1.
    pub choices: u64,
    /// The prompt is not all in the body: see
    /// [`refers_elsewhere`](crate::wire::scan::references::refers_elsewhere).
    pub refers_elsewhere: bool,
    /// It asks for a service tier other than the standard one.
    pub wants_other_tier: bool,
}

/// What a request may be asked for before it is sent.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedUsage {
    pub expected: LimitUsage,
    /// Only its output, where no rule reserves it.
    pub worst: LimitUsage,
    /// The request limits its own output, and its prompt is all in the body: of what is
    /// elsewhere, the most may be far more than there is.
    pub has_own_limit: bool,
}

/// What requests for one model have used: of one caller, or of all.
#[derive(Debug, Default)]
pub struct LearnedUsage {
    /// Tokens of a byte of the body.
    input_ratio: Average,
    output: Average,
    /// Of the prompt, that which was read from a cache.
    cached_share: Average,
    /// Cost as a share of that at full price, which caching lowers.
    cost_share: Average,
}

// === impl ExpectedUsage ===

impl ExpectedUsage {
    /// One request, of which no rule counts tokens or money.
    #[must_use]
    pub fn one_request() -> Self {
        let usage = LimitUsage {
            requests: 1,
            ..LimitUsage::default()
        };
        Self {
            expected: usage,
            worst: usage,
            has_own_limit: false,
        }
    }

    /// `own` is of the caller; `shared` of all callers, for what is not known of this one.
    #[must_use]
    pub fn new(
        size: &RequestSize,
        resolved: &Resolved<'_>,
        own: &LearnedUsage,
        shared: Option<&LearnedUsage>,
    ) -> Self {
        Self {
            worst: worst::usage(size, resolved),
            ..Self::without_worst(size, resolved, own, shared)
        }
    }

    /// As [`new`](Self::new), where no rule reserves the most that a request can use.
    #[must_use]
    pub fn without_worst(
        size: &RequestSize,
        resolved: &Resolved<'_>,
        own: &LearnedUsage,
        shared: Option<&LearnedUsage>,
    ) -> Self {
        Self {
            expected: expected(size, resolved, own, shared),
            worst: LimitUsage {
                requests: 1,
                output_tokens: worst::output_tokens(size, resolved),
                ..LimitUsage::default()
            },
            has_own_limit: size.max_output.is_some_and(|limit| limit > 0) && !size.refers_elsewhere,
        }
    }
}

fn expected(
    size: &RequestSize,
    resolved: &Resolved<'_>,
    own: &LearnedUsage,
    shared: Option<&LearnedUsage>,
) -> LimitUsage {
    let either = |of: fn(&LearnedUsage) -> &Average| {
        let shared = || shared.and_then(|it| of(it).get());
        of(own).get().or_else(shared)
    };
    let ratio = either(|it| &it.input_ratio).map_or(DEFAULT_RATIO, |it| it.mean);
    let input_tokens = scale(size.body_bytes, ratio);
    let learned = either(|it| &it.output);
    let learned = learned.map_or(DEFAULT_OUTPUT, |it| {
        it.mean + OUTPUT_DEVIATIONS * it.deviation
    });
    let own_limit = size.max_output.unwrap_or(u64::MAX);
    let limit = worst::model_output(size, resolved).unwrap_or(u64::MAX);
    let output_tokens = whole(learned).min(own_limit).min(limit);
    let cached = either(|it| &it.cached_share).map_or(0.0, |it| it.mean);
    let share = either(|it| &it.cost_share).map_or(1.0, |it| it.mean);
    let price = resolved.targets.iter().find_map(|it| it.price.as_deref());
    let rates = price.and_then(|it: &Price| it.rates(ServiceTier::default(), input_tokens));
    LimitUsage {
        requests: 1,
        input_tokens,
        cached_tokens: scale(input_tokens, cached.min(1.0)),
        output_tokens,
        cost: scale(full_price(rates, input_tokens, output_tokens), share),
    }
}

/// Without a cache. Without a price, 0.
fn full_price(rates: Option<&Rates>, input: u64, output: u64) -> u64 {
    rates.map_or(0, |rates| {
        let output = output.saturating_mul(rates.output.unwrap_or_default());
        input.saturating_mul(rates.input).saturating_add(output)
    })
}

// === impl LearnedUsage ===

impl LearnedUsage {
    /// Learns from a prompt of which both are known.
    pub fn learn_input(&self, body_bytes: u64, tokens: u64) {
        if body_bytes > 0 && tokens > 0 {
            let ratio = float(tokens) / float(body_bytes);
            self.input_ratio
                .add(ratio.clamp(*RATIOS.start(), *RATIOS.end()));
        }
    }

    /// Learns from what was reported. The cost is exact, or unknown; the rates are those of
    /// the standard tier.
    pub fn learn(
        &self,
        body_bytes: u64,
        used: &LimitUsage,
        cost: Option<u64>,
        rates: Option<&Rates>,
    ) {
        self.learn_input(body_bytes, used.input_tokens);
        self.learn_output(used, cost, rates);
    }

    /// As [`learn`](Self::learn), where the body does not tell the size of the prompt.
    pub fn learn_output(&self, used: &LimitUsage, cost: Option<u64>, rates: Option<&Rates>) {
        self.output.add(float(used.output_tokens));
        if used.input_tokens > 0 {
            let cached = used.cached_tokens.min(used.input_tokens);
            self.cached_share
                .add(float(cached) / float(used.input_tokens));
        }
        let full = full_price(rates, used.input_tokens, used.output_tokens);
        if let Some(cost) = cost.filter(|_| full > 0) {
            self.cost_share
                .add((float(cost) / float(full)).min(MAX_SHARE));
        }
    }

    /// The expected tokens of a prompt of this size; at least 1.
    #[must_use]
    pub fn input_tokens(&self, body_bytes: u64) -> u64 {
        let ratio = self.input_ratio.mean().unwrap_or(DEFAULT_RATIO);
        scale(body_bytes, ratio).max(1)
    }

    /// With a state of its own, for the next generation of the configuration.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self {
            input_ratio: self.input_ratio.copy(),
            output: self.output.copy(),
            cached_share: self.cached_share.copy(),
            cost_share: self.cost_share.copy(),
        }
    }
}

fn float(number: u64) -> f64 {
    number as f64
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion saturates, and the number is not negative"
)]
fn whole(number: f64) -> u64 {
    // Rounding proper is a call of a function.
    (number + 0.5) as u64
}

fn scale(number: u64, by: f64) -> u64 {
    whole(float(number) * by)
}
