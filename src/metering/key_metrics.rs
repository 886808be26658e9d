//! Metric handles of one client key.

use super::lazy_counters::LazyCounters;
use crate::catalog::Cost;
use crate::telemetry::metric::{self, Registry};
use crate::wire::usage::Usage;

/// Created at a key's first request.
#[derive(Debug)]
pub struct KeyMetrics {
    name: Box<str>,
    tokens: LazyCounters<5>,
    cost: LazyCounters<1>,
    registry: Registry,
}

impl KeyMetrics {
    pub(super) fn new(name: &str, registry: &Registry) -> Self {
        Self {
            name: name.into(),
            tokens: LazyCounters::default(),
            cost: LazyCounters::default(),
            registry: registry.clone(),
        }
    }

    pub(super) fn count_tokens(&self, usage: &Usage) {
        self.tokens.add_usage(usage, |kind| {
            let labels = [("key", &*self.name), ("kind", kind)];
            self.registry.counter(&metric::KEY_TOKENS, &labels)
        });
    }

    pub(super) fn count_cost(&self, cost: Cost) {
        self.cost.add(0, cost.picodollars(), || {
            self.registry
                .counter(&metric::KEY_COST, &[("key", &*self.name)])
        });
    }
}
