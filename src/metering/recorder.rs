//! Metrics of one generation: shared state, and each worker's handles.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::ledger::{Ledger, Ledgers, RequestRecord};
use super::summary::LedgerSummary;
use super::{ModelMetrics, ModelName, RequestOutcome, access_log};
use crate::catalog::{Catalog, Model, Target};
use crate::telemetry::metric::{self, LocalCounter, LocalGauge, LocalHistogram, Registry};
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
    pub(super) access_log: bool,
}

/// One worker's metric handles; each has a single writer.
#[derive(Debug)]
pub struct WorkerMetrics {
    shared: Arc<SharedMetrics>,
    pub(super) ledger: Option<Arc<Ledger>>,
    models: Box<[OnceCell<Rc<ModelMetrics>>]>,
    unknown: OnceCell<Rc<ModelMetrics>>,
    /// The last request that a panic ended.
    panicked: RefCell<Option<RequestId>>,
    pub(super) in_flight: LocalGauge,
    pub(super) streams_in_flight: LocalGauge,
    pub(super) websockets_open: LocalGauge,
    pub(super) overhead: LocalHistogram,
    pub(super) bytes_in: LocalCounter,
    pub(super) bytes_out: LocalCounter,
}

// === impl SharedMetrics ===

impl SharedMetrics {
    /// `access_log` writes a log line for each request; `keeps_ledgers` enables
    /// [`Self::ledger_summary`].
    #[must_use]
    pub fn new(
        registry: &Registry,
        catalog: &Catalog,
        access_log: bool,
        keeps_ledgers: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            ledgers: Arc::new(Ledgers::new(catalog.model_count(), keeps_ledgers)),
            ledger_rows: None,
            registry: registry.clone(),
            model_count: catalog.model_count(),
            row_count: catalog.metric_row_count(),
            access_log,
        })
    }

    /// For the next generation, which keeps the ledgers. `carried_over` has the new and
    /// the old id of each model that still exists.
    #[must_use]
    pub fn next_generation(
        &self,
        catalog: &Catalog,
        access_log: bool,
        keeps_ledgers: bool,
        carried_over: &[(usize, usize)],
    ) -> Arc<Self> {
        if self.ledgers.enabled != keeps_ledgers {
            return Self::new(&self.registry, catalog, access_log, keeps_ledgers);
        }
        let mut rows = vec![None; catalog.model_count()];
        for (new, old) in carried_over {
            if let Some(row) = rows.get_mut(*new) {
                *row = Some(self.ledger_row(*old));
            }
        }
        let rows = rows.into_iter();
        let rows = rows.map(|row| row.unwrap_or_else(|| self.ledgers.add_row()));
        Arc::new(Self {
            ledgers: Arc::clone(&self.ledgers),
            ledger_rows: Some(rows.collect()),
            registry: self.registry.clone(),
            model_count: catalog.model_count(),
            row_count: catalog.metric_row_count(),
            access_log,
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
        if self.access_log {
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
        let registry = &shared.registry;
        let gauge = |metric| registry.gauge(metric, &[]).local();
        let counter = |metric| registry.counter(metric, &[]).local();
        Rc::new(Self {
            models: (0..shared.row_count).map(|_| OnceCell::new()).collect(),
            unknown: OnceCell::new(),
            panicked: RefCell::default(),
            in_flight: gauge(&metric::REQUESTS_IN_FLIGHT),
            streams_in_flight: gauge(&metric::STREAMS_IN_FLIGHT),
            websockets_open: gauge(&metric::WEBSOCKETS_OPEN),
            overhead: registry.histogram(&metric::OVERHEAD, &[]).local(),
            bytes_in: counter(&metric::BYTES_IN),
            bytes_out: counter(&metric::BYTES_OUT),
            ledger,
            shared: Arc::clone(shared),
        })
    }

    pub(super) fn on_panic(&self, request_id: &RequestId) {
        self.panicked.replace(Some(request_id.clone()));
    }

    /// The request that a panic just ended, if it was metered. Its meter was
    /// dropped as the stack unwound.
    pub fn take_panicked(&self) -> Option<RequestId> {
        self.panicked.take()
    }

    pub(super) fn access_log(&self) -> bool {
        self.shared.access_log
    }

    pub(super) fn model(&self, model: &Model) -> &Rc<ModelMetrics> {
        let Some(cell) = self.models.get(model.id) else {
            return self.unknown();
        };
        cell.get_or_init(|| {
            self.new_model_metrics(ModelName {
                row: Some(self.shared.ledger_row(model.id)),
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
                label: model.label.clone(),
                provider: target.provider.name.clone(),
                // Not stored if it came from the client.
                upstream_model: if model.upstream_model.is_empty() {
                    Box::default()
                } else {
                    target.upstream_model()
                },
            })
        })
    }

    /// For requests that did not reach a model.
    pub(super) fn unknown(&self) -> &Rc<ModelMetrics> {
        self.unknown.get_or_init(|| {
            self.new_model_metrics(ModelName {
                row: None,
                label: "unknown".into(),
                provider: "unknown".into(),
                upstream_model: Box::default(),
            })
        })
    }

    fn new_model_metrics(&self, name: ModelName) -> Rc<ModelMetrics> {
        Rc::new(ModelMetrics::new(name, &self.shared.registry))
    }
}
