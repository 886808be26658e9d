//! Each worker's usage since the last write.

use std::hash::RandomState;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use indexmap::IndexMap;

use super::usage::{OwnedUsageRow, UsageRow, UsageTotals};

/// Rows of an hour, beyond which names that clients choose are counted together.
const MAX_NAMED: usize = 10_000;
/// Rows of an hour, beyond which only keys are split.
const MAX_ROWS: usize = 100_000;

/// The tables of all workers.
#[derive(Debug, Clone, Default)]
pub struct UsageTables(Arc<Mutex<Vec<Arc<UsageTable>>>>);

/// One worker's table. Only that worker adds, and only the writer drains.
///
/// The writer locks one of the two parts at a time, and each once a second, so the worker
/// finds one of them unlocked and does not wait.
#[derive(Debug, Default)]
pub struct UsageTable([Mutex<Part>; 2]);

#[derive(Debug, Default)]
struct Part {
    /// Rows stay until their hour has ended, so that few are ever allocated.
    rows: IndexMap<Arc<OwnedUsageRow>, Row, RandomState>,
    /// Those with something that was not drained.
    changed: Vec<usize>,
    /// Of the last drain.
    hour: i64,
}

#[derive(Debug, Default)]
struct Row {
    totals: UsageTotals,
    is_changed: bool,
}

// === impl UsageTables ===

impl UsageTables {
    /// The table of another worker.
    #[must_use]
    pub fn add_table(&self) -> Arc<UsageTable> {
        let table = Arc::<UsageTable>::default();
        lock(&self.0).push(Arc::clone(&table));
        table
    }

    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Takes what was added since the last time.
    pub(super) fn drain(&self, hour: i64, mut take: impl FnMut(&Arc<OwnedUsageRow>, &UsageTotals)) {
        for table in lock(&self.0).iter() {
            for part in &table.0 {
                lock(part).drain(hour, &mut take);
            }
        }
    }
}

// === impl UsageTable ===

impl UsageTable {
    /// Adds to a row. Allocates only for one that is new in its hour.
    pub fn add(&self, row: &UsageRow<'_>, used: &UsageTotals) {
        let [first, second] = &self.0;
        // The writer may pass from the first to the second in between.
        let unlocked = [first, second, first].into_iter().find_map(try_lock);
        let mut part = unlocked.unwrap_or_else(|| lock(first));
        part.add(row.bounded(), used);
    }
}

// === impl Part ===

impl Part {
    fn add(&mut self, row: UsageRow<'_>, used: &UsageTotals) {
        let index = self.index_of(row);
        if let Some((_, row)) = self.rows.get_index_mut(index) {
            row.totals.add(used);
            if !row.is_changed {
                row.is_changed = true;
                self.changed.push(index);
            }
        }
    }

    fn index_of(&mut self, row: UsageRow<'_>) -> usize {
        if let Some(index) = self.rows.get_index_of(&row) {
            return index;
        }
        let row = match self.rows.len() {
            ..MAX_NAMED => row,
            MAX_NAMED..MAX_ROWS => row.without_client_names(),
            MAX_ROWS.. => row.of_key(),
        };
        let found = self.rows.get_index_of(&row);
        found.unwrap_or_else(|| {
            let row = Arc::new(row.owned());
            self.rows.insert_full(row, Row::default()).0
        })
    }

    fn drain(&mut self, hour: i64, take: &mut impl FnMut(&Arc<OwnedUsageRow>, &UsageTotals)) {
        for index in self.changed.drain(..) {
            if let Some((name, row)) = self.rows.get_index_mut(index) {
                take(name, &row.totals);
                *row = Row::default();
            }
        }
        // Also when the clock was set back.
        if self.hour != hour {
            self.hour = hour;
            self.rows.retain(|row, _| row.hour == hour);
            self.rows.shrink_to(MAX_NAMED);
        }
    }
}

/// Ignores poison: totals stay valid after a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}
