//! Metric handles of one model, created on first use.

use std::cell::OnceCell;
use std::sync::Arc;

use metrics::{Counter, Histogram};

use super::lazy_counters::LazyCounters;
use super::{AttemptResult, HedgeOutcome, RequestOutcome, alert_series};
use crate::catalog::Cost;
use crate::routing;
use crate::telemetry::metric::label::{request_token_kind, status};
use crate::telemetry::metric::{self, Metric, Registry};
use crate::wire::endpoint::Endpoint;
use crate::wire::usage::Usage;

/// Status classes: 1xx to 5xx.
const CLASSES: [&str; 5] = [
    status::INFORMATIONAL,
    status::SUCCESS,
    status::REDIRECTION,
    status::CLIENT_ERROR,
    status::SERVER_ERROR,
];

#[derive(Debug)]
pub struct ModelName {
    /// Row in the histories; none for requests that did not reach a model.
    pub row: Option<usize>,
    /// [`crate::catalog::Model::id`]; none for requests that did not reach a model.
    pub model: Option<usize>,
    /// [`crate::catalog::Model::label`]
    pub label: Box<str>,
    pub provider: Box<str>,
    /// [`crate::catalog::Model::upstream_model`]
    pub upstream_model: Box<str>,
}

/// Created at a model's first request: most aliases of a long list are never used.
#[derive(Debug)]
pub struct ModelMetrics {
    /// Shared with the history's records.
    pub(super) name: Arc<ModelName>,
    /// By endpoint. A model serves one or two, and a table for all of them would be most
    /// of the memory of an alias.
    requests: [OnceCell<EndpointCounters>; Endpoint::ALL.len()],
    tokens: LazyCounters<5>,
    /// By kind: input, output. None while they are not recorded.
    request_tokens: Option<[OnceCell<Histogram>; 2]>,
    /// Unused where the model has no price.
    cost: LazyCounters<1>,
    attempts: LazyCounters<{ AttemptResult::COUNT }>,
    retries: LazyCounters<{ routing::AttemptOutcome::COUNT }>,
    fallbacks: LazyCounters<1>,
    estimated: LazyCounters<1>,
    affinity: LazyCounters<{ routing::AffinityResult::COUNT }>,
    hedges: LazyCounters<{ HedgeOutcome::COUNT }>,
    registry: Registry,
    pub(super) duration: Histogram,
    pub(super) first_byte: Histogram,
    /// Of streams only, which many models never send.
    first_token: OnceCell<Histogram>,
    stream_gap: OnceCell<Histogram>,
}

/// Requests to one endpoint of one model, by status class and outcome.
type EndpointCounters = Box<[LazyCounters<{ RequestOutcome::ALL.len() }>; CLASSES.len()]>;

// === impl ModelMetrics ===

impl ModelMetrics {
    /// `request_tokens` is [`super::MeteringOptions::request_tokens`].
    pub(super) fn new(name: ModelName, registry: &Registry, request_tokens: bool) -> Self {
        let labels = [("model", &*name.label), ("provider", &*name.provider)];
        let histogram = |metric| registry.histogram(metric, &labels);
        Self {
            duration: histogram(&metric::REQUEST_DURATION),
            first_byte: histogram(&metric::TIME_TO_FIRST_BYTE),
            first_token: OnceCell::new(),
            stream_gap: OnceCell::new(),
            name: Arc::new(name),
            requests: Default::default(),
            tokens: LazyCounters::default(),
            request_tokens: request_tokens.then(Default::default),
            cost: LazyCounters::default(),
            attempts: LazyCounters::default(),
            retries: LazyCounters::default(),
            fallbacks: LazyCounters::default(),
            estimated: LazyCounters::default(),
            affinity: LazyCounters::default(),
            hedges: LazyCounters::default(),
            registry: registry.clone(),
        }
    }

    pub(super) fn first_token(&self) -> &Histogram {
        self.first_token
            .get_or_init(|| self.histogram(&metric::TIME_TO_FIRST_TOKEN))
    }

    pub(super) fn stream_gap(&self) -> &Histogram {
        self.stream_gap
            .get_or_init(|| self.histogram(&metric::STREAM_GAP))
    }

    fn labels(&self) -> [(&'static str, &str); 2] {
        [
            ("model", &*self.name.label),
            ("provider", &*self.name.provider),
        ]
    }

    fn histogram(&self, metric: &Metric) -> Histogram {
        self.registry.histogram(metric, &self.labels())
    }

    fn counter(&self, metric: &Metric) -> Counter {
        self.registry.counter(metric, &self.labels())
    }

    fn labelled(&self, metric: &Metric, label: &'static str, value: &str) -> Counter {
        let [model, provider] = self.labels();
        let labels = [model, provider, (label, value)];
        self.registry.counter(metric, &labels)
    }

    pub(super) fn count_request(&self, endpoint: Endpoint, status: u16, outcome: RequestOutcome) {
        let class = usize::from(status / 100).clamp(1, CLASSES.len()) - 1;
        let Some(row) = self.requests.get(endpoint.index()) else {
            return;
        };
        let Some(counters) = row.get_or_init(|| self.new_endpoint(endpoint)).get(class) else {
            return;
        };
        counters.add(outcome as usize, 1, || {
            let [model, provider] = self.labels();
            let labels = [
                ("endpoint", endpoint.label()),
                model,
                provider,
                ("status", CLASSES.get(class).copied().unwrap_or_default()),
                ("outcome", outcome.label()),
            ];
            self.registry.counter(&metric::REQUESTS, &labels)
        });
    }

    fn new_endpoint(&self, endpoint: Endpoint) -> EndpointCounters {
        alert_series::create_requests(&self.registry, endpoint, self.labels());
        EndpointCounters::default()
    }

    pub(super) fn count_attempt(&self, result: AttemptResult) {
        self.attempts.add(result.index(), 1, || {
            self.labelled(&metric::ATTEMPTS, "result", result.label())
        });
    }

    /// Counts an attempt that followed one with this outcome.
    pub(super) fn count_retry(&self, after: routing::AttemptOutcome) {
        self.retries.add(after.index(), 1, || {
            self.labelled(&metric::RETRIES, "after", after.label())
        });
    }

    pub(super) fn count_hedge(&self, outcome: HedgeOutcome) {
        self.hedges.add(outcome as usize, 1, || {
            self.labelled(&metric::HEDGES, "result", outcome.label())
        });
    }

    /// Counts a response of a model other than the requested one.
    pub(super) fn count_fallback(&self) {
        self.fallbacks
            .add(0, 1, || self.counter(&metric::FALLBACKS));
    }

    /// Counts a request that was charged to limits by an estimate.
    pub(super) fn count_estimated(&self) {
        self.estimated
            .add(0, 1, || self.counter(&metric::LIMIT_ESTIMATED));
    }

    /// Counts a first attempt of a model with affinity.
    pub(super) fn count_affinity(&self, result: routing::AffinityResult) {
        self.affinity.add(result as usize, 1, || {
            self.labelled(&metric::AFFINITY, "result", result.label())
        });
    }

    pub(super) fn count_cost(&self, cost: Cost) {
        self.cost
            .add(0, cost.picodollars(), || self.counter(&metric::COST));
    }

    pub(super) fn count_tokens(&self, usage: &Usage) {
        self.tokens
            .add_usage(usage, |kind| self.labelled(&metric::TOKENS, "kind", kind));
        if let Some(histograms) = &self.request_tokens {
            self.record_request_tokens(histograms, usage);
        }
    }

    fn record_request_tokens(&self, histograms: &[OnceCell<Histogram>; 2], usage: &Usage) {
        let kinds = [
            (request_token_kind::INPUT, usage.input),
            (request_token_kind::OUTPUT, usage.output),
        ];
        for (histogram, (kind, count)) in histograms.iter().zip(kinds) {
            if let Some(count) = count {
                let [model, provider] = self.labels();
                let labels = [model, provider, ("kind", kind)];
                let register = || self.registry.histogram(&metric::REQUEST_TOKENS, &labels);
                histogram.get_or_init(register).record(count as f64);
            }
        }
    }
}
