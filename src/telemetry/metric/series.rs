//! Series, and how workers count without meeting each other.
//!
//! A series is the sum of its parts. Each worker has parts of its own, on
//! memory of its own, and is the only one to write there: it reads, adds and
//! stores, and no line of the cache is claimed from another core on the way of
//! a request. The parts are added up when somebody looks.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Numbers that are counted together: one for a counter or a gauge; for a
/// histogram the sum, one for each bucket, and one for what lies above. The sum
/// stands first, since the lowest buckets, which are hit most, are beside it.
#[derive(Debug)]
pub(super) struct Series {
    /// Upper bounds of a histogram's buckets, in microseconds.
    bounds: &'static [u64],
    /// What is counted by anybody, and what parts had when they were dropped.
    shared: Box<[AtomicU64]>,
    parts: Mutex<Vec<Arc<[AtomicU64]>>>,
}

/// Only grows. For what is seldom counted, or from many threads.
#[derive(Debug, Clone)]
pub struct Counter(pub(super) Arc<Series>);

/// Goes up and down. For what seldom changes, or from many threads.
#[derive(Debug, Clone)]
pub struct Gauge(pub(super) Arc<Series>);

/// Times, spread over buckets.
#[derive(Debug, Clone)]
pub struct Histogram(pub(super) Arc<Series>);

/// One thread's part of a [`Counter`].
#[derive(Debug)]
pub struct CounterPart(Part);

/// One thread's part of a [`Gauge`].
#[derive(Debug)]
pub struct GaugePart(Part);

/// One thread's part of a [`Histogram`].
#[derive(Debug)]
pub struct HistogramPart {
    part: Part,
    bounds: &'static [u64],
}

#[derive(Debug)]
struct Part {
    cells: Arc<[AtomicU64]>,
    series: Arc<Series>,
    /// Not to be shared: there must be one writer.
    _one_writer: PhantomData<Cell<()>>,
}

// ===== Series =====

impl Series {
    pub(super) fn one() -> Arc<Self> {
        Arc::new(Self::new(&[], 1))
    }

    pub(super) fn spread(bounds: &'static [u64]) -> Arc<Self> {
        Arc::new(Self::new(bounds, bounds.len() + 2))
    }

    fn new(bounds: &'static [u64], width: usize) -> Self {
        Self {
            bounds,
            shared: zeros(width),
            parts: Mutex::default(),
        }
    }

    pub(super) fn bounds(&self) -> &'static [u64] {
        self.bounds
    }

    /// The numbers now.
    pub(super) fn sums(&self) -> Vec<u64> {
        let parts = self.parts();
        let cells = self.shared.iter().enumerate();
        cells
            .map(|(place, shared)| {
                let of_parts = parts.iter().filter_map(|cells| cells.get(place));
                of_parts.fold(shared.load(Ordering::Relaxed), |sum, cell| {
                    sum.wrapping_add(cell.load(Ordering::Relaxed))
                })
            })
            .collect()
    }

    /// The only number of a counter or gauge.
    pub(super) fn sum(&self) -> u64 {
        self.sums().first().copied().unwrap_or_default()
    }

    fn parts(&self) -> MutexGuard<'_, Vec<Arc<[AtomicU64]>>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn part(self: &Arc<Self>) -> Part {
        let cells: Arc<[AtomicU64]> = zeros(self.shared.len()).into();
        self.parts().push(Arc::clone(&cells));
        Part {
            cells,
            series: Arc::clone(self),
            _one_writer: PhantomData,
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

// ===== Part =====

impl Part {
    fn add(&self, place: usize, amount: u64) {
        if let Some(cell) = self.cells.get(place) {
            let before = cell.load(Ordering::Relaxed);
            cell.store(before.wrapping_add(amount), Ordering::Relaxed);
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Under the lock, so that nobody sees it in both places or in none.
        let mut parts = self.series.parts();
        for (shared, cell) in self.series.shared.iter().zip(self.cells.iter()) {
            shared.fetch_add(cell.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        parts.retain(|cells| !Arc::ptr_eq(cells, &self.cells));
    }
}

// ===== Handles =====

impl Counter {
    /// Counts so many more.
    pub fn increment(&self, amount: u64) {
        self.0.add(amount);
    }

    /// A part for the thread that asks.
    #[must_use]
    pub fn part(&self) -> CounterPart {
        CounterPart(self.0.part())
    }
}

impl CounterPart {
    /// Counts so many more.
    pub fn increment(&self, amount: u64) {
        self.0.add(0, amount);
    }
}

impl Gauge {
    /// Goes up.
    pub fn increment(&self, amount: u64) {
        self.0.add(amount);
    }

    /// Goes down.
    pub fn decrement(&self, amount: u64) {
        self.0.add(amount.wrapping_neg());
    }

    /// Is this from now on. For a gauge without parts.
    pub fn set(&self, value: u64) {
        if let Some(cell) = self.0.shared.first() {
            cell.store(value, Ordering::Relaxed);
        }
    }

    /// A part for the thread that asks. What went up in one part may go down
    /// in another.
    #[must_use]
    pub fn part(&self) -> GaugePart {
        GaugePart(self.0.part())
    }
}

impl GaugePart {
    /// Goes up.
    pub fn increment(&self, amount: u64) {
        self.0.add(0, amount);
    }

    /// Goes down.
    pub fn decrement(&self, amount: u64) {
        self.0.add(0, amount.wrapping_neg());
    }
}

impl Histogram {
    /// A part for the thread that asks.
    #[must_use]
    pub fn part(&self) -> HistogramPart {
        HistogramPart {
            part: self.0.part(),
            bounds: self.0.bounds,
        }
    }
}

impl HistogramPart {
    /// Takes a sample.
    pub fn record(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // A bound belongs to its bucket.
        let bucket = self
            .bounds
            .partition_point(|bound| bound * 1000 < nanoseconds);
        self.part.add(0, nanoseconds);
        self.part.add(bucket + 1, 1);
    }
}
