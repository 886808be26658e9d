//! Metrics of one generation: shared state, and each worker's handles.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use metrics::{Counter, Gauge, Histogram};

use super::history::{RequestHistories, RequestHistory, RequestRecord};
use super::limit_metrics::{ESTIMATES, LimitMetrics};
use super::summary::HistorySummary;
use super::{KeyMetrics, ModelMetrics, ModelName, RequestOutcome, access_log, alert_series};
use crate::access::Caller;
use crate::catalog::{Catalog, Model, Target};
use crate::ledger::{UsageTable, UsageTables};
use crate::limits::LearnedUsage;
use crate::telemetry::metric::{self, Registry};
use crate::telemetry::request_id::RequestId;

/// Shared by the workers of one snapshot.
#[derive(Debug)]
pub struct SharedMetrics {
    pub(super) registry: Registry,
    model_count: usize,
    row_count: usize,
    pub(super) histories: Arc<RequestHistories>,
    /// Rows in the histories by [`Model::id`]; none if they are equal, as in the first
    /// generation.
    history_rows: Option<Box<[usize]>>,
    /// Of all clients together, by [`Model::id`].
    learned: Box<[LearnedUsage]>,
    pub(super) limits: OnceLock<LimitMetrics>,
    options: MeteringOptions,
}

/// What is recorded besides metrics.
#[derive(Debug, Clone, Default)]
pub struct MeteringOptions {
    /// Write a log line for each request.
    pub access_log: bool,
    /// Enable [`SharedMetrics::history_summary`].
    pub history: bool,
    /// Number of client keys ([`crate::access::Caller::key_id`]).
    pub key_count: usize,
    /// Record a histogram of the tokens of each request: two for each model, which would
    /// make the scrape of many models long.
    pub request_tokens: bool,
    /// Record usage in the ledger.
    pub ledger: Option<UsageTables>,
}

/// One worker's metric handles; each has a single writer.
#[derive(Debug)]
pub struct WorkerMetrics {
    shared: Arc<SharedMetrics>,
    /// Of local handles.
    registry: Registry,
    pub(super) history: Option<Arc<RequestHistory>>,
    /// For the ledger, which is the same for all generations.
    pub(super) usage: Option<Arc<UsageTable>>,
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
    /// By [`ESTIMATES`].
    estimate_ratios: [OnceCell<Histogram>; ESTIMATES.len()],
}

// === impl SharedMetrics ===

impl SharedMetrics {
    #[must_use]
    pub fn new(registry: &Registry, catalog: &Catalog, options: MeteringOptions) -> Arc<Self> {
        alert_series::create(registry, catalog);
        Arc::new(Self {
            histories: Arc::new(RequestHistories::new(
                catalog.model_count(),
                options.history,
            )),
            history_rows: None,
            learned: new_learned(catalog).into(),
            registry: registry.clone(),
            model_count: catalog.model_count(),
            row_count: catalog.metric_row_count(),
            limits: OnceLock::new(),
            options,
        })
    }

    /// For the next generation, which keeps the histories. `carried_over` has the new and
    /// the old id of each model that still exists.
    #[must_use]
    pub fn next_generation(
        &self,
        catalog: &Catalog,
        options: MeteringOptions,
        carried_over: &[(usize, usize)],
    ) -> Arc<Self> {
        if self.histories.enabled != options.history {
            return Self::new(&self.registry, catalog, options);
        }
        alert_series::create(&self.registry, catalog);
        let mut learned = new_learned(catalog);
        let mut rows = vec![None; catalog.model_count()];
        for (new, old) in carried_over {
            if let (Some(new), Some(old)) = (learned.get_mut(*new), self.learned.get(*old)) {
                *new = old.copy();
            }
            if let Some(row) = rows.get_mut(*new) {
                *row = Some(self.history_row(*old));
            }
        }
        let rows = rows.into_iter();
        let rows = rows.map(|row| row.unwrap_or_else(|| self.histories.add_row()));
        Arc::new(Self {
            histories: Arc::clone(&self.histories),
            history_rows: Some(rows.collect()),
            learned: learned.into(),
            registry: self.registry.clone(),
            model_count: catalog.model_count(),
            row_count: catalog.metric_row_count(),
            limits: OnceLock::new(),
            options,
        })
    }

    fn history_row(&self, model: usize) -> usize {
        let rows = self.history_rows.as_ref();
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

    /// The sum of all workers' histories, with at most `limit` of the last requests for
    /// which `is_shown` is true.
    #[must_use]
    pub fn history_summary(
        &self,
        limit: usize,
        is_shown: impl Fn(&RequestRecord) -> bool,
    ) -> HistorySummary {
        let rows = (0..self.model_count).map(|model| self.history_row(model));
        HistorySummary::sum(&self.histories, &rows, limit, is_shown)
    }

    /// The last requests of all clients that failed, newest first.
    #[must_use]
    pub fn last_failures(&self, limit: usize) -> Vec<RequestRecord> {
        self.histories.last_failures(limit)
    }
}

// === impl WorkerMetrics ===

impl WorkerMetrics {
    #[must_use]
    pub fn new(shared: &Arc<SharedMetrics>) -> Rc<Self> {
        let tables = shared.options.ledger.as_ref();
        let usage = tables.map(UsageTables::add_table);
        Self::with_tables(shared, shared.histories.add_history(), usage)
    }

    #[must_use]
    pub fn next_generation(&self, shared: &Arc<SharedMetrics>) -> Rc<Self> {
        if Arc::ptr_eq(&self.shared.histories, &shared.histories) {
            return Self::with_tables(shared, self.history.clone(), self.usage.clone());
        }
        Self::with_tables(shared, shared.histories.add_history(), self.usage.clone())
    }

    fn with_tables(
        shared: &Arc<SharedMetrics>,
        history: Option<Arc<RequestHistory>>,
        usage: Option<Arc<UsageTable>>,
    ) -> Rc<Self> {
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
            estimate_ratios: Default::default(),
            registry,
            history,
            usage,
            shared: Arc::clone(shared),
        })
    }

    /// The expected tokens of a prompt of this size.
    #[must_use]
    pub fn estimate_tokens(&self, model: &Model, bytes: u64) -> u64 {
        let learned = self.learned_usage(model.id);
        learned.map_or_else(
            || LearnedUsage::default().input_tokens(bytes),
            |it| it.input_tokens(bytes),
        )
    }

    /// What requests of all clients have used, by [`Model::id`].
    #[must_use]
    pub fn learned_usage(&self, model: usize) -> Option<&LearnedUsage> {
        self.shared.learned.get(model)
    }

    pub(super) fn shared(&self) -> &SharedMetrics {
        &self.shared
    }

    /// `index` is that of [`ESTIMATES`].
    pub(super) fn record_estimate(&self, index: usize, ratio: f64) {
        if let (Some(cell), Some(of)) = (self.estimate_ratios.get(index), ESTIMATES.get(index)) {
            let metric = &metric::LIMIT_ESTIMATE_RATIO;
            let histogram =
                cell.get_or_init(|| self.registry.histogram(metric, &[("of", of.key())]));
            histogram.record(ratio);
        }
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
                row: Some(self.shared.history_row(model.id)),
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
                row: Some(self.shared.history_row(model.id)),
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
        Some(cell.get_or_init(|| KeyMetrics::new(name, caller.team(), &self.registry)))
    }

    fn new_model_metrics(&self, name: ModelName) -> Rc<ModelMetrics> {
        let request_tokens = self.shared.options.request_tokens;
        Rc::new(ModelMetrics::new(name, &self.registry, request_tokens))
    }
}

fn new_learned(catalog: &Catalog) -> Vec<LearnedUsage> {
    let mut learned = Vec::new();
    learned.resize_with(catalog.model_count(), LearnedUsage::default);
    learned
}
