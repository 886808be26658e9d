//! Metric handles of one client key.

use super::lazy_counters::LazyCounters;
use crate::catalog::Cost;
use crate::telemetry::metric::{self, Registry};
use crate::wire::usage::Usage;

/// The team of keys that have none.
const NO_TEAM: &str = "none";

/// Created at a key's first request.
#[derive(Debug)]
pub struct KeyMetrics {
    name: Box<str>,
    team: Box<str>,
    tokens: LazyCounters<5>,
    cost: LazyCounters<1>,
    registry: Registry,
}

impl KeyMetrics {
    pub(super) fn new(name: &str, team: Option<&str>, registry: &Registry) -> Self {
        Self {
            name: name.into(),
            team: team.unwrap_or(NO_TEAM).into(),
            tokens: LazyCounters::default(),
            cost: LazyCounters::default(),
            registry: registry.clone(),
        }
    }

    pub(super) fn count_tokens(&self, usage: &Usage) {
        self.tokens.add_usage(usage, |kind| {
            let labels = [("key", &*self.name), ("team", &*self.team), ("kind", kind)];
            self.registry.counter(&metric::KEY_TOKENS, &labels)
        });
    }

    pub(super) fn count_cost(&self, cost: Cost) {
        self.cost.add(0, cost.picodollars(), || {
            let labels = [("key", &*self.name), ("team", &*self.team)];
            self.registry.counter(&metric::KEY_COST, &labels)
        });
    }
}
