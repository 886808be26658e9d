//! Metric handles, looked up once per model and held from then on.

use std::sync::{Arc, OnceLock};

use metrics::{Counter, Gauge, Histogram};

use super::digest::Digest;
use super::ledger::{Entry, Ledgers};
use super::{Outcome, line};
use crate::catalog::{Catalog, Model};
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
    pub(super) ledgers: Ledgers,
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
    attempts: [OnceLock<Counter>; 2],
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
    /// request, `keeps_ledgers` for what [`Self::digest`] tells.
    #[must_use]
    pub fn new(
        registry: &Registry,
        catalog: &Catalog,
        writes_lines: bool,
        keeps_ledgers: bool,
    ) -> Arc<Self> {
        let models = (0..catalog.model_count())
            .map(|_| OnceLock::new())
            .collect();
        Arc::new(Self {
            models,
            unknown: OnceLock::new(),
            ledgers: Ledgers::new(catalog.model_count(), keeps_ledgers),
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

    /// What all workers remember, and of the last requests at most `most` that
    /// `is_shown` lets through.
    #[must_use]
    pub fn digest(&self, most: usize, is_shown: impl Fn(&Entry) -> bool) -> Digest {
        Digest::of(&self.ledgers, most, is_shown)
    }

    pub(super) fn model(&self, model: &Model) -> &ModelMeters {
        let Some(slot) = self.models.get(model.id) else {
            return self.unknown();
        };
        slot.get_or_init(|| self.make(&model.label, &model.provider.name))
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

    pub(super) fn attempt(&self, succeeded: bool) {
        let [failed, answered] = &self.attempts;
        let (cell, result) = if succeeded {
            (answered, "answered")
        } else {
            (failed, "failed")
        };
        let labels = [
            ("model", &*self.model),
            ("provider", &*self.provider),
            ("result", result),
        ];
        cell.get_or_init(|| self.registry.counter(&metric::ATTEMPTS, &labels))
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
