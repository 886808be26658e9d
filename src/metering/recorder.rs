//! Metrics of one generation: shared state, and each worker's handles.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram};

use super::ledger::{Ledger, Ledgers, RequestRecord};
use super::summary::LedgerSummary;
use super::{
    KeyMetrics, ModelMetrics, ModelName, RequestOutcome, TokenRatio, access_log, alert_series,
};
use crate::access::Caller;
use crate::catalog::{Catalog, Model, Target};
use crate::telemetry::metric::{self, Registry};
use crate::telemetry::request_id::RequestId;

/// Shared by the workers of one snapshot.
#[derive(Debug)]
pub struct SharedMetrics {
    registry: Registry,
    model_count: usize,
    row_count: usize,
    pub(super) ledgers: Arc<Ledgers>,
    /// Ledger rows by [`Model::id`]; none if they are equal, as in the first generation
    /// of the ledgers.
    ledger_rows: Option<Box<[usize]>>,
    /// By [`Model::id`].
    token_ratios: Box<[TokenRatio]>,
    options: MeteringOptions,
}

/// What is recorded besides metrics.
#[derive(Debug, Clone, Copy, Default)]
pub struct MeteringOptions {
    /// Write a log line for each request.
    pub access_log: bool,
    /// Enable [`SharedMetrics::ledger_summary`].
    pub ledgers: bool,
    /// Number of client keys ([`crate::access::Caller::key_id`]).
    pub key_count: usize,
    /// Record a histogram of the tokens of each request: two for each model, which would
    /// make the scrape of many models long.
    pub request_tokens: bool,
}

/// One worker's metric handles; each has a single writer.
#[derive(Debug)]
pub struct WorkerMetrics {
    shared: Arc<SharedMetrics>,
    /// Of local handles.
    registry: Registry,
    pub(super) ledger: Option<Arc<Ledger>>,
    models: Box<[OnceCell<Rc<ModelMetrics>>]>,
    unknown: OnceCell<Rc<ModelMetrics>>,
    /// By [`Caller::key_id`].
    keys: Box<[OnceCell<KeyMetrics>]>,
    /// The last request that a panic ended.
    panicked: RefCell<Option<RequestId>>,
    pub(super) in_flight: Gauge,
    pub(super) streams_in_flight: Gauge,
    pub(super) websockets_open: Gauge,
    pub(super) overhead: Histogram,
    pub(super) bytes_in: Counter,
    pub(super) bytes_out: Counter,
}

// === impl SharedMetrics ===

impl SharedMetrics {
    #[must_use]
    pub fn new(registry: &Registry, catalog: &Catalog, options: MeteringOptions) -> Arc<Self> {
        alert_series::create(registry, catalog);
        Arc::new(Self {
            ledgers: Arc::new(Ledgers::new(catalog.model_count(), options.ledgers)),
            ledger_rows: None,
            token_ratios: new_ratios(catalog).into(),
            registry: registry.clone(),
            model_count: catalog.model_count(),
            row_count: catalog.metric_row_count(),
            options,
        })
    }

    /// For the next generation, which keeps the ledgers. `carried_over` has the new and
    /// the old id of each model that still exists.
    #[must_use]
    pub fn next_generation(
        &self,
        catalog: &Catalog,
        options: MeteringOptions,
        carried_over: &[(usize, usize)],
    ) -> Arc<Self> {
        if self.ledgers.enabled != options.ledgers {
            return Self::new(&self.registry, catalog, options);
        }
        alert_series::create(&self.registry, catalog);
        let mut token_ratios = new_ratios(catalog);
        let mut rows = vec![None; catalog.model_count()];
        for (new, old) in carried_over {
            if let (Some(ratio), Some(old)) =
                (token_ratios.get_mut(*new), self.token_ratios.get(*old))
            {
                *ratio = old.copy();
            }
            if let Some(row) = rows.get_mut(*new) {
                *row = Some(self.ledger_row(*old));
            }
        }
        let rows = rows.into_iter();
        let rows = rows.map(|row| row.unwrap_or_else(|| self.ledgers.add_row()));
        Arc::new(Self {
            ledgers: Arc::clone(&self.ledgers),
            ledger_rows: Some(rows.collect()),
            token_ratios: token_ratios.into(),
            registry: self.registry.clone(),
            model_count: catalog.model_count(),
            row_count: catalog.metric_row_count(),
            options,
        })
    }

    fn ledger_row(&self, model: usize) -> usize {
        let rows = self.ledger_rows.as_ref();
        rows.and_then(|rows| rows.get(model).copied())
            .unwrap_or(model)
    }

    /// Logs a request that was rejected before it reached the proxy.
    pub fn log_rejected(
        &self,
        request_id: &RequestId,
        status: u16,
        outcome: RequestOutcome,
        code: &'static str,
    ) {
        if self.options.access_log {
            access_log::write_rejected(request_id, status, outcome, code);
        }
    }

    /// The sum of all workers' ledgers, with at most `limit` of the last requests for
    /// which `is_shown` is true.
    #[must_use]
    pub fn ledger_summary(
        &self,
        limit: usize,
        is_shown: impl Fn(&RequestRecord) -> bool,
    ) -> LedgerSummary {
        let rows = (0..self.model_count).map(|model| self.ledger_row(model));
        LedgerSummary::sum(&self.ledgers, &rows, limit, is_shown)
    }
}

// === impl WorkerMetrics ===

impl WorkerMetrics {
    #[must_use]
    pub fn new(shared: &Arc<SharedMetrics>) -> Rc<Self> {
        Self::with_ledger(shared, shared.ledgers.add_ledger())
    }

    #[must_use]
    pub fn next_generation(&self, shared: &Arc<SharedMetrics>) -> Rc<Self> {
        if Arc::ptr_eq(&self.shared.ledgers, &shared.ledgers) {
            return Self::with_ledger(shared, self.ledger.clone());
        }
        Self::new(shared)
    }

    fn with_ledger(shared: &Arc<SharedMetrics>, ledger: Option<Arc<Ledger>>) -> Rc<Self> {
        let registry = shared.registry.local();
        let gauge = |metric| registry.gauge(metric, &[]);
        let counter = |metric| registry.counter(metric, &[]);
        Rc::new(Self {
            models: (0..shared.row_count).map(|_| OnceCell::new()).collect(),
            unknown: OnceCell::new(),
            keys: (0..shared.options.key_count)
                .map(|_| OnceCell::new())
                .collect(),
            panicked: RefCell::default(),
            in_flight: gauge(&metric::REQUESTS_IN_FLIGHT),
            streams_in_flight: gauge(&metric::STREAMS_IN_FLIGHT),
            websockets_open: gauge(&metric::WEBSOCKETS_OPEN),
            overhead: registry.histogram(&metric::OVERHEAD, &[]),
            bytes_in: counter(&metric::BYTES_IN),
            bytes_out: counter(&metric::BYTES_OUT),
            registry,
            ledger,
            shared: Arc::clone(shared),
        })
    }

    /// The expected tokens of a prompt of this size.
    #[must_use]
    pub fn estimate_tokens(&self, model: &Model, bytes: u64) -> u64 {
        let ratio = self.token_ratio(model.id);
        ratio.map_or_else(
            || TokenRatio::default().estimate(bytes),
            |it| it.estimate(bytes),
        )
    }

    pub(super) fn token_ratio(&self, model: usize) -> Option<&TokenRatio> {
        self.shared.token_ratios.get(model)
    }

    pub(super) fn on_panic(&self, request_id: &RequestId) {
        self.panicked.replace(Some(request_id.clone()));
    }

    /// The request that a panic just ended, if it was metered. Its meter was
    /// dropped as the stack unwound.
    pub fn take_panicked(&self) -> Option<RequestId> {
        self.panicked.take()
    }

    #[must_use]
    pub fn access_log(&self) -> bool {
        self.shared.options.access_log
    }

    pub(super) fn model(&self, model: &Model) -> &Rc<ModelMetrics> {
        let Some(cell) = self.models.get(model.id) else {
            return self.unknown();
        };
        cell.get_or_init(|| {
            self.new_model_metrics(ModelName {
                row: Some(self.shared.ledger_row(model.id)),
                model: Some(model.id),
                label: model.label.clone(),
                provider: model.provider.name.clone(),
                upstream_model: model.upstream_model.clone(),
            })
        })
    }

    /// For one of a model's several targets.
    pub(super) fn target_metrics(&self, model: &Model, target: &Target) -> &Rc<ModelMetrics> {
        let Some(cell) = self.models.get(target.metric_row) else {
            return self.unknown();
        };
        cell.get_or_init(|| {
            self.new_model_metrics(ModelName {
                row: Some(self.shared.ledger_row(model.id)),
                model: Some(model.id),
                label: model.label.clone(),
                provider: target.provider.name.clone(),
                upstream_model: target.configured_model(),
            })
        })
    }

    /// For requests that did not reach a model.
    pub(super) fn unknown(&self) -> &Rc<ModelMetrics> {
        self.unknown.get_or_init(|| {
            self.new_model_metrics(ModelName {
                row: None,
                model: None,
                label: "unknown".into(),
                provider: "unknown".into(),
                upstream_model: Box::default(),
            })
        })
    }

    /// None while access is open.
    pub(super) fn key(&self, caller: &Caller) -> Option<&KeyMetrics> {
        let cell = self.keys.get(caller.key_id()?)?;
        let name = caller.key_name()?;
        Some(cell.get_or_init(|| KeyMetrics::new(name, &self.registry)))
    }

    fn new_model_metrics(&self, name: ModelName) -> Rc<ModelMetrics> {
        let request_tokens = self.shared.options.request_tokens;
        Rc::new(ModelMetrics::new(name, &self.registry, request_tokens))
    }
}

fn new_ratios(catalog: &Catalog) -> Vec<TokenRatio> {
    let mut ratios = Vec::new();
    ratios.resize_with(catalog.model_count(), TokenRatio::default);
    ratios
}
