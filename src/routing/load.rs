//! Load of a target: requests in flight, times average latency.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Assumed latency of a target that has not responded yet.
const DEFAULT_LATENCY: Duration = Duration::from_millis(200);
/// Time constant of the average's decay, in seconds.
const DECAY_S: f64 = 10.0;

/// Moving average of the time to the first byte that rises at once and falls slowly
/// (peak EWMA, as in Finagle), and the requests in flight.
#[derive(Debug, Default)]
pub(super) struct Load {
    in_flight: AtomicU32,
    /// In microseconds; 0 before the first response.
    average: AtomicU64,
    /// When the average was updated, in milliseconds since the fleet's start.
    updated_at: AtomicU64,
}

/// Counts a request in flight until it is dropped.
#[derive(Debug)]
pub struct InFlightGuard(Arc<Load>);

// === impl Load ===

impl Load {
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed).into()
    }

    /// Expected latency of one more request, in seconds.
    pub(super) fn cost(&self, now: u64) -> f64 {
        let in_flight = f64::from(self.in_flight.load(Ordering::Relaxed));
        self.average(now) * (in_flight + 1.0)
    }

    /// Two concurrent updates may overwrite each other, which costs a little
    /// precision only.
    pub(super) fn record_latency(&self, latency: Duration, now: u64) {
        let latency = latency.as_secs_f64();
        let is_known = self.average.load(Ordering::Relaxed) != 0;
        let average = self.average(now);
        let next = if !is_known || latency > average {
            latency
        } else {
            let decay = self.decay(now);
            average * decay + latency * (1.0 - decay)
        };
        let next = u64::try_from(Duration::from_secs_f64(next).as_micros()).unwrap_or(u64::MAX);
        self.average.store(next.max(1), Ordering::Relaxed);
        self.updated_at.store(now, Ordering::Relaxed);
    }

    /// Records an attempt that was cancelled after this time: its response would
    /// have taken longer.
    pub(super) fn record_abandoned(&self, elapsed: Duration, now: u64) {
        if elapsed.as_secs_f64() > self.average(now) {
            self.record_latency(elapsed, now);
        }
    }

    pub(super) fn track_request(self: &Arc<Self>) -> InFlightGuard {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlightGuard(Arc::clone(self))
    }

    /// In seconds. It decays without responses too, so that a target that was slow
    /// is tried again.
    fn average(&self, now: u64) -> f64 {
        match self.average.load(Ordering::Relaxed) {
            0 => DEFAULT_LATENCY.as_secs_f64(),
            average => average as f64 / 1e6 * self.decay(now),
        }
    }

    /// The fraction of the average that remains.
    fn decay(&self, now: u64) -> f64 {
        let age_ms = now.saturating_sub(self.updated_at.load(Ordering::Relaxed));
        (-(age_ms as f64) / 1e3 / DECAY_S).exp()
    }
}

// === impl InFlightGuard ===

impl Drop for InFlightGuard {
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
    fn a_slow_response_counts_at_once_and_decays_slowly() {
        let load = Load::default();
        assert!((load.cost(0) - 0.2).abs() < 1e-9);
        load.record_latency(FAST, 0);
        assert!((load.cost(0) - 0.01).abs() < 1e-9);
        load.record_latency(SLOW, 0);
        assert!((load.cost(0) - 2.0).abs() < 1e-9);
        load.record_latency(FAST, 100);
        assert!(load.cost(100) > 1.9);
        load.record_latency(FAST, 60_000);
        assert!(load.cost(60_000) < 0.02);
    }

    #[test]
    fn a_cancelled_attempt_can_only_raise_the_average() {
        let load = Load::default();
        load.record_latency(Duration::from_secs(1), 0);
        load.record_abandoned(FAST, 0);
        assert!((load.cost(0) - 1.0).abs() < 1e-9);
        load.record_abandoned(SLOW, 0);
        assert!((load.cost(0) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn requests_in_flight_add_to_the_cost() {
        let load = Arc::new(Load::default());
        load.record_latency(FAST, 0);
        let held = [load.track_request(), load.track_request()];
        assert!((load.cost(0) - 0.03).abs() < 1e-9);
        drop(held);
        assert!((load.cost(0) - 0.01).abs() < 1e-9);
    }
}
