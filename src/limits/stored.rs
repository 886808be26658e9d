//! Windows of the calendar as the ledger keeps them over a restart.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bucket::Bucket;
use super::clock::LimitClock;
use super::lease::{LeaseId, LeaseLink, MAX_STORE_UNITS, RestoreCall, kept_after, scale};
use super::rule_set::LimitSet;
use super::subject::SubjectGuard;
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
    /// No ledger asks for what has changed.
    is_in_memory: bool,
    /// Where a store counts over all replicas: what earlier processes have used, each
    /// under its own id there.
    before: HashMap<WindowId, Vec<UsedBefore>>,
    /// Of those, the ones that the store is to be asked to restore.
    unrestored: Vec<WindowId>,
    /// The ids that this process has had in stores; the last one is in use.
    replicas: Vec<Box<str>>,
}

#[derive(Debug)]
struct UsedBefore {
    replica: Box<str>,
    end: i64,
    used: u64,
    is_restored: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StoredAmount {
    end: i64,
    used: u64,
    reserved: u64,
}

// === impl StoredWindows ===

impl StoredWindows {
    /// Without a ledger: what was used of subjects that are no longer kept.
    #[must_use]
    pub fn in_memory() -> Arc<Self> {
        let state = StoredState {
            is_in_memory: true,
            ..StoredState::default()
        };
        Arc::new(Self(Mutex::new(state)))
    }

    /// Replaces the records of these windows.
    pub fn update(&self, records: impl IntoIterator<Item = WindowRecord>) {
        let mut state = self.lock();
        for record in records {
            if state.set(&record) && !state.is_in_memory {
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
        let mut state = self.lock();
        state.amounts.retain(|_, it| it.end > before);
        (state.before).retain(|_, all| all.iter().any(|it| it.end > before));
    }

    /// From now on, this process counts in a store under this id.
    pub(super) fn set_replica(&self, replica: &str) {
        let replicas = &mut self.lock().replicas;
        replicas.retain(|it| **it != *replica);
        replicas.push(replica.into());
    }

    /// The ids that this process has had in stores; the last one is in use.
    #[must_use]
    pub fn replicas(&self) -> Vec<Box<str>> {
        self.lock().replicas.clone()
    }

    /// What another process, whose id in the store this is, has used. It does not count
    /// here: the store is asked to count it, once.
    pub fn restore_from(&self, replica: &str, record: &WindowRecord) {
        let used = record.used.saturating_add(record.reserved);
        let mut state = self.lock();
        if state.before.len() >= MAX_STORED && !state.before.contains_key(&record.id) {
            return;
        }
        let all = state.before.entry(record.id.clone()).or_default();
        let was_due = all.iter().any(|it| !it.is_restored);
        if let Some(known) = all.iter_mut().find(|it| *it.replica == *replica) {
            if known.used >= used {
                return;
            }
            (known.used, known.is_restored) = (used, false);
        } else {
            all.push(UsedBefore {
                replica: replica.into(),
                end: record.end,
                used,
                is_restored: false,
            });
        }
        // Else the list would grow with each change while the store is away.
        if !was_due {
            state.unrestored.push(record.id.clone());
        }
    }

    /// At most about `max`; each is due until it is finished.
    pub(super) fn restore_calls(
        &self,
        link: &Arc<LeaseLink>,
        now: LimitClock,
        max: usize,
    ) -> Vec<RestoreCall> {
        let mut calls = Vec::new();
        let mut state = self.lock();
        while calls.len() < max
            && let Some(window) = state.unrestored.pop()
        {
            let of_window = state.before.get_mut(&window).into_iter().flatten();
            for it in of_window.filter(|it| !it.is_restored && it.end > now.seconds) {
                it.is_restored = true;
                let id = LeaseId::from(&window);
                calls.push(RestoreCall {
                    taken: it.used.div_ceil(scale(id.kind)).min(MAX_STORE_UNITS),
                    id,
                    replica: it.replica.clone(),
                    keep_for: kept_after(it.end, now),
                    link: Arc::clone(link),
                    window: window.clone(),
                    is_finished: false,
                });
            }
        }
        calls
    }

    pub(super) fn restore_again(&self, window: &WindowId, replica: &str) {
        let mut state = self.lock();
        let Some(all) = state.before.get_mut(window) else {
            return;
        };
        let was_due = all.iter().any(|it| !it.is_restored);
        for it in all.iter_mut().filter(|it| *it.replica == *replica) {
            it.is_restored = false;
        }
        if !was_due {
            state.unrestored.push(window.clone());
        }
    }

    pub(super) fn restore_all_again(&self) {
        let mut state = self.lock();
        for it in state.before.values_mut().flatten() {
            it.is_restored = false;
        }
        state.unrestored = state.before.keys().cloned().collect();
    }

    /// What earlier processes have used of a window that the store counts.
    pub(super) fn used_before(&self, id: &WindowId) -> u64 {
        let state = self.lock();
        let all = state.before.get(id).into_iter().flatten();
        all.fold(0, |sum, it| sum.saturating_add(it.used))
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
                records.extend(guard.windows(now));
            }
        }
        records
    }
}

// === impl SubjectGuard ===

impl SubjectGuard<'_> {
    fn windows(&self, now: LimitClock) -> impl Iterator<Item = WindowRecord> {
        self.entries().filter_map(move |(entry, bucket)| {
            let window = bucket.window().filter(|_| !bucket.has_ended(now))?;
            let Bucket::Window { used, reserved, .. } = *bucket else {
                return None;
            };
            Some(WindowRecord {
                id: self.terms().window_id(self.name(), entry, window.start)?,
                end: window.end,
                used,
                reserved,
            })
        })
    }

    /// Before the subject is dropped: with a store, this process goes on from there if it
    /// comes back, since the store knows one amount of this process.
    pub(super) fn keep_used(&self, now: LimitClock) {
        if let Some(link) = &self.terms().link {
            link.stored().update(self.windows(now));
        }
    }
}
