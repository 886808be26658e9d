//! The metric handles of one model, looked up once and held from then on.

use std::cell::OnceCell;
use std::sync::Arc;

use super::{Attempt, Hedged, Outcome};
use crate::catalog::Cost;
use crate::routing;
use crate::telemetry::metric::{self, CounterPart, HistogramPart, Metric, Registry};
use crate::wire::endpoint::Endpoint;
use crate::wire::usage::Usage;

/// Status classes: 1xx to 5xx.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What a model is called.
#[derive(Debug)]
pub struct ModelName {
    /// Its row in the ledgers; none for requests that never came as far as a
    /// model.
    pub row: Option<usize>,
    /// [`Model::label`]
    pub label: Box<str>,
    /// Its provider's name.
    pub provider: Box<str>,
    /// [`Model::upstream_model`]
    pub upstream_model: Box<str>,
}

/// The handles of one model. Made when the model is first called: most of a
/// long list of aliases never are.
#[derive(Debug)]
pub struct ModelMeters {
    /// Counted, so that a ledger can remember it; by this worker alone.
    pub(super) name: Arc<ModelName>,
    /// By endpoint, of which a model answers one or two: a table for all of
    /// them would be most of what an alias costs.
    requests: [OnceCell<EndpointMeters>; Endpoint::ALL.len()],
    tokens: [OnceCell<CounterPart>; 4],
    /// Made when a cost is first known: a model without a price has none.
    cost: OnceCell<CounterPart>,
    /// By [`Attempt::number`].
    attempts: [OnceCell<CounterPart>; Attempt::COUNT],
    /// By the kind of the fault before.
    retries: [OnceCell<CounterPart>; routing::Outcome::KINDS],
    fallbacks: OnceCell<CounterPart>,
    affinity: [OnceCell<CounterPart>; routing::Kept::COUNT],
    /// By the number of the result.
    hedges: [OnceCell<CounterPart>; Hedged::COUNT],
    registry: Registry,
    pub(super) duration: HistogramPart,
    pub(super) first_byte: HistogramPart,
    /// Of streams only, which many models never send.
    first_token: OnceCell<HistogramPart>,
    stream_gap: OnceCell<HistogramPart>,
}

/// Requests to one endpoint of one model, by status class and outcome.
type EndpointMeters = Box<[[OnceCell<CounterPart>; Outcome::ALL.len()]; CLASSES.len()]>;

impl ModelMeters {
    pub(super) fn new(name: ModelName, registry: &Registry) -> Self {
        let labels = [("model", &*name.label), ("provider", &*name.provider)];
        let histogram = |metric| registry.histogram(metric, &labels).part();
        Self {
            duration: histogram(&metric::REQUEST_DURATION),
            first_byte: histogram(&metric::TIME_TO_FIRST_BYTE),
            first_token: OnceCell::new(),
            stream_gap: OnceCell::new(),
            name: Arc::new(name),
            requests: Default::default(),
            tokens: Default::default(),
            cost: OnceCell::new(),
            attempts: Default::default(),
            retries: Default::default(),
            fallbacks: OnceCell::new(),
            affinity: Default::default(),
            hedges: Default::default(),
            registry: registry.clone(),
        }
    }

    pub(super) fn first_token(&self) -> &HistogramPart {
        let make = || self.histogram(&metric::TIME_TO_FIRST_TOKEN);
        self.first_token.get_or_init(make)
    }

    pub(super) fn stream_gap(&self) -> &HistogramPart {
        let make = || self.histogram(&metric::STREAM_GAP);
        self.stream_gap.get_or_init(make)
    }

    fn histogram(&self, metric: &Metric) -> HistogramPart {
        let name = &self.name;
        let labels = [("model", &*name.label), ("provider", &*name.provider)];
        self.registry.histogram(metric, &labels).part()
    }

    pub(super) fn request(&self, endpoint: Endpoint, status: u16, outcome: Outcome) {
        let class = usize::from(status / 100).clamp(1, CLASSES.len()) - 1;
        let make = || {
            let labels = [
                ("endpoint", endpoint.label()),
                ("model", &*self.name.label),
                ("provider", &*self.name.provider),
                ("status", CLASSES.get(class).copied().unwrap_or_default()),
                ("outcome", outcome.label()),
            ];
            self.registry.counter(&metric::REQUESTS, &labels).part()
        };
        let row = self.requests.get(endpoint.index());
        let cell = row.and_then(|row| {
            let table = row.get_or_init(Default::default);
            table.get(class)?.get(outcome as usize)
        });
        if let Some(cell) = cell {
            cell.get_or_init(make).increment(1);
        }
    }

    pub(super) fn attempt(&self, attempt: Attempt) {
        let Some(cell) = self.attempts.get(attempt.number()) else {
            return;
        };
        let make = || {
            let labels = [
                ("model", &*self.name.label),
                ("provider", &*self.name.provider),
                ("result", attempt.label()),
            ];
            self.registry.counter(&metric::ATTEMPTS, &labels).part()
        };
        cell.get_or_init(make).increment(1);
    }

    /// Counts an attempt that followed one with this fault.
    pub(super) fn retry(&self, fault: routing::Outcome) {
        let make = || {
            let labels = [
                ("model", &*self.name.label),
                ("provider", &*self.name.provider),
                ("after", fault.label()),
            ];
            self.registry.counter(&metric::RETRIES, &labels).part()
        };
        if let Some(cell) = self.retries.get(fault.kind()) {
            cell.get_or_init(make).increment(1);
        }
    }

    /// Counts a second attempt that was due while the first one was silent.
    pub(super) fn hedge(&self, result: Hedged) {
        let make = || {
            let labels = [
                ("model", &*self.name.label),
                ("provider", &*self.name.provider),
                ("result", result.label()),
            ];
            self.registry.counter(&metric::HEDGES, &labels).part()
        };
        if let Some(cell) = self.hedges.get(result as usize) {
            cell.get_or_init(make).increment(1);
        }
    }

    /// Counts an answer of another model than the one asked for.
    pub(super) fn fallback(&self) {
        let make = || {
            let labels = [
                ("model", &*self.name.label),
                ("provider", &*self.name.provider),
            ];
            self.registry.counter(&metric::FALLBACKS, &labels).part()
        };
        self.fallbacks.get_or_init(make).increment(1);
    }

    /// Counts a first attempt of a model with affinity.
    pub(super) fn keeps(&self, kept: routing::Kept) {
        let make = || {
            let labels = [
                ("model", &*self.name.label),
                ("provider", &*self.name.provider),
                ("result", kept.label()),
            ];
            self.registry.counter(&metric::AFFINITY, &labels).part()
        };
        if let Some(cell) = self.affinity.get(kept as usize) {
            cell.get_or_init(make).increment(1);
        }
    }

    pub(super) fn count_cost(&self, cost: Cost) {
        let make = || {
            let labels = [
                ("model", &*self.name.label),
                ("provider", &*self.name.provider),
            ];
            self.registry.counter(&metric::COST, &labels).part()
        };
        self.cost.get_or_init(make).increment(cost.picodollars());
    }

    pub(super) fn count_tokens(&self, usage: &Usage) {
        let kinds = [
            ("input", usage.input),
            ("output", usage.output),
            ("cached", usage.cached),
            ("reasoning", usage.reasoning),
        ];
        for (cell, (kind, count)) in self.tokens.iter().zip(kinds) {
            let Some(count) = count else { continue };
            let make = || {
                let labels = [
                    ("model", &*self.name.label),
                    ("provider", &*self.name.provider),
                    ("kind", kind),
                ];
                self.registry.counter(&metric::TOKENS, &labels).part()
            };
            cell.get_or_init(make).increment(count);
        }
    }
}
