//! What a fleet takes over from the previous one at a reload.

use std::sync::Arc;

use super::Fleet;

/// Pairs of indices: now, and in the previous generation.
#[derive(Debug, Default)]
pub struct CarryOver {
    /// [`crate::catalog::Target::state_index`]es.
    pub states: Vec<(usize, usize)>,
    /// [`crate::catalog::Provider::id`]s.
    pub providers: Vec<(usize, usize)>,
}

impl Fleet {
    /// Shares the state of unchanged targets and providers with `previous`, whose
    /// requests may still be running.
    pub fn take_over(&mut self, previous: &Self, carry_over: &CarryOver) {
        // The states that are shared count their times from there.
        self.started = previous.started;
        for (now, before) in &carry_over.states {
            share(&mut self.breakers, *now, &previous.breakers, *before);
            share(&mut self.loads, *now, &previous.loads, *before);
            share(&mut self.quotas, *now, &previous.quotas, *before);
            share(&mut self.latencies, *now, &previous.latencies, *before);
        }
        for (now, before) in &carry_over.providers {
            share(
                &mut self.health_states,
                *now,
                &previous.health_states,
                *before,
            );
            share(&mut self.refusals, *now, &previous.refusals, *before);
            let budgets = self.budgets.get(*now).zip(previous.budgets.get(*before));
            if budgets.is_some_and(|(now, before)| now.has_same_rate(before)) {
                share(&mut self.budgets, *now, &previous.budgets, *before);
            }
        }
    }
}

fn share<T>(to: &mut [Arc<T>], now: usize, from: &[Arc<T>], before: usize) {
    if let (Some(to), Some(from)) = (to.get_mut(now), from.get(before)) {
        *to = Arc::clone(from);
    }
}
