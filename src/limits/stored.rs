//! Windows of the calendar as the ledger keeps them over a restart.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::bucket::Bucket;
use super::clock::LimitClock;
use super::rule_set::LimitSet;
use crate::config::{LimitUnit, Period};

/// What one subject has used of one amount in an open window. The absolute numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowRecord {
    pub id: WindowId,
    /// Seconds since 1970; `i64::MAX` if it never ends.
    pub end: i64,
    /// In units of the amount; picodollars of a budget.
    pub used: u64,
    /// By requests that run.
    pub reserved: u64,
}

/// Which window of which subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WindowId {
    pub rule: Box<str>,
    /// Such as `key alice`; empty if the amounts are everyone's.
    pub subject: Box<str>,
    pub model: Option<Box<str>>,
    pub user: Option<Box<str>>,
    pub provider: Option<Box<str>>,
    pub of: LimitUnit,
    pub period: Period,
    /// Name of the time zone.
    pub zone: Box<str>,
    pub month_starts_on: i8,
    /// Seconds since 1970; `i64::MIN` if it has no start.
    pub start: i64,
}

/// Of what subjects that were dropped have used, so much is remembered: some 300 MB.
pub const MAX_STORED: usize = 1_000_000;

/// The newest record of each window. A window that is new in this process begins with
/// what is here.
#[derive(Debug, Default)]
pub struct StoredWindows(Mutex<StoredState>);

#[derive(Debug, Default)]
struct StoredState {
    amounts: HashMap<WindowId, StoredAmount>,
    changed: Vec<WindowRecord>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StoredAmount {
    end: i64,
    used: u64,
    reserved: u64,
}

// === impl StoredWindows ===

impl StoredWindows {
    /// Replaces the records of these windows.
    pub fn update(&self, records: impl IntoIterator<Item = WindowRecord>) {
        let mut state = self.lock();
        for record in records {
            if state.set(&record) {
                state.changed.push(record);
            }
        }
    }

    /// As [`update`](Self::update), with what is in the ledger already.
    pub fn restore(&self, records: impl IntoIterator<Item = WindowRecord>) {
        let mut state = self.lock();
        for record in records {
            state.set(&record);
        }
    }

    /// Those that have changed since the last time.
    #[must_use]
    pub fn take_changed(&self) -> Vec<WindowRecord> {
        std::mem::take(&mut self.lock().changed)
    }

    #[must_use]
    pub fn all(&self) -> Vec<WindowRecord> {
        let state = self.lock();
        let records = state.amounts.iter().map(|(id, amount)| WindowRecord {
            id: id.clone(),
            end: amount.end,
            used: amount.used,
            reserved: amount.reserved,
        });
        records.collect()
    }

    /// Drops the windows that ended before this time, in seconds since 1970.
    pub fn prune(&self, before: i64) {
        self.lock().amounts.retain(|_, it| it.end > before);
    }

    /// What was used of a window. What was reserved counts: its requests may have been
    /// billed.
    pub(super) fn used(&self, id: &WindowId) -> Option<u64> {
        let found = *self.lock().amounts.get(id)?;
        Some(found.used.saturating_add(found.reserved))
    }

    fn lock(&self) -> MutexGuard<'_, StoredState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl StoredState ===

impl StoredState {
    /// Returns whether that changes anything.
    fn set(&mut self, record: &WindowRecord) -> bool {
        let amount = StoredAmount {
            end: record.end,
            used: record.used,
            reserved: record.reserved,
        };
        if let Some(known) = self.amounts.get_mut(&record.id) {
            return std::mem::replace(known, amount) != amount;
        }
        if self.amounts.len() < MAX_STORED {
            self.amounts.insert(record.id.clone(), amount);
        }
        true
    }
}

// === impl LimitSet ===

impl LimitSet {
    /// What was used in the windows that have begun and not ended.
    #[must_use]
    pub fn windows(&self, now: LimitClock) -> Vec<WindowRecord> {
        self.windows_used_since(0, now)
    }

    /// As [`windows`](Self::windows), of the subjects that were used at `uptime` or later:
    /// see [`LimitClock::uptime`].
    #[must_use]
    pub fn windows_used_since(&self, uptime: u32, now: LimitClock) -> Vec<WindowRecord> {
        let mut records = Vec::new();
        for rule in self.rules() {
            let subjects = rule.subjects.all();
            for subject in subjects.filter(|it| it.last_used() >= uptime) {
                let guard = subject.lock_any();
                for (entry, bucket) in guard.entries() {
                    let Some(window) = bucket.window().filter(|_| !bucket.has_ended(now)) else {
                        continue;
                    };
                    let Bucket::Window { used, reserved, .. } = *bucket else {
                        continue;
                    };
                    let id = guard.terms().window_id(&subject.name, entry, window.start);
                    records.extend(id.map(|id| WindowRecord {
                        id,
                        end: window.end,
                        used,
                        reserved,
                    }));
                }
            }
        }
        records
    }
}
