//! Limits shared by all workers, with a reserve in each worker.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use metrics::{Counter, Gauge};

use crate::telemetry::metric::label::shed_reason;
use crate::telemetry::metric::{self, Metric, Registry};

/// A [`LocalLimit`] holds at most two parts in this many of the limit in reserve.
const RESERVE_DIVISOR: usize = 1024;

/// A process-wide limit: requests in flight, buffered or spooled bytes.
#[derive(Debug)]
pub struct SharedLimit {
    limit: AtomicUsize,
    in_use: AtomicUsize,
    registry: Registry,
    /// The gauge of what is in use.
    gauge: Option<&'static Metric>,
    rejections: Counter,
}

/// One worker's access to a [`SharedLimit`]. It acquires a little more than it needs
/// and keeps a little of what is released, so that most requests touch no memory
/// that other workers write.
#[derive(Debug)]
pub struct LocalLimit {
    shared: Arc<SharedLimit>,
    /// Acquired and not issued.
    reserve: Cell<usize>,
    gauge: Option<Gauge>,
}

/// Part of a [`SharedLimit`], released on drop.
#[derive(Debug)]
pub struct LimitPermit {
    local: Rc<LocalLimit>,
    amount: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitExceeded;

impl SharedLimit {
    /// Limits requests in flight.
    #[must_use]
    pub fn requests(registry: &Registry, limit: usize) -> Arc<Self> {
        Self::new(registry, shed_reason::REQUESTS_IN_FLIGHT, None, limit)
    }

    /// Limits buffered bytes of request bodies.
    #[must_use]
    pub fn bytes(registry: &Registry, limit: usize) -> Arc<Self> {
        let gauge = Some(&metric::BUFFERED_BYTES);
        Self::new(registry, shed_reason::BUFFERED_BYTES, gauge, limit)
    }

    /// Limits bytes of read buffers; where there is no room, small ones do.
    #[must_use]
    pub fn read_buffers(registry: &Registry, limit: usize) -> Arc<Self> {
        Self::new(registry, shed_reason::BUFFERED_BYTES, None, limit)
    }

    /// Limits bytes of forms in temporary files.
    #[must_use]
    pub fn files(registry: &Registry, limit: usize) -> Arc<Self> {
        Self::new(registry, shed_reason::SPOOLED_BYTES, None, limit)
    }

    fn new(
        registry: &Registry,
        reason: &'static str,
        gauge: Option<&'static Metric>,
        limit: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            limit: AtomicUsize::new(limit),
            in_use: AtomicUsize::new(0),
            registry: registry.clone(),
            gauge,
            rejections: registry.counter(&metric::SHED, &[("reason", reason)]),
        })
    }

    /// Permits held stay valid.
    pub fn resize(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Acquires without a [`LimitPermit`]: to be released by the same amount. A rejection
    /// is not counted.
    pub fn try_acquire(&self, amount: usize) -> bool {
        // Acquired first and released if too much: one atomic operation in the common
        // case. Two requests just below the limit may both be rejected.
        let before = self.in_use.fetch_add(amount, Ordering::Relaxed);
        let fits = before.saturating_add(amount) <= self.limit();
        if !fits {
            self.release(amount);
        }
        fits
    }

    pub fn release(&self, amount: usize) {
        self.in_use.fetch_sub(amount, Ordering::Relaxed);
    }

    /// 0 for small limits, which are enforced exactly.
    fn batch(&self) -> usize {
        self.limit() / RESERVE_DIVISOR
    }
}

impl LocalLimit {
    #[must_use]
    pub fn new(shared: &Arc<SharedLimit>) -> Rc<Self> {
        let registry = shared.registry.local();
        Rc::new(Self {
            reserve: Cell::new(0),
            gauge: shared.gauge.map(|gauge| registry.gauge(gauge, &[])),
            shared: Arc::clone(shared),
        })
    }

    pub fn acquire(self: &Rc<Self>, amount: usize) -> Result<LimitPermit, LimitExceeded> {
        let mut permit = LimitPermit {
            local: Rc::clone(self),
            amount: 0,
        };
        permit.grow(amount)?;
        Ok(permit)
    }

    fn acquire_amount(&self, amount: usize) -> Result<(), LimitExceeded> {
        let acquired = self.try_acquire_amount(amount);
        if !acquired {
            self.shared.rejections.increment(1);
        }
        acquired.then_some(()).ok_or(LimitExceeded)
    }

    fn try_acquire_amount(&self, amount: usize) -> bool {
        let reserve = self.reserve.get();
        if let Some(left) = reserve.checked_sub(amount) {
            self.reserve.set(left);
            return true;
        }
        let missing = amount - reserve;
        let batch = self.shared.batch();
        if self.shared.try_acquire(missing.saturating_add(batch)) {
            self.reserve.set(batch);
        } else if self.shared.try_acquire(missing) {
            self.reserve.set(0);
        } else {
            return false;
        }
        true
    }

    /// Releases what the reserve holds in excess, after the limit was lowered.
    pub fn release_excess(&self) {
        self.release(0);
    }

    fn release(&self, amount: usize) {
        let reserve = self.reserve.get() + amount;
        let batch = self.shared.batch();
        if reserve > 2 * batch {
            self.shared.release(reserve - batch);
            self.reserve.set(batch);
        } else {
            self.reserve.set(reserve);
        }
    }
}

impl Drop for LocalLimit {
    fn drop(&mut self) {
        self.shared.release(self.reserve.get());
    }
}

impl LimitPermit {
    pub fn grow(&mut self, amount: usize) -> Result<(), LimitExceeded> {
        self.local.acquire_amount(amount)?;
        self.add(amount);
        Ok(())
    }

    #[must_use]
    pub fn amount(&self) -> usize {
        self.amount
    }

    /// Grows to at least `amount`; by `spare` more, if available, so that the next calls
    /// have nothing to do.
    pub fn grow_to(&mut self, amount: usize, spare: usize) -> Result<(), LimitExceeded> {
        if self.amount >= amount || spare > 0 && self.try_grow_to(amount + spare) {
            return Ok(());
        }
        self.grow(amount - self.amount)
    }

    /// Grows to at least `amount`, if available. A rejection is not counted.
    pub fn try_grow_to(&mut self, amount: usize) -> bool {
        let missing = amount.saturating_sub(self.amount);
        let acquired = self.local.try_acquire_amount(missing);
        if acquired {
            self.add(missing);
        }
        acquired
    }

    fn add(&mut self, amount: usize) {
        self.amount += amount;
        if let Some(gauge) = &self.local.gauge {
            gauge.increment(amount as f64);
        }
    }

    /// Releases what exceeds this amount.
    pub fn shrink_to(&mut self, amount: usize) {
        let excess = self.amount.saturating_sub(amount);
        self.amount -= excess;
        self.local.release(excess);
        if let Some(gauge) = &self.local.gauge {
            gauge.decrement(excess as f64);
        }
    }
}

impl Drop for LimitPermit {
    fn drop(&mut self) {
        self.local.release(self.amount);
        if let Some(gauge) = &self.local.gauge {
            gauge.decrement(self.amount as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::{LimitExceeded, LocalLimit, RESERVE_DIVISOR, SharedLimit};
    use crate::telemetry::metric::Registry;

    #[test]
    fn issues_no_more_than_the_limit() {
        let registry = Registry::new();
        let shared = SharedLimit::bytes(&registry, 10);
        let (one, other) = (LocalLimit::new(&shared), LocalLimit::new(&shared));
        let mut first = one.acquire(6).unwrap();
        assert_eq!(other.acquire(5).unwrap_err(), LimitExceeded);
        let second = other.acquire(4).unwrap();
        assert_eq!(first.grow(1), Err(LimitExceeded));
        let held = "trunkline_buffered_bytes 10\n";
        assert!(registry.render().contains(held), "{}", registry.render());
        drop(second);
        assert_eq!(first.grow(4), Ok(()));
        first.shrink_to(3);
        let held = "trunkline_buffered_bytes 3\n";
        assert!(registry.render().contains(held), "{}", registry.render());
        assert!(other.acquire(8).is_err());
        drop(other.acquire(7).unwrap());
        drop(first);
        assert!(other.acquire(10).is_ok());
        assert_eq!(shared.in_use.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_permit_grows_by_steps_while_there_is_room_for_them() {
        let shared = SharedLimit::bytes(&Registry::new(), 10);
        let local = LocalLimit::new(&shared);
        let in_use = || shared.in_use.load(Ordering::Relaxed);
        let mut permit = local.acquire(0).unwrap();
        permit.grow_to(1, 4).unwrap();
        assert_eq!(in_use(), 5);
        permit.grow_to(5, 4).unwrap();
        assert_eq!(in_use(), 5);
        permit.grow_to(7, 4).unwrap();
        assert_eq!(in_use(), 7);
        permit.grow_to(10, 0).unwrap();
        assert_eq!(permit.grow_to(11, 4), Err(LimitExceeded));
        permit.shrink_to(2);
        drop(permit);
        drop(local);
        assert_eq!(in_use(), 0);
    }

    #[test]
    fn a_smaller_limit_counts_what_is_held_already() {
        let shared = SharedLimit::requests(&Registry::new(), 10 * RESERVE_DIVISOR);
        let (one, other) = (LocalLimit::new(&shared), LocalLimit::new(&shared));
        let held: Vec<_> = (0..3).map(|_| one.acquire(1).unwrap()).collect();
        shared.resize(4);
        one.release_excess();
        let fourth = other.acquire(1).unwrap();
        assert_eq!(other.acquire(1).unwrap_err(), LimitExceeded);
        drop((held, fourth));
        assert_eq!(shared.in_use.load(Ordering::Relaxed), 0);
        shared.resize(1);
        let _only = other.acquire(1).unwrap();
        assert_eq!(one.acquire(1).unwrap_err(), LimitExceeded);
    }

    #[test]
    fn the_reserve_is_small_and_used_first() {
        let shared = SharedLimit::requests(&Registry::new(), 10 * RESERVE_DIVISOR);
        let local = LocalLimit::new(&shared);
        let permits: Vec<_> = (0..100).map(|_| local.acquire(1).unwrap()).collect();
        let in_use = || shared.in_use.load(Ordering::Relaxed);
        assert!((100..=120).contains(&in_use()), "{}", in_use());
        drop(permits);
        assert!(in_use() <= 20, "{}", in_use());
        let before = in_use();
        drop(local.acquire(1));
        assert_eq!(in_use(), before);
        // Without room for a batch, the last permits are issued all the same.
        let rest = LocalLimit::new(&shared);
        let all: Vec<_> = (0..10 * RESERVE_DIVISOR - before)
            .map(|_| rest.acquire(1).unwrap())
            .collect();
        assert_eq!(rest.acquire(1).unwrap_err(), LimitExceeded);
        drop((all, local, rest));
        assert_eq!(in_use(), 0);
    }
}
