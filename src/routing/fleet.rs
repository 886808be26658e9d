//! What is known of the targets, from the attempts of all requests.

use std::time::{Duration, Instant};

use super::budget::Budget;
use crate::catalog::Target;

/// What is known of the targets. Shared by all workers; there are only atomics
/// in it. Requests to a model with a single target never come here.
#[derive(Debug)]
pub struct Fleet {
    began: Instant,
    /// By the number of the provider.
    budgets: Box<[Budget]>,
}

impl Fleet {
    /// A fleet of so many providers. First attempts earn `retry_percent` of a
    /// further one.
    #[must_use]
    pub fn new(providers: usize, retry_percent: u32, now: Instant) -> Self {
        Self {
            began: now,
            budgets: (0..providers).map(|_| Budget::new(retry_percent)).collect(),
        }
    }

    /// Notes a first attempt.
    pub(super) fn earn(&self, target: &Target) {
        if let Some(budget) = self.budgets.get(target.provider.id) {
            budget.earn();
        }
    }

    /// Whether there may be one more attempt after one at this target failed.
    pub(super) fn spend(&self, target: &Target, now: Instant) -> bool {
        let budget = self.budgets.get(target.provider.id);
        budget.is_none_or(|budget| budget.spend(self.since(now)))
    }

    fn since(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began)
    }
}
