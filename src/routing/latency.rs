//! A target's recent latencies, for hedging at a quantile.

use std::array;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

/// Latencies kept per target, for streams and for other responses.
const CAPACITY: usize = 128;

/// Streams are recorded separately: their first event arrives long before a complete
/// response could.
#[derive(Debug, Default)]
pub(super) struct RecentLatencies {
    streams: LatencyRing,
    others: LatencyRing,
}

#[derive(Debug)]
struct LatencyRing {
    micros: [AtomicU32; CAPACITY],
    count: AtomicUsize,
}

// === impl RecentLatencies ===

impl RecentLatencies {
    pub(super) fn record(&self, is_stream: bool, latency: Duration) {
        self.ring(is_stream).record(latency);
    }

    /// `None` with fewer than `min_samples`.
    pub(super) fn quantile(
        &self,
        is_stream: bool,
        percent: u32,
        min_samples: usize,
    ) -> Option<Duration> {
        self.ring(is_stream).quantile(percent, min_samples)
    }

    fn ring(&self, is_stream: bool) -> &LatencyRing {
        if is_stream {
            &self.streams
        } else {
            &self.others
        }
    }
}

// === impl LatencyRing ===

impl LatencyRing {
    fn record(&self, latency: Duration) {
        let micros = u32::try_from(latency.as_micros()).unwrap_or(u32::MAX);
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        if let Some(oldest) = self.micros.get(count % CAPACITY) {
            oldest.store(micros, Ordering::Relaxed);
        }
    }

    fn quantile(&self, percent: u32, min_samples: usize) -> Option<Duration> {
        let count = self.count.load(Ordering::Relaxed).min(CAPACITY);
        if count < min_samples.max(1) {
            return None;
        }
        let mut micros = self.micros.each_ref().map(|it| it.load(Ordering::Relaxed));
        let samples = micros.get_mut(..count)?;
        let rank = (count * percent.min(100) as usize).div_ceil(100).max(1);
        let (_, found, _) = samples.select_nth_unstable(rank - 1);
        Some(Duration::from_micros(u64::from(*found)))
    }
}

impl Default for LatencyRing {
    fn default() -> Self {
        Self {
            micros: array::from_fn(|_| AtomicU32::new(0)),
            count: AtomicUsize::new(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{CAPACITY, RecentLatencies};

    fn milliseconds(count: usize) -> Duration {
        Duration::from_millis(count as u64)
    }

    #[test]
    fn a_quantile_needs_enough_samples() {
        let latencies = RecentLatencies::default();
        for latency in (1..=100).rev() {
            assert_eq!(latencies.quantile(true, 95, 100), None);
            latencies.record(true, milliseconds(latency));
        }
        for (percent, expected) in [(50, 50), (95, 95), (99, 99)] {
            let found = latencies.quantile(true, percent, 100);
            assert_eq!(found, Some(milliseconds(expected)));
        }
        assert_eq!(latencies.quantile(false, 95, 1), None);
    }

    #[test]
    fn one_sample_is_enough_and_the_oldest_are_overwritten() {
        let latencies = RecentLatencies::default();
        assert_eq!(latencies.quantile(false, 50, 0), None);
        latencies.record(false, milliseconds(7));
        assert_eq!(latencies.quantile(false, 99, 1), Some(milliseconds(7)));
        for _ in 0..CAPACITY {
            latencies.record(false, milliseconds(3));
        }
        assert_eq!(latencies.quantile(false, 99, 1), Some(milliseconds(3)));
        latencies.record(false, Duration::MAX);
        assert!(latencies.quantile(false, 99, 1) < latencies.quantile(false, 100, 1));
    }
}
