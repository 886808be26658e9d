//! What an attempt is charged to limits, by the way it ends.

use std::ptr;

use super::limits::{AttemptEnd, ChargedBy, LimitedAttempt};
use super::{Meter, RequestOutcome};
use crate::catalog::Cost;
use crate::config::Price;
use crate::limits::{ExpectedUsage, LimitUsage};
use crate::wire::endpoint::Endpoint;
use crate::wire::usage::Usage;

/// Bytes of a text that make a token, where no count came.
const BYTES_PER_TOKEN: u64 = 4;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Charge {
    pub usage: LimitUsage,
    /// Something in it is an estimate.
    pub is_estimated: bool,
    /// It is the report of a complete response.
    pub is_reported: bool,
}

// === impl Charge ===

impl Charge {
    const ONE_REQUEST: Self = Self {
        usage: LimitUsage {
            requests: 1,
            input_tokens: 0,
            cached_tokens: 0,
            output_tokens: 0,
            cost: 0,
        },
        is_estimated: false,
        is_reported: false,
    };

    /// Of one of the responses of a session, which is one request at its end.
    pub fn of_response(usage: &Usage, price: Option<&Price>) -> LimitUsage {
        LimitUsage {
            requests: 0,
            ..Self::of_usage(usage, price, &LimitUsage::default()).usage
        }
    }

    /// However many attempts there are, they are one request.
    pub fn add(&mut self, other: &Self) {
        let (sum, usage) = (&mut self.usage, &other.usage);
        sum.requests = sum.requests.max(usage.requests);
        sum.input_tokens = sum.input_tokens.saturating_add(usage.input_tokens);
        sum.output_tokens = sum.output_tokens.saturating_add(usage.output_tokens);
        sum.cost = sum.cost.saturating_add(usage.cost);
        sum.cached_tokens = sum.cached_tokens.saturating_add(usage.cached_tokens);
        self.is_estimated |= other.is_estimated;
    }

    /// Of reported counts. Where the exact cost is unknown, that of the counts at standard
    /// rates.
    fn of_usage(usage: &Usage, price: Option<&Price>, expected: &LimitUsage) -> Self {
        let cost = price.and_then(|price| cost_of(price, usage));
        Self::of_cost(usage, cost, expected)
    }

    fn of_cost(usage: &Usage, cost: Option<Cost>, expected: &LimitUsage) -> Self {
        Self {
            usage: LimitUsage {
                requests: 1,
                input_tokens: usage.input.unwrap_or(expected.input_tokens),
                cached_tokens: usage.cached.unwrap_or_default(),
                output_tokens: usage.billed_output(),
                cost: cost.map_or(expected.cost, Cost::picodollars),
            },
            is_estimated: usage.input.is_none() || cost.is_none() && expected.cost > 0,
            is_reported: false,
        }
    }

    /// Of counts that nothing reported.
    fn of_estimate(output_tokens: u64, price: Option<&Price>, expected: &LimitUsage) -> Self {
        let usage = Usage {
            input: Some(expected.input_tokens),
            output: Some(output_tokens),
            ..Usage::default()
        };
        Self {
            is_estimated: true,
            ..Self::of_usage(&usage, price, expected)
        }
    }
}

/// Exact, or else without what has no price of its own.
fn cost_of(price: &Price, usage: &Usage) -> Option<Cost> {
    let standard = Usage {
        inexact: false,
        searches: None,
        tier: None,
        ..*usage
    };
    let plain = || Usage {
        input: usage.input,
        output: Some(usage.billed_output()),
        ..Usage::default()
    };
    let exact = Cost::of(price, usage).or_else(|| Cost::of(price, &standard));
    exact.or_else(|| Cost::of(price, &plain()))
}

// === impl Meter ===

impl Meter {
    pub(super) fn charge(
        &self,
        usage: &ExpectedUsage,
        charged_by: ChargedBy,
        attempt: &LimitedAttempt,
        outcome: RequestOutcome,
        status: u16,
    ) -> Charge {
        let expected = &usage.expected;
        let price = attempt.price.as_deref();
        let has_response = self.first_byte.is_some();
        match &attempt.end {
            _ if !attempt.was_sent => Charge::default(),
            AttemptEnd::Open if has_response => {
                self.charge_response(usage, charged_by, price, outcome, status)
            }
            // The client left, or the process ends.
            AttemptEnd::Open | AttemptEnd::Abandoned => match charged_by {
                ChargedBy::Usage => Charge::of_estimate(0, price, expected),
                ChargedBy::Nothing => Charge::ONE_REQUEST,
                ChargedBy::Fixed(cost) => fixed(cost),
            },
            AttemptEnd::Failed {
                usage: Some(usage), ..
            } if charged_by != ChargedBy::Nothing => Charge::of_usage(usage, price, expected),
            AttemptEnd::Failed { is_refused, .. } => refused(*is_refused),
        }
    }

    fn charge_response(
        &self,
        ExpectedUsage {
            expected, worst, ..
        }: &ExpectedUsage,
        charged_by: ChargedBy,
        price: Option<&Price>,
        outcome: RequestOutcome,
        status: u16,
    ) -> Charge {
        if self.is_websocket && charged_by == ChargedBy::Usage {
            return self.charge_responses(price);
        }
        if charged_by == ChargedBy::Nothing {
            return if self.has_failed(outcome, status) {
                refused((400..500).contains(&status))
            } else {
                Charge::ONE_REQUEST
            };
        }
        let is_complete = outcome == RequestOutcome::Ok;
        let seen = self.seen_output(worst.output_tokens);
        if let Some(usage) = self.usage.as_deref() {
            let mut usage = *usage;
            if is_complete {
                // It is that of the request, unless it is not exact.
                let own = self.price.as_deref();
                let is_own = price
                    .zip(own)
                    .is_some_and(|(one, other)| ptr::eq(one, other));
                let cost = || price.and_then(|price| cost_of(price, &usage));
                let cost = self.cost.filter(|_| is_own).or_else(cost);
                let charge = Charge::of_cost(&usage, cost, expected);
                return Charge {
                    is_reported: !charge.is_estimated,
                    ..charge
                };
            }
            // Messages tells the input first, and the output as it grows.
            usage.output = Some(usage.billed_output().max(seen));
            usage.total = None;
            return Charge {
                is_estimated: true,
                ..Charge::of_usage(&usage, price, expected)
            };
        }
        if self.has_failed(outcome, status) {
            return refused((400..500).contains(&status));
        }
        match charged_by {
            ChargedBy::Fixed(cost) => fixed(cost),
            _ if is_complete => {
                Charge::of_estimate(expected.output_tokens.max(seen), price, expected)
            }
            _ => Charge::of_estimate(seen, price, expected),
        }
    }

    /// Of the responses in a WebSocket, and of the one that has not ended.
    fn charge_responses(&self, price: Option<&Price>) -> Charge {
        let mut charge = Charge::ONE_REQUEST;
        let nothing = LimitUsage::default();
        if let Some(usage) = self.usage.as_deref() {
            charge.add(&Charge::of_usage(usage, price, &nothing));
        }
        if let Some(output_tokens) = self.delta_tokens {
            let expected = LimitUsage {
                input_tokens: self.prompt_bytes as u64 / BYTES_PER_TOKEN,
                ..nothing
            };
            charge.add(&Charge::of_estimate(output_tokens, price, &expected));
        }
        charge
    }

    /// The upstream has reported a failure, and nothing of a result before it.
    fn has_failed(&self, outcome: RequestOutcome, status: u16) -> bool {
        let is_own_report = outcome == RequestOutcome::UpstreamError && self.code.is_none();
        let is_own_report = is_own_report && !self.is_websocket;
        status >= 400 || is_own_report && self.delta_tokens.is_none_or(|tokens| tokens == 0)
    }

    /// About how many tokens of a result have passed: at most what the request may have,
    /// since many short events look like more. 0 if that is not known.
    fn seen_output(&self, most: u64) -> u64 {
        let seen = match self.endpoint {
            Endpoint::Embeddings
            | Endpoint::ImagesGenerations
            | Endpoint::ImagesEdits
            | Endpoint::ImagesVariations
            | Endpoint::AudioSpeech => 0,
            _ => self
                .delta_tokens
                .unwrap_or(self.bytes_out / BYTES_PER_TOKEN),
        };
        if most == 0 { seen } else { seen.min(most) }
    }
}

/// A provider bills nothing for it.
fn refused(is_refused: bool) -> Charge {
    if is_refused {
        Charge::ONE_REQUEST
    } else {
        Charge::default()
    }
}

fn fixed(cost: u64) -> Charge {
    let mut charge = Charge::ONE_REQUEST;
    charge.usage.cost = cost;
    charge
}
