//! What a request holds of its client's limits, and its settlement at the end.

use std::sync::Arc;

use super::{Meter, RequestOutcome};
use crate::catalog::Cost;
use crate::config::{Price, Rates};
use crate::limits::{LearnedUsage, LimitClock, LimitUsage, Reservation};
use crate::wire::usage::{ServiceTier, Usage};

/// Bytes of a response that make a token, where no count came.
const BYTES_PER_TOKEN: u64 = 4;

/// A reservation and what its settlement needs.
#[derive(Debug)]
pub struct LimitHold {
    pub reservation: Reservation,
    pub learned: Arc<LearnedUsage>,
    pub expected: LimitUsage,
}

impl Meter {
    /// Keeps a reservation until the end of the request.
    pub fn hold_limits(&mut self, hold: Box<LimitHold>) {
        self.limits = Some(hold);
    }

    #[must_use]
    pub fn limits(&self) -> Option<&LimitHold> {
        self.limits.as_deref()
    }

    /// Settles the reservation. Call this when the outcome and the usage are known.
    pub(super) fn settle_limits(&mut self, outcome: RequestOutcome, status: u16) {
        let Some(hold) = self.limits.take() else {
            return;
        };
        let used = self.used(&hold, outcome, status);
        hold.reservation.settle(LimitClock::now(), &used);
    }

    fn used(&self, hold: &LimitHold, outcome: RequestOutcome, status: u16) -> LimitUsage {
        let price = self.price.as_deref();
        if let Some(usage) = self.usage.as_deref() {
            let used = reported(usage, price, self.cost, &hold.expected);
            let rates = price.and_then(|it| rates(it, used.input_tokens));
            let cost = self.cost.map(Cost::picodollars);
            hold.learned.learn(self.bytes_in, &used, cost, rates);
            return used;
        }
        let responded = self.first_byte.is_some();
        let is_refused = responded && (400..500).contains(&status);
        match outcome {
            _ if !self.was_sent.get() => LimitUsage::default(),
            // Of the provider, which bills nothing.
            _ if is_refused => LimitUsage {
                requests: 1,
                ..LimitUsage::default()
            },
            RequestOutcome::UpstreamError | RequestOutcome::Timeout if !self.has_body() => {
                LimitUsage::default()
            }
            _ => self.estimated(hold, price),
        }
    }

    /// A part of a result has passed.
    fn has_body(&self) -> bool {
        self.bytes_out > 0 && self.status.is_some_and(|status| status < 400)
    }

    /// Of a response without a count: what was expected, or more if more has passed; of a
    /// truncated one, what has passed.
    fn estimated(&self, hold: &LimitHold, price: Option<&Price>) -> LimitUsage {
        let LimitUsage { input_tokens, .. } = hold.expected;
        let seen = self.bytes_out / BYTES_PER_TOKEN;
        let output_tokens = if self.outcome == Some(RequestOutcome::Ok) {
            hold.expected.output_tokens.max(seen)
        } else {
            seen
        };
        let usage = Usage {
            input: Some(input_tokens),
            output: Some(output_tokens),
            ..Usage::default()
        };
        let cost = price.and_then(|price| Cost::of(price, &usage));
        LimitUsage {
            requests: 1,
            input_tokens,
            output_tokens,
            cost: cost.map_or(hold.expected.cost, Cost::picodollars),
        }
    }
}

/// Where the exact cost is unknown, the standard rates of the counts.
fn reported(
    usage: &Usage,
    price: Option<&Price>,
    cost: Option<Cost>,
    expected: &LimitUsage,
) -> LimitUsage {
    let plain = Usage {
        input: usage.input,
        output: Some(usage.billed_output()),
        ..Usage::default()
    };
    let cost = cost.or_else(|| price.and_then(|price| Cost::of(price, &plain)));
    LimitUsage {
        requests: 1,
        input_tokens: usage.input.unwrap_or(expected.input_tokens),
        output_tokens: usage.billed_output(),
        cost: cost.map_or(expected.cost, Cost::picodollars),
    }
}

/// The rates of the standard tier for a prompt of this length.
#[must_use]
pub fn rates(price: &Price, input_tokens: u64) -> Option<&Rates> {
    price.rates(ServiceTier::default(), input_tokens)
}
