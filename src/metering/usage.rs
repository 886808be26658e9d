//! What a request used, and its cost.

use super::{Meter, ModelMetrics};
use crate::catalog::Cost;
use crate::wire::endpoint::Endpoint;
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

    /// Of calls whose body has all of the prompt, which Responses may refer to by an id.
    fn learn_ratio(&self, model: &ModelMetrics, usage: &Usage) {
        if let Some(id) = model.name.model
            && matches!(
                self.endpoint,
                Endpoint::ChatCompletions | Endpoint::Messages
            )
            && let Some(tokens) = usage.input
            && let Some(learned) = self.worker.learned_usage(id)
        {
            learned.learn_input(self.prompt_bytes as u64, tokens);
        }
    }

    /// Sets about how many tokens a stream had. They are charged to limits if it reports no
    /// usage, or not all of it.
    pub fn set_delta_tokens(&mut self, tokens: u64) {
        self.delta_tokens = Some(tokens);
    }

    /// Sets the size of a prompt in a WebSocket, and about how many tokens of its response
    /// have passed, where that has not ended.
    pub fn set_unended(&mut self, prompt_bytes: u64, tokens: u64) {
        self.prompt_bytes = usize::try_from(prompt_bytes).unwrap_or(usize::MAX);
        self.delta_tokens = Some(tokens);
    }

    /// Counts the usage at the end of the request; returns its cost.
    pub(super) fn count_usage(&self, model: &ModelMetrics) -> Option<Cost> {
        let usage = self.usage.as_deref()?;
        let price = self.price.as_ref();
        let cost = price.and_then(|price| Cost::of(price, usage));
        let caller = self.caller.as_ref();
        let key = caller.and_then(|caller| self.worker.key(caller));
        model.count_tokens(usage);
        self.learn_ratio(model, usage);
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
