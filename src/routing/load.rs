//! How busy a target is: what is in flight there, times how long it takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// What a target is taken to need that has not answered yet.
const UNKNOWN: Duration = Duration::from_millis(200);
/// In this time, in seconds, a slow answer is forgotten to a third.
const MEMORY_S: f64 = 10.0;

/// A moving average of the time to the first byte that jumps up at once and
/// comes down slowly (peak EWMA, as in Finagle), and the requests in flight.
#[derive(Debug, Default)]
pub(super) struct Load {
    in_flight: AtomicU32,
    /// In microseconds; 0 before the first answer.
    average: AtomicU64,
    /// When the average was renewed, in milliseconds since the fleet began.
    renewed: AtomicU64,
}

/// A request in flight, until it is dropped.
#[derive(Debug)]
pub struct InFlight(Arc<Load>);

impl Load {
    /// Requests that are counted in.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed).into()
    }

    /// How long one more request would take, by what is known.
    pub(super) fn cost(&self, now: u64) -> f64 {
        let before = f64::from(self.in_flight.load(Ordering::Relaxed));
        self.average(now) * (before + 1.0)
    }

    /// Notes an answer that took so long. Two at the same time may overwrite
    /// each other, which costs a little precision and nothing else.
    pub(super) fn observe(&self, took: Duration, now: u64) {
        let took = took.as_secs_f64();
        let known = self.average.load(Ordering::Relaxed) != 0;
        let average = self.average(now);
        let next = if !known || took > average {
            took
        } else {
            let kept = self.kept(now);
            average * kept + took * (1.0 - kept)
        };
        let next = u64::try_from(Duration::from_secs_f64(next).as_micros()).unwrap_or(u64::MAX);
        self.average.store(next.max(1), Ordering::Relaxed);
        self.renewed.store(now, Ordering::Relaxed);
    }

    /// Notes an attempt that was given up after so long: its answer would have
    /// taken longer.
    pub(super) fn outlasted(&self, took: Duration, now: u64) {
        if took.as_secs_f64() > self.average(now) {
            self.observe(took, now);
        }
    }

    /// Counts a request in.
    pub(super) fn enter(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// In seconds. Without answers it sinks, so that a target that was slow is
    /// tried again some time.
    fn average(&self, now: u64) -> f64 {
        match self.average.load(Ordering::Relaxed) {
            0 => UNKNOWN.as_secs_f64(),
            average => average as f64 / 1e6 * self.kept(now),
        }
    }

    fn kept(&self, now: u64) -> f64 {
        let since = now.saturating_sub(self.renewed.load(Ordering::Relaxed));
        (-(since as f64) / 1e3 / MEMORY_S).exp()
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::Load;

    const FAST: Duration = Duration::from_millis(10);
    const SLOW: Duration = Duration::from_secs(2);

    #[test]
    fn a_slow_answer_counts_at_once_and_is_forgotten_slowly() {
        let load = Load::default();
        assert!((load.cost(0) - 0.2).abs() < 1e-9);
        load.observe(FAST, 0);
        assert!((load.cost(0) - 0.01).abs() < 1e-9);
        load.observe(SLOW, 0);
        assert!((load.cost(0) - 2.0).abs() < 1e-9);
        load.observe(FAST, 100);
        assert!(load.cost(100) > 1.9);
        load.observe(FAST, 60_000);
        assert!(load.cost(60_000) < 0.02);
    }

    #[test]
    fn what_was_given_up_only_makes_it_slower() {
        let load = Load::default();
        load.observe(Duration::from_secs(1), 0);
        load.outlasted(FAST, 0);
        assert!((load.cost(0) - 1.0).abs() < 1e-9);
        load.outlasted(SLOW, 0);
        assert!((load.cost(0) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_in_flight_counts() {
        let load = Arc::new(Load::default());
        load.observe(FAST, 0);
        let held = [load.enter(), load.enter()];
        assert!((load.cost(0) - 0.03).abs() < 1e-9);
        drop(held);
        assert!((load.cost(0) - 0.01).abs() < 1e-9);
    }
}
