//! Where accounts are kept: what they have in common, and each worker's part.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use super::ledger::{Entry, Ledger, Ledgers};
use super::summary::Digest;
use super::{ModelMeters, ModelName, Outcome, access_log};
use crate::catalog::{Catalog, Model, Target};
use crate::telemetry::metric::{self, CounterPart, GaugePart, HistogramPart, Registry};
use crate::telemetry::request_id::RequestId;

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
    /// The last request that a panic has ended.
    broken: RefCell<Option<RequestId>>,
    pub(super) in_flight: GaugePart,
    pub(super) streams_in_flight: GaugePart,
    pub(super) tunnels_in_flight: GaugePart,
    pub(super) overhead: HistogramPart,
    pub(super) bytes_in: CounterPart,
    pub(super) bytes_out: CounterPart,
}

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
            access_log::write_refusal(request_id, status, outcome, code);
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
            broken: RefCell::default(),
            in_flight: gauge(&metric::REQUESTS_IN_FLIGHT),
            streams_in_flight: gauge(&metric::STREAMS_IN_FLIGHT),
            tunnels_in_flight: gauge(&metric::TUNNELS_IN_FLIGHT),
            overhead: registry.histogram(&metric::OVERHEAD, &[]).part(),
            bytes_in: counter(&metric::BYTES_IN),
            bytes_out: counter(&metric::BYTES_OUT),
            ledger,
            meters: Arc::clone(meters),
        })
    }

    /// Notes that a panic has ended this request.
    pub(super) fn broke(&self, request_id: &RequestId) {
        self.broken.replace(Some(request_id.clone()));
    }

    /// The request that a panic has just ended, if its account was open. It has
    /// been closed as the stack unwound.
    pub fn take_broken(&self) -> Option<RequestId> {
        self.broken.take()
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
                // A name that only a caller gave is not kept.
                upstream_model: if model.upstream_model.is_empty() {
                    Box::default()
                } else {
                    target.upstream_model()
                },
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
        Rc::new(ModelMeters::new(name, &self.meters.registry))
    }
}
