//! How long a target's last answers took to begin.

use std::array;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

/// Answers that are remembered.
const KEPT: usize = 128;

/// The times of the last answers, those of streams apart: their first event
/// comes long before a whole answer could.
#[derive(Debug, Default)]
pub(super) struct Recent {
    streams: Times,
    others: Times,
}

/// A ring of times in microseconds.
#[derive(Debug)]
struct Times {
    micros: [AtomicU32; KEPT],
    count: AtomicUsize,
}

impl Recent {
    /// Notes an answer that began after so long.
    pub(super) fn add(&self, streams: bool, took: Duration) {
        self.of(streams).add(took);
    }

    /// The time within which `percent` of the last answers had begun; none
    /// before `least` of them have come.
    pub(super) fn quantile(&self, streams: bool, percent: u32, least: usize) -> Option<Duration> {
        self.of(streams).quantile(percent, least)
    }

    fn of(&self, streams: bool) -> &Times {
        if streams { &self.streams } else { &self.others }
    }
}

impl Times {
    fn add(&self, took: Duration) {
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        if let Some(place) = self.micros.get(count % KEPT) {
            place.store(micros, Ordering::Relaxed);
        }
    }

    fn quantile(&self, percent: u32, least: usize) -> Option<Duration> {
        let count = self.count.load(Ordering::Relaxed).min(KEPT);
        if count < least.max(1) {
            return None;
        }
        let mut micros = self.micros.each_ref().map(|it| it.load(Ordering::Relaxed));
        let known = micros.get_mut(..count)?;
        let rank = (count * percent.min(100) as usize).div_ceil(100).max(1);
        let (_, found, _) = known.select_nth_unstable(rank - 1);
        Some(Duration::from_micros(u64::from(*found)))
    }
}

impl Default for Times {
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

    use super::{KEPT, Recent};

    fn milliseconds(count: usize) -> Duration {
        Duration::from_millis(count as u64)
    }

    #[test]
    fn tells_what_most_answers_needed() {
        let recent = Recent::default();
        for took in (1..=100).rev() {
            assert_eq!(recent.quantile(true, 95, 100), None);
            recent.add(true, milliseconds(took));
        }
        for (percent, expected) in [(50, 50), (95, 95), (99, 99)] {
            let found = recent.quantile(true, percent, 100);
            assert_eq!(found, Some(milliseconds(expected)));
        }
        assert_eq!(recent.quantile(false, 95, 1), None);
    }

    #[test]
    fn one_of_few_is_found_and_the_oldest_are_forgotten() {
        let recent = Recent::default();
        assert_eq!(recent.quantile(false, 50, 0), None);
        recent.add(false, milliseconds(7));
        assert_eq!(recent.quantile(false, 99, 1), Some(milliseconds(7)));
        for _ in 0..KEPT {
            recent.add(false, milliseconds(3));
        }
        assert_eq!(recent.quantile(false, 99, 1), Some(milliseconds(3)));
        recent.add(false, Duration::MAX);
        assert!(recent.quantile(false, 99, 1) < recent.quantile(false, 100, 1));
    }
}
