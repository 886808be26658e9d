//! Request histories: each worker's counts, latencies and last requests, without content.
//!
//! Metrics are for an operator's tools; histories are for the page's status, which shows
//! single requests: to each client only its own, and to operators those of all that failed.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderValue;

use super::{ModelName, RequestOutcome};
use crate::access::Caller;
use crate::catalog::Cost;
use crate::telemetry::request_id::RequestId;
use crate::wire::endpoint::Endpoint;
use crate::wire::usage::Usage;

/// Last requests that a worker keeps. Each client sees only its own, so more are
/// kept than shown.
const MAX_RECORDS: usize = 128;
/// Last failed requests that a worker keeps, beside those: others do not push them out.
const MAX_FAILURES: usize = 32;
/// Latencies of one model that a worker keeps, for quantiles.
const WINDOW: usize = 32;

#[derive(Debug)]
pub(super) struct RequestHistories {
    all: Mutex<Vec<Arc<RequestHistory>>>,
    row_count: AtomicUsize,
    /// False while the page is disabled.
    pub enabled: bool,
    pub since: Instant,
}

/// One worker's history. Only that worker writes, and status subscribers read
/// about once a second, so the lock is nearly uncontended.
#[derive(Debug)]
pub(super) struct RequestHistory(Mutex<HistoryState>);

#[derive(Debug)]
pub(super) struct HistoryState {
    /// By [`ModelName::row`]; created at a model's first request.
    pub models: Vec<Option<Box<ModelStats>>>,
    /// Requests that did not reach a model.
    pub unknown: ModelStats,
    /// Newest last.
    pub recent: VecDeque<RequestRecord>,
    /// Newest last; without requests that were not authenticated.
    pub failures: VecDeque<RequestRecord>,
}

/// A finished request.
#[derive(Debug, Clone)]
pub struct RequestRecord {
    pub ended: Instant,
    pub request_id: RequestId,
    pub endpoint: Endpoint,
    /// None if authentication failed.
    pub caller: Option<Caller>,
    /// None if no model was resolved.
    pub model: Option<Arc<ModelName>>,
    /// The name sent to the provider.
    pub upstream_model: Option<HeaderValue>,
    pub status: u16,
    pub outcome: RequestOutcome,
    /// Code of an error of our own.
    pub code: Option<&'static str>,
    /// True if the response was an event stream.
    pub is_stream: bool,
    /// From the request to the upstream's response head.
    pub first_byte: Option<Duration>,
    /// From the request to the first data of the stream.
    pub first_token: Option<Duration>,
    /// From the request to the end of the response.
    pub duration: Duration,
    /// As reported by the provider.
    pub usage: Option<Box<Usage>>,
    /// None if unknown.
    pub cost: Option<Cost>,
}

#[derive(Debug, Default)]
pub(super) struct ModelStats {
    pub in_flight: u64,
    pub counts: Counts,
    pub first_byte: LatencyWindow,
    pub first_token: LatencyWindow,
    pub last_success: Option<Instant>,
    pub last_error: Option<ProviderError>,
}

/// Counts of finished requests.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    pub total: u64,
    /// Failed for any reason.
    pub failed: u64,
    /// The client left or stopped reading.
    pub cancelled: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    /// Sum of the known costs; none if no cost is known.
    pub cost: Option<Cost>,
    /// Successful requests of unknown cost.
    pub without_cost: u64,
}

#[derive(Debug, Clone, Copy)]
pub struct ProviderError {
    pub at: Instant,
    /// Code of an error of our own.
    pub code: Option<&'static str>,
    pub status: u16,
}

/// The last latencies in microseconds, a ring buffer.
#[derive(Debug, Default)]
pub(super) struct LatencyWindow {
    times: [u32; WINDOW],
    count: usize,
}

// === impl RequestHistories ===

impl RequestHistories {
    pub(super) fn new(model_count: usize, enabled: bool) -> Self {
        Self {
            all: Mutex::default(),
            row_count: AtomicUsize::new(model_count),
            enabled,
            since: Instant::now(),
        }
    }

    /// Adds a worker's history, if histories are kept.
    pub(super) fn add_history(&self) -> Option<Arc<RequestHistory>> {
        if !self.enabled {
            return None;
        }
        let mut models = Vec::new();
        models.resize_with(self.row_count.load(Ordering::Relaxed), || None);
        let history = Arc::new(RequestHistory(Mutex::new(HistoryState {
            models,
            unknown: ModelStats::default(),
            recent: VecDeque::with_capacity(MAX_RECORDS),
            failures: VecDeque::new(),
        })));
        lock(&self.all).push(Arc::clone(&history));
        Some(history)
    }

    pub(super) fn add_row(&self) -> usize {
        self.row_count.fetch_add(1, Ordering::Relaxed)
    }

    /// Of all workers, newest first.
    pub(super) fn last_failures(&self, limit: usize) -> Vec<RequestRecord> {
        let mut failures = Vec::new();
        self.read(|inner| failures.extend(inner.failures.iter().rev().take(limit).cloned()));
        failures.sort_by_key(|record| Reverse(record.ended));
        failures.truncate(limit);
        failures
    }

    pub(super) fn read(&self, mut visit: impl FnMut(&HistoryState)) {
        for history in lock(&self.all).iter() {
            visit(&lock(&history.0));
        }
    }
}

// === impl RequestHistory ===

impl RequestHistory {
    /// Records the start of a request for the model of this [`ModelName::row`].
    pub(super) fn start(&self, model: usize) {
        lock(&self.0).stats(Some(model)).in_flight += 1;
    }

    /// Takes [`Self::start`] back: the request goes to another model.
    pub(super) fn cancel(&self, model: usize) {
        let mut inner = lock(&self.0);
        let stats = inner.stats(Some(model));
        stats.in_flight = stats.in_flight.saturating_sub(1);
    }

    /// Records the end of a request. If it has a model, call [`Self::start`] before.
    pub(super) fn finish(&self, record: RequestRecord) {
        let mut inner = lock(&self.0);
        let model = record.model.as_ref().and_then(|model| model.row);
        let stats = inner.stats(model);
        if model.is_some() {
            stats.in_flight = stats.in_flight.saturating_sub(1);
        }
        stats.add(&record);
        if record.caller.is_some() && record.outcome.is_failure() {
            push(&mut inner.failures, record.clone(), MAX_FAILURES);
        }
        push(&mut inner.recent, record, MAX_RECORDS);
    }
}

/// Drops the oldest if there are `most` already.
fn push(records: &mut VecDeque<RequestRecord>, record: RequestRecord, most: usize) {
    if records.len() == most {
        records.pop_front();
    }
    records.push_back(record);
}

// === impl HistoryState ===

impl HistoryState {
    fn stats(&mut self, model: Option<usize>) -> &mut ModelStats {
        let Some(row) = model else {
            return &mut self.unknown;
        };
        if row >= self.models.len() {
            self.models.resize_with(row + 1, || None);
        }
        match self.models.get_mut(row) {
            Some(stats) => stats.get_or_insert_default(),
            None => &mut self.unknown,
        }
    }
}

// === impl ModelStats ===

impl ModelStats {
    fn add(&mut self, record: &RequestRecord) {
        self.counts.total += 1;
        match record.outcome {
            RequestOutcome::Ok => {}
            RequestOutcome::Cancelled | RequestOutcome::ClientStalled => self.counts.cancelled += 1,
            _ => self.counts.failed += 1,
        }
        match record.outcome {
            RequestOutcome::Ok | RequestOutcome::ClientError => {
                self.last_success = Some(record.ended);
            }
            RequestOutcome::UpstreamError | RequestOutcome::Timeout => {
                self.last_error = Some(ProviderError {
                    at: record.ended,
                    code: record.code,
                    status: record.status,
                });
            }
            // These say nothing about the provider.
            RequestOutcome::Cancelled
            | RequestOutcome::ClientStalled
            | RequestOutcome::NotConfigured
            | RequestOutcome::Shed
            | RequestOutcome::Limited
            | RequestOutcome::InternalError => {}
        }
        if let Some(usage) = &record.usage {
            self.counts.input_tokens += usage.input.unwrap_or_default();
            self.counts.output_tokens += usage.output.unwrap_or_default();
        }
        self.counts.cost = Cost::sum(self.counts.cost, record.cost);
        let succeeded = record.first_byte.is_some() && record.status < 300;
        self.counts.without_cost += u64::from(succeeded && record.cost.is_none());
        self.first_byte.add(record.first_byte);
        self.first_token.add(record.first_token);
    }
}

// === impl Counts ===

impl Counts {
    pub fn add(&mut self, other: &Self) {
        self.total += other.total;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.cost = Cost::sum(self.cost, other.cost);
        self.without_cost += other.without_cost;
    }
}

// === impl LatencyWindow ===

impl LatencyWindow {
    pub(super) fn add(&mut self, time: Option<Duration>) {
        let Some(time) = time else { return };
        // Saturates at more than an hour.
        let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        if let Some(slot) = self.times.get_mut(self.count % WINDOW) {
            *slot = micros;
        }
        self.count += 1;
    }

    /// In no particular order.
    pub(super) fn times(&self) -> &[u32] {
        self.times.get(..self.count).unwrap_or(&self.times)
    }
}

/// Ignores poison: counts stay valid after a panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
