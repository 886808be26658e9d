//! How much may be in flight at once, over all workers.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::telemetry::metric::{self, Counter, Gauge, GaugePart, Registry};

/// Of this many parts of the whole, a [`Purse`] holds at most two in reserve.
const PARTS: usize = 1024;

/// Something of which there is only so much.
#[derive(Debug)]
pub struct Allowance {
    most: AtomicUsize,
    taken: AtomicUsize,
    gauge: Option<Gauge>,
    refused: Counter,
}

/// One worker's way to an [`Allowance`]. It takes a little more than it needs
/// and keeps a little of what it gets back, so that most requests touch
/// nothing that other workers touch.
#[derive(Debug)]
pub struct Purse {
    allowance: Arc<Allowance>,
    /// Taken and not given out.
    reserve: Cell<usize>,
    gauge: Option<GaugePart>,
}

/// A part of an [`Allowance`], given back on drop.
#[derive(Debug)]
pub struct Share {
    purse: Rc<Purse>,
    amount: usize,
}

/// Nothing is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted;

impl Allowance {
    /// Requests in flight, at most `most`.
    #[must_use]
    pub fn requests(registry: &Registry, most: usize) -> Arc<Self> {
        let refused = registry.counter(&metric::SHED, &[("reason", "requests_in_flight")]);
        Arc::new(Self {
            most: AtomicUsize::new(most),
            taken: AtomicUsize::new(0),
            gauge: None,
            refused,
        })
    }

    /// Bytes of request bodies held, at most `most`.
    #[must_use]
    pub fn bytes(registry: &Registry, most: usize) -> Arc<Self> {
        let refused = registry.counter(&metric::SHED, &[("reason", "buffered_bytes")]);
        let gauge = Some(registry.gauge(&metric::BUFFERED_BYTES, &[]));
        Arc::new(Self {
            most: AtomicUsize::new(most),
            taken: AtomicUsize::new(0),
            gauge,
            refused,
        })
    }

    /// Bytes of forms in temporary files, at most `most`.
    #[must_use]
    pub fn files(registry: &Registry, most: usize) -> Arc<Self> {
        let refused = registry.counter(&metric::SHED, &[("reason", "spooled_bytes")]);
        Arc::new(Self {
            most: AtomicUsize::new(most),
            taken: AtomicUsize::new(0),
            gauge: None,
            refused,
        })
    }

    /// Changes how much there is. What is taken stays so.
    pub fn resize(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    fn take(&self, amount: usize) -> bool {
        // Taken first and given back when it was too much: one operation in
        // the usual case. Two requests at the brim may both be refused.
        let before = self.taken.fetch_add(amount, Ordering::Relaxed);
        let fits = before.saturating_add(amount) <= self.most();
        if !fits {
            self.give_back(amount);
        }
        fits
    }

    fn give_back(&self, amount: usize) {
        self.taken.fetch_sub(amount, Ordering::Relaxed);
    }

    /// A limit of a few requests is kept to the last one.
    fn step(&self) -> usize {
        self.most() / PARTS
    }
}

impl Purse {
    /// A worker's way to this allowance.
    #[must_use]
    pub fn new(allowance: &Arc<Allowance>) -> Rc<Self> {
        Rc::new(Self {
            reserve: Cell::new(0),
            gauge: allowance.gauge.as_ref().map(Gauge::part),
            allowance: Arc::clone(allowance),
        })
    }

    /// Takes `amount`, if so much is left.
    pub fn take(self: &Rc<Self>, amount: usize) -> Result<Share, Exhausted> {
        let mut share = Share {
            purse: Rc::clone(self),
            amount: 0,
        };
        share.grow(amount)?;
        Ok(share)
    }

    fn spend(&self, amount: usize) -> Result<(), Exhausted> {
        let reserve = self.reserve.get();
        if let Some(left) = reserve.checked_sub(amount) {
            self.reserve.set(left);
            return Ok(());
        }
        let missing = amount - reserve;
        let step = self.allowance.step();
        if self.allowance.take(missing.saturating_add(step)) {
            self.reserve.set(step);
        } else if self.allowance.take(missing) {
            self.reserve.set(0);
        } else {
            self.allowance.refused.increment(1);
            return Err(Exhausted);
        }
        Ok(())
    }

    /// Gives back what is more than the reserve may be, when there is less of
    /// everything than there was.
    pub fn settle(&self) {
        self.put_back(0);
    }

    fn put_back(&self, amount: usize) {
        let reserve = self.reserve.get() + amount;
        let step = self.allowance.step();
        if reserve > 2 * step {
            self.allowance.give_back(reserve - step);
            self.reserve.set(step);
        } else {
            self.reserve.set(reserve);
        }
    }
}

impl Drop for Purse {
    fn drop(&mut self) {
        self.allowance.give_back(self.reserve.get());
    }
}

impl Share {
    /// Takes `amount` more, if so much is left.
    pub fn grow(&mut self, amount: usize) -> Result<(), Exhausted> {
        self.purse.spend(amount)?;
        self.amount += amount;
        if let Some(gauge) = &self.purse.gauge {
            gauge.increment(amount as u64);
        }
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.purse.put_back(self.amount);
        if let Some(gauge) = &self.purse.gauge {
            gauge.decrement(self.amount as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::{Allowance, Exhausted, PARTS, Purse};
    use crate::telemetry::metric::Registry;

    #[test]
    fn gives_no_more_than_there_is() {
        let registry = Registry::new();
        let allowance = Allowance::bytes(&registry, 10);
        let (one, other) = (Purse::new(&allowance), Purse::new(&allowance));
        let mut first = one.take(6).unwrap();
        assert_eq!(other.take(5).unwrap_err(), Exhausted);
        let second = other.take(4).unwrap();
        assert_eq!(first.grow(1), Err(Exhausted));
        let held = "trunkline_buffered_bytes 10\n";
        assert!(registry.render().contains(held), "{}", registry.render());
        drop(second);
        assert_eq!(first.grow(4), Ok(()));
        drop(first);
        assert!(other.take(10).is_ok());
        assert_eq!(allowance.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_smaller_limit_counts_what_is_taken_already() {
        let allowance = Allowance::requests(&Registry::new(), 10 * PARTS);
        let (one, other) = (Purse::new(&allowance), Purse::new(&allowance));
        let held: Vec<_> = (0..3).map(|_| one.take(1).unwrap()).collect();
        allowance.resize(4);
        one.settle();
        let fourth = other.take(1).unwrap();
        assert_eq!(other.take(1).unwrap_err(), Exhausted);
        drop((held, fourth));
        assert_eq!(allowance.taken.load(Ordering::Relaxed), 0);
        allowance.resize(1);
        let _only = other.take(1).unwrap();
        assert_eq!(one.take(1).unwrap_err(), Exhausted);
    }

    #[test]
    fn a_reserve_is_small_and_lent_out_first() {
        let allowance = Allowance::requests(&Registry::new(), 10 * PARTS);
        let purse = Purse::new(&allowance);
        let shares: Vec<_> = (0..100).map(|_| purse.take(1).unwrap()).collect();
        let taken = || allowance.taken.load(Ordering::Relaxed);
        assert!((100..=120).contains(&taken()), "{}", taken());
        drop(shares);
        assert!(taken() <= 20, "{}", taken());
        let before = taken();
        drop(purse.take(1));
        assert_eq!(taken(), before);
        // With nothing to spare the last ones are given out all the same.
        let rest = Purse::new(&allowance);
        let all: Vec<_> = (0..10 * PARTS - before)
            .map(|_| rest.take(1).unwrap())
            .collect();
        assert_eq!(rest.take(1).unwrap_err(), Exhausted);
        drop((all, purse, rest));
        assert_eq!(taken(), 0);
    }
}
