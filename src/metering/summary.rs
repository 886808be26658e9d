//! The sum of all workers' histories.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::history::{Counts, ModelStats, ProviderError, RequestHistories, RequestRecord};

#[derive(Debug)]
pub struct HistorySummary {
    /// Start of counting.
    pub since: Instant,
    /// Called models by [`crate::catalog::Model::id`].
    pub models: HashMap<usize, StatsSummary>,
    /// Requests that did not reach a model.
    pub unknown: StatsSummary,
    /// Last requests, newest first.
    pub recent: Vec<RequestRecord>,
}

#[derive(Debug, Default, Clone)]
pub struct StatsSummary {
    pub in_flight: u64,
    pub counts: Counts,
    pub first_byte: LatencySamples,
    pub first_token: LatencySamples,
    pub last_success: Option<Instant>,
    pub last_error: Option<ProviderError>,
}

/// Latencies of recent requests in microseconds.
#[derive(Debug, Default, Clone)]
pub struct LatencySamples(Vec<u32>);

// === impl HistorySummary ===

impl HistorySummary {
    /// `rows` are the history rows in the order of model ids.
    pub(super) fn sum(
        histories: &RequestHistories,
        rows: &(impl Iterator<Item = usize> + Clone),
        limit: usize,
        is_shown: impl Fn(&RequestRecord) -> bool,
    ) -> Self {
        let mut summary = Self {
            since: histories.since,
            models: HashMap::new(),
            unknown: StatsSummary::default(),
            recent: Vec::new(),
        };
        histories.read(|inner| {
            for (id, row) in rows.clone().enumerate() {
                if let Some(Some(stats)) = inner.models.get(row) {
                    summary.models.entry(id).or_default().add_stats(stats);
                }
            }
            summary.unknown.add_stats(&inner.unknown);
            let shown = inner.recent.iter().rev().filter(|record| is_shown(record));
            summary.recent.extend(shown.take(limit).cloned());
        });
        summary.recent.sort_by_key(|record| Reverse(record.ended));
        summary.recent.truncate(limit);
        summary
    }
}

// === impl StatsSummary ===

impl StatsSummary {
    fn add_stats(&mut self, stats: &ModelStats) {
        self.in_flight += stats.in_flight;
        self.counts.add(&stats.counts);
        self.first_byte.0.extend(stats.first_byte.times());
        self.first_token.0.extend(stats.first_token.times());
        self.last_success = self.last_success.max(stats.last_success);
        self.last_error = newest(self.last_error, stats.last_error);
    }

    pub fn add(&mut self, other: &Self) {
        self.in_flight += other.in_flight;
        self.counts.add(&other.counts);
        self.first_byte.0.extend(&other.first_byte.0);
        self.first_token.0.extend(&other.first_token.0);
        self.last_success = self.last_success.max(other.last_success);
        self.last_error = newest(self.last_error, other.last_error);
    }
}

fn newest(one: Option<ProviderError>, other: Option<ProviderError>) -> Option<ProviderError> {
    one.into_iter().chain(other).max_by_key(|error| error.at)
}

// === impl LatencySamples ===

impl From<&[u32]> for LatencySamples {
    fn from(micros: &[u32]) -> Self {
        Self(micros.to_vec())
    }
}

impl LatencySamples {
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Nearest-rank quantile; none without samples.
    #[must_use]
    pub fn quantile(&self, percent: usize) -> Option<Duration> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        let micros = sorted.get(rank - 1).copied()?;
        Some(Duration::from_micros(micros.into()))
    }
}
