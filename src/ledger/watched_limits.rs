//! The limits whose windows are recorded.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::limits::{LimitClock, LimitSet, WindowId, WindowRecord};

/// Generations that are watched at a time; each may have rules that the later ones lack.
const MAX_GENERATIONS: usize = 8;

/// Newest first. Of a rule that was taken out of the configuration, requests may still be
/// running; what they use is recorded, for the case that it is put back.
#[derive(Debug, Default)]
pub struct WatchedLimits(Mutex<Vec<Arc<LimitSet>>>);

impl WatchedLimits {
    pub fn set(&self, limits: &Arc<LimitSet>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all
            .first()
            .is_none_or(|newest| !Arc::ptr_eq(newest, limits))
        {
            all.insert(0, Arc::clone(limits));
            all.truncate(MAX_GENERATIONS);
        }
    }

    pub fn newest(&self) -> Option<Arc<LimitSet>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.first().cloned()
    }

    /// The open windows that were used at `uptime` or later
    /// ([`LimitClock::uptime`]). Forgets generations of which nothing is reserved any more.
    pub fn windows(&self, uptime: u32, now: LimitClock) -> HashMap<WindowId, WindowRecord> {
        // Not locked while they are read: a reload does not wait for it.
        let all = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        // A window of an older generation counts only if the newer ones do not have it.
        let since = if all.len() == 1 { uptime } else { 0 };
        let mut windows = HashMap::new();
        let mut idle = Vec::new();
        for (index, limits) in all.iter().enumerate() {
            let mut is_in_use = index == 0;
            for record in limits.windows_used_since(since, now) {
                if !windows.contains_key(&record.id) {
                    is_in_use |= record.reserved > 0;
                    windows.insert(record.id.clone(), record);
                }
            }
            if !is_in_use {
                idle.push(limits);
            }
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|it| !idle.iter().any(|idle| Arc::ptr_eq(it, idle)));
        windows
    }
}
