//! Metric series with uncontended counting.
//!
//! A series is the sum of local cells. Each worker has its own cells and is their only
//! writer: it loads, adds and stores, so that no cache line moves between cores while a
//! request is served. A scrape adds them up.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One cell for a counter or gauge; for a histogram the sum, the buckets and the
/// overflow bucket. The sum is first, next to the lowest buckets, which are hit most
/// often.
#[derive(Debug)]
pub(super) struct Series {
    /// Upper bounds of a histogram's buckets, in microseconds.
    bounds: &'static [u64],
    /// Counts of shared handles and of dropped local cells.
    shared: Box<[AtomicU64]>,
    locals: Mutex<Vec<Arc<[AtomicU64]>>>,
}

/// Shared handle: for rare events, or events of many threads.
#[derive(Debug, Clone)]
pub struct Counter(pub(super) Arc<Series>);

/// Shared handle: for rare changes, or changes by many threads.
#[derive(Debug, Clone)]
pub struct Gauge(pub(super) Arc<Series>);

#[derive(Debug, Clone)]
pub struct Histogram(pub(super) Arc<Series>);

/// One thread's handle of a [`Counter`].
#[derive(Debug)]
pub struct LocalCounter(LocalCells);

/// One thread's handle of a [`Gauge`].
#[derive(Debug)]
pub struct LocalGauge(LocalCells);

/// One thread's handle of a [`Histogram`].
#[derive(Debug)]
pub struct LocalHistogram {
    cells: LocalCells,
    bounds: &'static [u64],
}

#[derive(Debug)]
struct LocalCells {
    cells: Arc<[AtomicU64]>,
    series: Arc<Series>,
    /// Not `Sync`: there must be a single writer.
    _single_writer: PhantomData<Cell<()>>,
}

// === impl Series ===

impl Series {
    pub(super) fn scalar() -> Arc<Self> {
        Arc::new(Self::new(&[], 1))
    }

    pub(super) fn histogram(bounds: &'static [u64]) -> Arc<Self> {
        Arc::new(Self::new(bounds, bounds.len() + 2))
    }

    fn new(bounds: &'static [u64], width: usize) -> Self {
        Self {
            bounds,
            shared: zeros(width),
            locals: Mutex::default(),
        }
    }

    pub(super) fn bounds(&self) -> &'static [u64] {
        self.bounds
    }

    pub(super) fn sums(&self) -> Vec<u64> {
        let locals = self.locals();
        let cells = self.shared.iter().enumerate();
        cells
            .map(|(index, shared)| {
                let of_locals = locals.iter().filter_map(|cells| cells.get(index));
                of_locals.fold(shared.load(Ordering::Relaxed), |sum, cell| {
                    sum.wrapping_add(cell.load(Ordering::Relaxed))
                })
            })
            .collect()
    }

    /// The value of a counter or gauge.
    pub(super) fn sum(&self) -> u64 {
        self.sums().first().copied().unwrap_or_default()
    }

    fn locals(&self) -> MutexGuard<'_, Vec<Arc<[AtomicU64]>>> {
        self.locals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn local(self: &Arc<Self>) -> LocalCells {
        let cells: Arc<[AtomicU64]> = zeros(self.shared.len()).into();
        self.locals().push(Arc::clone(&cells));
        LocalCells {
            cells,
            series: Arc::clone(self),
            _single_writer: PhantomData,
        }
    }

    fn add(&self, amount: u64) {
        if let Some(cell) = self.shared.first() {
            cell.fetch_add(amount, Ordering::Relaxed);
        }
    }
}

fn zeros(width: usize) -> Box<[AtomicU64]> {
    (0..width).map(|_| AtomicU64::new(0)).collect()
}

// === impl LocalCells ===

impl LocalCells {
    fn add(&self, index: usize, amount: u64) {
        if let Some(cell) = self.cells.get(index) {
            let before = cell.load(Ordering::Relaxed);
            cell.store(before.wrapping_add(amount), Ordering::Relaxed);
        }
    }
}

impl Drop for LocalCells {
    fn drop(&mut self) {
        // Under the lock, so that no scrape counts the cells twice or not at all.
        let mut locals = self.series.locals();
        for (shared, cell) in self.series.shared.iter().zip(self.cells.iter()) {
            shared.fetch_add(cell.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        locals.retain(|cells| !Arc::ptr_eq(cells, &self.cells));
    }
}

// === impl Counter ===

impl Counter {
    pub fn increment(&self, amount: u64) {
        self.0.add(amount);
    }

    #[must_use]
    pub fn local(&self) -> LocalCounter {
        LocalCounter(self.0.local())
    }
}

// === impl LocalCounter ===

impl LocalCounter {
    pub fn increment(&self, amount: u64) {
        self.0.add(0, amount);
    }
}

// === impl Gauge ===

impl Gauge {
    pub fn increment(&self, amount: u64) {
        self.0.add(amount);
    }

    pub fn decrement(&self, amount: u64) {
        self.0.add(amount.wrapping_neg());
    }

    /// Use this only for a gauge without local handles.
    pub fn set(&self, value: u64) {
        if let Some(cell) = self.0.shared.first() {
            cell.store(value, Ordering::Relaxed);
        }
    }

    /// One local handle may decrement what another incremented.
    #[must_use]
    pub fn local(&self) -> LocalGauge {
        LocalGauge(self.0.local())
    }
}

// === impl LocalGauge ===

impl LocalGauge {
    pub fn increment(&self, amount: u64) {
        self.0.add(0, amount);
    }

    pub fn decrement(&self, amount: u64) {
        self.0.add(0, amount.wrapping_neg());
    }
}

// === impl Histogram ===

impl Histogram {
    #[must_use]
    pub fn local(&self) -> LocalHistogram {
        LocalHistogram {
            cells: self.0.local(),
            bounds: self.0.bounds,
        }
    }
}

// === impl LocalHistogram ===

impl LocalHistogram {
    pub fn record(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // Upper bounds are inclusive.
        let bucket = self
            .bounds
            .partition_point(|bound| bound * 1000 < nanoseconds);
        self.cells.add(0, nanoseconds);
        self.cells.add(bucket + 1, 1);
    }
}
