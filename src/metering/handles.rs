//! Metric handles, looked up once per model and held from then on.

use std::sync::{Arc, OnceLock};

use metrics::{Counter, Gauge, Histogram};

use super::{Outcome, line};
use crate::catalog::{Catalog, Model, Target};
use crate::routing::Outcome as Fault;
use crate::telemetry::metric::{self, Registry};
use crate::telemetry::request_id::RequestId;
use crate::wire::endpoint::Endpoint;
use crate::wire::usage::Usage;

/// Status classes: 1xx to 5xx.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The handles of one snapshot.
#[derive(Debug)]
pub struct Meters {
    registry: Registry,
    models: Vec<OnceLock<Box<ModelMeters>>>,
    unknown: OnceLock<Box<ModelMeters>>,
    pub(super) writes_lines: bool,
    pub(super) in_flight: Gauge,
    pub(super) streams_in_flight: Gauge,
    pub(super) overhead: Histogram,
    pub(super) bytes_in: Counter,
    pub(super) bytes_out: Counter,
}

/// The handles of one model. Made when the model is first called: most of a
/// long list of aliases never are.
#[derive(Debug)]
pub struct ModelMeters {
    model: Box<str>,
    provider: Box<str>,
    /// By endpoint, of which a model answers one or two: a table for all of
    /// them would be most of what an alias costs.
    requests: [OnceLock<EndpointMeters>; Endpoint::ALL.len()],
    tokens: [OnceLock<Counter>; 4],
    /// By the kind of fault; the last are those without.
    attempts: [OnceLock<Counter>; Fault::KINDS + 1],
    registry: Registry,
    pub(super) duration: Histogram,
    pub(super) first_byte: Histogram,
    pub(super) first_token: Histogram,
    pub(super) stream_gap: Histogram,
}

/// Requests to one endpoint of one model, by status class and outcome.
type EndpointMeters = Box<[[OnceLock<Counter>; Outcome::ALL.len()]; CLASSES.len()]>;

impl Meters {
    /// The handles for this catalog. `writes_lines` asks for a log line per
    /// request.
    #[must_use]
    pub fn new(registry: &Registry, catalog: &Catalog, writes_lines: bool) -> Arc<Self> {
        let models = (0..catalog.row_count()).map(|_| OnceLock::new()).collect();
        Arc::new(Self {
            models,
            unknown: OnceLock::new(),
            writes_lines,
            in_flight: registry.gauge(&metric::REQUESTS_IN_FLIGHT, &[]),
            streams_in_flight: registry.gauge(&metric::STREAMS_IN_FLIGHT, &[]),
            overhead: registry.histogram(&metric::OVERHEAD, &[]),
            bytes_in: registry.counter(&metric::BYTES_IN, &[]),
            bytes_out: registry.counter(&metric::BYTES_OUT, &[]),
            registry: registry.clone(),
        })
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

    pub(super) fn model(&self, model: &Model) -> &ModelMeters {
        let Some(slot) = self.models.get(model.id) else {
            return self.unknown();
        };
        slot.get_or_init(|| self.make(&model.label, &model.provider.name))
    }

    /// For a model of several targets: what is counted of it at this one's
    /// provider.
    pub(super) fn at(&self, model: &Model, target: &Target) -> &ModelMeters {
        let Some(slot) = self.models.get(target.row) else {
            return self.unknown();
        };
        slot.get_or_init(|| self.make(&model.label, &target.provider.name))
    }

    /// For requests that never came as far as a model.
    pub(super) fn unknown(&self) -> &ModelMeters {
        self.unknown.get_or_init(|| self.make("unknown", "unknown"))
    }

    fn make(&self, model: &str, provider: &str) -> Box<ModelMeters> {
        let labels = [("model", model), ("provider", provider)];
        let histogram = |metric| self.registry.histogram(metric, &labels);
        Box::new(ModelMeters {
            model: model.into(),
            provider: provider.into(),
            requests: Default::default(),
            tokens: Default::default(),
            attempts: Default::default(),
            duration: histogram(&metric::REQUEST_DURATION),
            first_byte: histogram(&metric::TIME_TO_FIRST_BYTE),
            first_token: histogram(&metric::TIME_TO_FIRST_TOKEN),
            stream_gap: histogram(&metric::STREAM_GAP),
            registry: self.registry.clone(),
        })
    }
}

impl ModelMeters {
    pub(super) fn request(&self, endpoint: Endpoint, status: u16, outcome: Outcome) -> Counter {
        let class = usize::from(status / 100).clamp(1, CLASSES.len()) - 1;
        let labels = [
            ("endpoint", endpoint.label()),
            ("model", &*self.model),
            ("provider", &*self.provider),
            ("status", CLASSES.get(class).copied().unwrap_or_default()),
            ("outcome", outcome.label()),
        ];
        let make = || self.registry.counter(&metric::REQUESTS, &labels);
        let row = self.requests.get(endpoint.index());
        let cell = row.and_then(|row| {
            let table = row.get_or_init(Default::default);
            table.get(class)?.get(outcome as usize)
        });
        cell.map_or_else(make, |cell| cell.get_or_init(make).clone())
    }

    pub(super) fn attempt(&self, fault: Option<Fault>) {
        let Some(cell) = self.attempts.get(fault.map_or(Fault::KINDS, Fault::kind)) else {
            return;
        };
        let labels = [
            ("model", &*self.model),
            ("provider", &*self.provider),
            ("result", fault.map_or("answered", Fault::label)),
        ];
        cell.get_or_init(|| self.registry.counter(&metric::ATTEMPTS, &labels))
            .increment(1);
    }

    /// Counts an attempt that followed one with this fault. Seldom, so no handle
    /// is kept.
    pub(super) fn retry(&self, fault: Fault) {
        let labels = [
            ("model", &*self.model),
            ("provider", &*self.provider),
            ("after", fault.label()),
        ];
        self.registry
            .counter(&metric::RETRIES, &labels)
            .increment(1);
    }

    /// Counts an answer of another model than the one asked for.
    pub(super) fn fallback(&self) {
        let labels = [("model", &*self.model), ("provider", &*self.provider)];
        self.registry
            .counter(&metric::FALLBACKS, &labels)
            .increment(1);
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
            let labels = [
                ("model", &*self.model),
                ("provider", &*self.provider),
                ("kind", kind),
            ];
            cell.get_or_init(|| self.registry.counter(&metric::TOKENS, &labels))
                .increment(count);
        }
    }
}
