//! What a fleet takes over from the one before it, when the configuration has
//! changed.

use std::sync::Arc;

use super::Fleet;

/// Who has become whom.
#[derive(Debug, Default)]
pub struct Heirs {
    /// [`crate::catalog::Target::slot`]s now and before.
    pub slots: Vec<(usize, usize)>,
    /// Numbers of providers now and before.
    pub providers: Vec<(usize, usize)>,
}

impl Fleet {
    /// Goes on with what `before` knows of those that are still there. Both
    /// share it from then on, since requests that began before still end.
    pub fn inherit(&mut self, before: &Self, heirs: &Heirs) {
        // All times that are taken over count from there.
        self.began = before.began;
        for (now, then) in &heirs.slots {
            hand_over(&mut self.health, *now, &before.health, *then);
            hand_over(&mut self.loads, *now, &before.loads, *then);
            hand_over(&mut self.quotas, *now, &before.quotas, *then);
            hand_over(&mut self.recent, *now, &before.recent, *then);
        }
        for (now, then) in &heirs.providers {
            hand_over(&mut self.vitals, *now, &before.vitals, *then);
            let same = self.budgets.get(*now).zip(before.budgets.get(*then));
            if same.is_some_and(|(now, then)| now.is_like(then)) {
                hand_over(&mut self.budgets, *now, &before.budgets, *then);
            }
        }
    }
}

fn hand_over<T>(to: &mut [Arc<T>], now: usize, from: &[Arc<T>], then: usize) {
    if let (Some(to), Some(from)) = (to.get_mut(now), from.get(then)) {
        *to = Arc::clone(from);
    }
}
