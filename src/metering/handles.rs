//! Metric handles, looked up once per model and held from then on.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use super::digest::Digest;
use super::ledger::{Entry, Ledger, Ledgers};
use super::{Attempt, Hedged, Outcome, line};
use crate::catalog::{Catalog, Cost, Model, Target};
use crate::routing;
use crate::telemetry::metric::{self, CounterPart, GaugePart, HistogramPart, Metric, Registry};
use crate::telemetry::request_id::RequestId;
use crate::wire::endpoint::Endpoint;
use crate::wire::usage::Usage;

/// Status classes: 1xx to 5xx.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What the accounts of one snapshot have in common.
#[derive(Debug)]
pub struct Meters {
    registry: Registry,
    model_count: usize,
    row_count: usize,
    pub(super) ledgers: Arc<Ledgers>,
    /// Rows in the ledgers by [`Model::id`]; the ids themselves where the
    /// ledgers are no older than they are.
    ledger_rows: Option<Box<[usize]>>,
    pub(super) writes_lines: bool,
}

/// Where one worker keeps its accounts. Nobody else counts in its handles.
#[derive(Debug)]
pub struct Desk {
    meters: Arc<Meters>,
    pub(super) ledger: Option<Arc<Ledger>>,
    models: Box<[OnceCell<Rc<ModelMeters>>]>,
    unknown: OnceCell<Rc<ModelMeters>>,
    pub(super) in_flight: GaugePart,
    pub(super) streams_in_flight: GaugePart,
    pub(super) overhead: HistogramPart,
    pub(super) bytes_in: CounterPart,
    pub(super) bytes_out: CounterPart,
}

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

impl Meters {
    /// What accounts of this catalog have in common. `writes_lines` asks for a
    /// log line per request, `keeps_ledgers` for what [`Self::digest`] tells.
    #[must_use]
    pub fn new(
        registry: &Registry,
        catalog: &Catalog,
        writes_lines: bool,
        keeps_ledgers: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            ledgers: Arc::new(Ledgers::new(catalog.model_count(), keeps_ledgers)),
            ledger_rows: None,
            registry: registry.clone(),
            model_count: catalog.model_count(),
            row_count: catalog.row_count(),
            writes_lines,
        })
    }

    /// The same for the catalog of the next generation, which goes on in the
    /// ledgers of this one. `heirs` are the ids, now and before, of the models
    /// that are still there.
    #[must_use]
    pub fn succeed(
        &self,
        catalog: &Catalog,
        writes_lines: bool,
        keeps_ledgers: bool,
        heirs: &[(usize, usize)],
    ) -> Arc<Self> {
        if self.ledgers.kept != keeps_ledgers {
            return Self::new(&self.registry, catalog, writes_lines, keeps_ledgers);
        }
        let mut rows = vec![None; catalog.model_count()];
        for (now, then) in heirs {
            if let Some(row) = rows.get_mut(*now) {
                *row = Some(self.ledger_row(*then));
            }
        }
        let rows = rows.into_iter();
        let rows = rows.map(|row| row.unwrap_or_else(|| self.ledgers.add_row()));
        Arc::new(Self {
            ledgers: Arc::clone(&self.ledgers),
            ledger_rows: Some(rows.collect()),
            registry: self.registry.clone(),
            model_count: catalog.model_count(),
            row_count: catalog.row_count(),
            writes_lines,
        })
    }

    fn ledger_row(&self, model: usize) -> usize {
        let rows = self.ledger_rows.as_ref();
        rows.and_then(|rows| rows.get(model).copied())
            .unwrap_or(model)
    }

    /// Notes a request that was refused before it was known what it calls.
    pub fn refused(
        &self,
        request_id: &RequestId,
        status: u16,
        outcome: Outcome,
        code: &'static str,
    ) {
        if self.writes_lines {
            line::write_refusal(request_id, status, outcome, code);
        }
    }

    /// What all workers remember, and of the last requests at most `most` that
    /// `is_shown` lets through.
    #[must_use]
    pub fn digest(&self, most: usize, is_shown: impl Fn(&Entry) -> bool) -> Digest {
        let rows = (0..self.model_count).map(|model| self.ledger_row(model));
        Digest::of(&self.ledgers, &rows, most, is_shown)
    }
}

impl Desk {
    /// A desk for one more worker.
    #[must_use]
    pub fn new(meters: &Arc<Meters>) -> Rc<Self> {
        Self::with(meters, meters.ledgers.open())
    }

    /// This worker's desk in the next generation.
    #[must_use]
    pub fn succeed(&self, meters: &Arc<Meters>) -> Rc<Self> {
        if Arc::ptr_eq(&self.meters.ledgers, &meters.ledgers) {
            return Self::with(meters, self.ledger.clone());
        }
        Self::new(meters)
    }

    fn with(meters: &Arc<Meters>, ledger: Option<Arc<Ledger>>) -> Rc<Self> {
        let registry = &meters.registry;
        let gauge = |metric| registry.gauge(metric, &[]).part();
        let counter = |metric| registry.counter(metric, &[]).part();
        Rc::new(Self {
            models: (0..meters.row_count).map(|_| OnceCell::new()).collect(),
            unknown: OnceCell::new(),
            in_flight: gauge(&metric::REQUESTS_IN_FLIGHT),
            streams_in_flight: gauge(&metric::STREAMS_IN_FLIGHT),
            overhead: registry.histogram(&metric::OVERHEAD, &[]).part(),
            bytes_in: counter(&metric::BYTES_IN),
            bytes_out: counter(&metric::BYTES_OUT),
            ledger,
            meters: Arc::clone(meters),
        })
    }

    pub(super) fn writes_lines(&self) -> bool {
        self.meters.writes_lines
    }

    pub(super) fn model(&self, model: &Model) -> &Rc<ModelMeters> {
        let Some(slot) = self.models.get(model.id) else {
            return self.unknown();
        };
        slot.get_or_init(|| {
            self.make(ModelName {
                row: Some(self.meters.ledger_row(model.id)),
                label: model.label.clone(),
                provider: model.provider.name.clone(),
                upstream_model: model.upstream_model.clone(),
            })
        })
    }

    /// For a model of several targets: what is counted of it at this one's
    /// provider.
    pub(super) fn at(&self, model: &Model, target: &Target) -> &Rc<ModelMeters> {
        let Some(slot) = self.models.get(target.row) else {
            return self.unknown();
        };
        slot.get_or_init(|| {
            self.make(ModelName {
                row: Some(self.meters.ledger_row(model.id)),
                label: model.label.clone(),
                provider: target.provider.name.clone(),
                upstream_model: target.upstream_model(),
            })
        })
    }

    /// For requests that never came as far as a model.
    pub(super) fn unknown(&self) -> &Rc<ModelMeters> {
        self.unknown.get_or_init(|| {
            self.make(ModelName {
                row: None,
                label: "unknown".into(),
                provider: "unknown".into(),
                upstream_model: Box::default(),
            })
        })
    }

    fn make(&self, name: ModelName) -> Rc<ModelMeters> {
        let labels = [("model", &*name.label), ("provider", &*name.provider)];
        let registry = &self.meters.registry;
        let histogram = |metric| registry.histogram(metric, &labels).part();
        Rc::new(ModelMeters {
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
        })
    }
}

impl ModelMeters {
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
