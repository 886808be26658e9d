//! How much may be in flight at once, over all workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use metrics::{Counter, Gauge};

use crate::telemetry::metric::{self, Registry};

/// Something of which there is only so much.
#[derive(Debug)]
pub struct Allowance {
    most: usize,
    taken: AtomicUsize,
    gauge: Option<Gauge>,
    refused: Counter,
}

/// A part of an [`Allowance`], given back on drop.
#[derive(Debug)]
pub struct Share {
    allowance: Arc<Allowance>,
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
            most,
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
            most,
            taken: AtomicUsize::new(0),
            gauge,
            refused,
        })
    }

    /// Takes `amount`, if so much is left.
    pub fn take(self: &Arc<Self>, amount: usize) -> Result<Share, Exhausted> {
        let mut share = Share {
            allowance: Arc::clone(self),
            amount: 0,
        };
        share.grow(amount)?;
        Ok(share)
    }
}

impl Share {
    /// Takes `amount` more, if so much is left.
    pub fn grow(&mut self, amount: usize) -> Result<(), Exhausted> {
        let allowance = &self.allowance;
        // Taken first and given back when it was too much: one operation in
        // the usual case. Two requests at the brim may both be refused.
        let before = allowance.taken.fetch_add(amount, Ordering::Relaxed);
        if before.saturating_add(amount) > allowance.most {
            allowance.taken.fetch_sub(amount, Ordering::Relaxed);
            allowance.refused.increment(1);
            return Err(Exhausted);
        }
        self.amount += amount;
        if let Some(gauge) = &allowance.gauge {
            gauge.increment(amount as f64);
        }
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.allowance
            .taken
            .fetch_sub(self.amount, Ordering::Relaxed);
        if let Some(gauge) = &self.allowance.gauge {
            gauge.decrement(self.amount as f64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Allowance, Exhausted};
    use crate::telemetry::metric::Registry;

    #[test]
    fn gives_no_more_than_there_is() {
        let allowance = Allowance::bytes(&Registry::new().unwrap(), 10);
        let mut first = allowance.take(6).unwrap();
        assert_eq!(allowance.take(5).unwrap_err(), Exhausted);
        let second = allowance.take(4).unwrap();
        assert_eq!(first.grow(1), Err(Exhausted));
        drop(second);
        assert_eq!(first.grow(4), Ok(()));
        drop(first);
        assert!(allowance.take(10).is_ok());
    }
}
