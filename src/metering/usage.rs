//! What a request used, and its cost.

use super::{Meter, ModelMetrics};
use crate::catalog::Cost;
use crate::wire::usage::Usage;

impl Meter {
    pub fn set_wants_other_tier(&mut self, wants_other_tier: bool) {
        self.wants_other_tier = wants_other_tier;
    }

    /// The first one stands: a translated response repeats the upstream's, as far as
    /// its protocol can.
    pub fn set_usage(&mut self, usage: Option<Box<Usage>>) {
        if self.usage.is_some() {
            return;
        }
        self.usage = usage.filter(|_| self.endpoint.bills_tokens());
        if let Some(usage) = &mut self.usage {
            // The upstream may have ignored the request.
            usage.inexact |= self.wants_other_tier && usage.tier.is_none();
        }
    }

    /// Counts the usage at the end of the request; returns its cost.
    pub(super) fn count_usage(&self, model: &ModelMetrics) -> Option<Cost> {
        let usage = self.usage.as_deref()?;
        let price = self.price.as_ref();
        let cost = price.and_then(|price| Cost::of(price, usage));
        let caller = self.caller.as_ref();
        let key = caller.and_then(|caller| self.worker.key(caller));
        model.count_tokens(usage);
        if let Some(key) = key {
            key.count_tokens(usage);
        }
        if let Some(cost) = cost {
            model.count_cost(cost);
            if let Some(key) = key {
                key.count_cost(cost);
            }
        }
        cost
    }
}
