//! Memory of metric series.
//!
//! A series is the sum of one shared cell and of local cells. A local cell has a single
//! writer, which loads, adds and stores, so that no cache line moves between cores while
//! a request is served. A scrape adds them up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{CounterFn, GaugeFn, HistogramFn};

/// One metric with one set of label values. As a handle it may have any number of
/// writers: for rare events, or events of many threads.
#[derive(Debug)]
pub(super) struct Series<C> {
    /// Counts of the series as a handle, and of local cells whose handles were dropped.
    shared: C,
    locals: Mutex<Vec<Arc<Local<C>>>>,
}

/// A cell for one writer. A handle may move to another thread, but two threads must not
/// write at once: increments would be lost.
#[derive(Debug)]
pub(super) struct Local<C>(C);

/// What a series adds up.
pub(super) trait Cell: Sized {
    type Value;

    /// A cell of the same shape that has counted nothing.
    fn empty(&self) -> Self;
    fn zero(&self) -> Self::Value;
    /// Adds this cell to `sum`.
    fn add_to(&self, sum: &mut Self::Value);
    /// Adds `value` to this cell, which may have other writers.
    fn absorb(&self, value: &Self::Value);
}

#[derive(Debug, Default)]
pub(super) struct CounterCell(AtomicU64);

/// The bits of an `f64`.
#[derive(Debug, Default)]
pub(super) struct GaugeCell(AtomicU64);

#[derive(Debug)]
pub(super) struct HistogramCell {
    /// Inclusive upper bounds.
    bounds: &'static [f64],
    /// The bits of an `f64`.
    sum: AtomicU64,
    /// By bucket, then the values above the last bound.
    counts: Box<[AtomicU64]>,
}

/// The sum of a histogram's cells.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramValue {
    pub sum: f64,
    /// By bucket, then the values above the last bound; not cumulative.
    pub counts: Box<[u64]>,
}

// === impl Series ===

impl<C: Cell> Series<C> {
    pub(super) fn new(cell: C) -> Self {
        Self {
            shared: cell,
            locals: Mutex::default(),
        }
    }

    pub(super) fn local(&self) -> Arc<Local<C>> {
        let local = Arc::new(Local(self.shared.empty()));
        self.locals().push(Arc::clone(&local));
        local
    }

    pub(super) fn value(&self) -> C::Value {
        let locals = self.locals();
        let mut sum = self.shared.zero();
        self.shared.add_to(&mut sum);
        for local in locals.iter() {
            local.0.add_to(&mut sum);
        }
        sum
    }

    /// Cells whose handles were all dropped are added to the shared cell first. Under the
    /// lock, so that no scrape counts them twice or not at all.
    fn locals(&self) -> MutexGuard<'_, Vec<Arc<Local<C>>>> {
        let mut locals = self.locals.lock().unwrap_or_else(PoisonError::into_inner);
        locals.retain_mut(|local| {
            let Some(Local(cell)) = Arc::get_mut(local) else {
                return true;
            };
            let mut value = cell.zero();
            cell.add_to(&mut value);
            self.shared.absorb(&value);
            false
        });
        locals
    }
}

// === impl CounterCell ===

impl Cell for CounterCell {
    type Value = u64;

    fn empty(&self) -> Self {
        Self::default()
    }

    fn zero(&self) -> u64 {
        0
    }

    fn add_to(&self, sum: &mut u64) {
        *sum = sum.wrapping_add(self.0.load(Ordering::Relaxed));
    }

    fn absorb(&self, value: &u64) {
        self.0.fetch_add(*value, Ordering::Relaxed);
    }
}

impl CounterFn for Series<CounterCell> {
    fn increment(&self, value: u64) {
        self.shared.absorb(&value);
    }

    fn absolute(&self, value: u64) {
        self.shared.0.fetch_max(value, Ordering::Relaxed);
    }
}

impl CounterFn for Local<CounterCell> {
    fn increment(&self, value: u64) {
        let Self(CounterCell(cell)) = self;
        let before = cell.load(Ordering::Relaxed);
        cell.store(before.wrapping_add(value), Ordering::Relaxed);
    }

    fn absolute(&self, value: u64) {
        self.0.0.store(value, Ordering::Relaxed);
    }
}

// === impl GaugeCell ===

impl GaugeCell {
    fn load(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    fn store(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }
}

impl Cell for GaugeCell {
    type Value = f64;

    fn empty(&self) -> Self {
        Self::default()
    }

    fn zero(&self) -> f64 {
        0.0
    }

    fn add_to(&self, sum: &mut f64) {
        *sum += self.load();
    }

    fn absorb(&self, value: &f64) {
        add_f64(&self.0, *value);
    }
}

impl GaugeFn for Series<GaugeCell> {
    fn increment(&self, value: f64) {
        self.shared.absorb(&value);
    }

    fn decrement(&self, value: f64) {
        self.shared.absorb(&-value);
    }

    fn set(&self, value: f64) {
        self.shared.store(value);
    }
}

/// One local handle may decrement what another incremented.
impl GaugeFn for Local<GaugeCell> {
    fn increment(&self, value: f64) {
        self.0.store(self.0.load() + value);
    }

    fn decrement(&self, value: f64) {
        self.0.store(self.0.load() - value);
    }

    /// Sets this handle's part of the sum.
    fn set(&self, value: f64) {
        self.0.store(value);
    }
}

// === impl HistogramCell ===

impl HistogramCell {
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            sum: AtomicU64::new(0),
            counts: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    fn count(&self, value: f64) -> Option<&AtomicU64> {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts.get(bucket)
    }
}

impl Cell for HistogramCell {
    type Value = HistogramValue;

    fn empty(&self) -> Self {
        Self::new(self.bounds)
    }

    fn zero(&self) -> HistogramValue {
        HistogramValue {
            sum: 0.0,
            counts: vec![0; self.counts.len()].into(),
        }
    }

    fn add_to(&self, sum: &mut HistogramValue) {
        sum.sum += f64::from_bits(self.sum.load(Ordering::Relaxed));
        for (sum, count) in sum.counts.iter_mut().zip(&self.counts) {
            *sum += count.load(Ordering::Relaxed);
        }
    }

    fn absorb(&self, value: &HistogramValue) {
        add_f64(&self.sum, value.sum);
        for (count, value) in self.counts.iter().zip(&value.counts) {
            count.fetch_add(*value, Ordering::Relaxed);
        }
    }
}

impl HistogramFn for Series<HistogramCell> {
    fn record(&self, value: f64) {
        add_f64(&self.shared.sum, value);
        if let Some(count) = self.shared.count(value) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl HistogramFn for Local<HistogramCell> {
    fn record(&self, value: f64) {
        let Self(cell) = self;
        let sum = f64::from_bits(cell.sum.load(Ordering::Relaxed));
        cell.sum.store((sum + value).to_bits(), Ordering::Relaxed);
        if let Some(count) = cell.count(value) {
            count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }
}

fn add_f64(bits: &AtomicU64, value: f64) {
    // The closure never refuses.
    let _ = bits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| {
        Some((f64::from_bits(bits) + value).to_bits())
    });
}
