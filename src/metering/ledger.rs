//! What each worker remembers of the requests it has served: how many, how
//! fast, and the last ones without their content.
//!
//! Metrics tell an operator's own tools; this tells the page, which wants to
//! know of single requests and must not be told of other callers' ones.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderValue;

use super::{ModelName, Outcome};
use crate::access::Caller;
use crate::catalog::Cost;
use crate::telemetry::request_id::RequestId;
use crate::wire::endpoint::Endpoint;
use crate::wire::usage::Usage;

/// Requests that one worker remembers. Each caller is shown its own among them
/// only, so there are more than anyone is shown.
const REMEMBERED: usize = 128;
/// Times of one model that one worker remembers, for quantiles.
const WINDOW: usize = 32;

/// The ledgers of all workers.
#[derive(Debug)]
pub(super) struct Ledgers {
    all: Mutex<Vec<Arc<Ledger>>>,
    row_count: AtomicUsize,
    /// False when nobody will ask.
    pub kept: bool,
    pub since: Instant,
}

/// One worker's ledger. That worker alone writes, and whoever watches reads
/// about once a second, so the lock is as good as free.
#[derive(Debug)]
pub(super) struct Ledger(Mutex<Pages>);

/// What is in a ledger.
#[derive(Debug)]
pub(super) struct Pages {
    /// By [`ModelName::row`]; made at a model's first request.
    pub models: Vec<Option<Box<Tally>>>,
    /// Requests that never came as far as a model.
    pub unknown: Tally,
    /// The last requests, the newest last.
    pub last: VecDeque<Entry>,
}

/// One request that has ended.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When it ended.
    pub ended: Instant,
    /// Which one it was.
    pub request_id: RequestId,
    /// Which call it made.
    pub endpoint: Endpoint,
    /// Who called, where that was found out.
    pub caller: Option<Caller>,
    /// What was called, where that was found out.
    pub model: Option<Arc<ModelName>>,
    /// What the provider that was asked calls it.
    pub upstream_model: Option<HeaderValue>,
    /// Status of the answer.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// Code of the error, where we made one.
    pub code: Option<&'static str>,
    /// Whether the answer was an event stream.
    pub streams: bool,
    /// From the request to the head of the provider's answer.
    pub first_byte: Option<Duration>,
    /// From the request to the first data of its stream.
    pub first_token: Option<Duration>,
    /// From the request to the end of its answer.
    pub duration: Duration,
    /// Tokens, as the provider reported them.
    pub usage: Option<Usage>,
    /// What they cost, where that is known.
    pub cost: Option<Cost>,
}

/// What has become of the requests for one model.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub in_flight: u64,
    pub counts: Counts,
    pub first_byte: Window,
    pub first_token: Window,
    pub answered: Option<Instant>,
    pub fault: Option<Fault>,
}

/// Requests that have ended, and their tokens.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    /// All of them.
    pub total: u64,
    /// Those that went wrong, whoever was at fault.
    pub failed: u64,
    /// Those whose caller left, or took nothing of its answer.
    pub cancelled: u64,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// What those requests cost of which it is known; none where it is of none.
    pub cost: Option<Cost>,
    /// Those that were answered well, and whose cost is not known.
    pub without_cost: u64,
}

/// A fault of a provider's.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// When the request ended.
    pub at: Instant,
    /// Code of the error, where we made one.
    pub code: Option<&'static str>,
    /// Status of the answer.
    pub status: u16,
}

/// The last times, in microseconds.
#[derive(Debug, Default)]
pub(super) struct Window {
    times: [u32; WINDOW],
    count: usize,
}

impl Ledgers {
    pub(super) fn new(model_count: usize, kept: bool) -> Self {
        Self {
            all: Mutex::default(),
            row_count: AtomicUsize::new(model_count),
            kept,
            since: Instant::now(),
        }
    }

    /// A ledger for one more worker, if it is to keep one.
    pub(super) fn open(&self) -> Option<Arc<Ledger>> {
        if !self.kept {
            return None;
        }
        let mut models = Vec::new();
        models.resize_with(self.row_count.load(Ordering::Relaxed), || None);
        let ledger = Arc::new(Ledger(Mutex::new(Pages {
            models,
            unknown: Tally::default(),
            last: VecDeque::with_capacity(REMEMBERED),
        })));
        lock(&self.all).push(Arc::clone(&ledger));
        Some(ledger)
    }

    /// A row for one more model.
    pub(super) fn add_row(&self) -> usize {
        self.row_count.fetch_add(1, Ordering::Relaxed)
    }

    /// Shows each ledger in turn.
    pub(super) fn read(&self, mut look: impl FnMut(&Pages)) {
        for ledger in lock(&self.all).iter() {
            look(&lock(&ledger.0));
        }
    }
}

impl Ledger {
    /// A request for the model of this [`ModelName::row`] has begun.
    pub(super) fn begins(&self, model: usize) {
        lock(&self.0).tally(Some(model)).in_flight += 1;
    }

    /// A request has ended; one that has a model had begun.
    pub(super) fn ends(&self, entry: Entry) {
        let mut pages = lock(&self.0);
        let model = entry.model.as_ref().and_then(|model| model.row);
        let tally = pages.tally(model);
        if model.is_some() {
            tally.in_flight = tally.in_flight.saturating_sub(1);
        }
        tally.add(&entry);
        if pages.last.len() == REMEMBERED {
            pages.last.pop_front();
        }
        pages.last.push_back(entry);
    }
}

impl Pages {
    fn tally(&mut self, model: Option<usize>) -> &mut Tally {
        let Some(row) = model else {
            return &mut self.unknown;
        };
        if row >= self.models.len() {
            self.models.resize_with(row + 1, || None);
        }
        match self.models.get_mut(row) {
            Some(tally) => tally.get_or_insert_default(),
            None => &mut self.unknown,
        }
    }
}

impl Tally {
    fn add(&mut self, entry: &Entry) {
        self.counts.total += 1;
        match entry.outcome {
            Outcome::Ok => {}
            Outcome::Cancelled | Outcome::ClientStalled => self.counts.cancelled += 1,
            _ => self.counts.failed += 1,
        }
        match entry.outcome {
            Outcome::Ok | Outcome::ClientError => self.answered = Some(entry.ended),
            Outcome::UpstreamError | Outcome::Timeout => {
                self.fault = Some(Fault {
                    at: entry.ended,
                    code: entry.code,
                    status: entry.status,
                });
            }
            // These say nothing of the provider.
            Outcome::Cancelled
            | Outcome::ClientStalled
            | Outcome::Shed
            | Outcome::InternalError => {}
        }
        if let Some(usage) = &entry.usage {
            self.counts.input_tokens += usage.input.unwrap_or_default();
            self.counts.output_tokens += usage.output.unwrap_or_default();
        }
        self.counts.cost = Cost::sum(self.counts.cost, entry.cost);
        let answered = entry.first_byte.is_some() && entry.status < 300;
        self.counts.without_cost += u64::from(answered && entry.cost.is_none());
        self.first_byte.add(entry.first_byte);
        self.first_token.add(entry.first_token);
    }
}

impl Counts {
    /// Adds those of another worker or model.
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

impl Window {
    pub(super) fn add(&mut self, time: Option<Duration>) {
        let Some(time) = time else { return };
        // An hour and more is the same to whoever reads it.
        let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        if let Some(place) = self.times.get_mut(self.count % WINDOW) {
            *place = micros;
        }
        self.count += 1;
    }

    /// Those that are remembered, in no order.
    pub(super) fn times(&self) -> &[u32] {
        self.times.get(..self.count).unwrap_or(&self.times)
    }
}

/// What a panic left behind is still a count.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
