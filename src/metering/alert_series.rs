//! Series that exist at 0 before anything is counted, because an alert needs their first
//! increment: Prometheus sees none in a series that appears at 1.

use crate::catalog::Catalog;
use crate::telemetry::metric::label::{attempt_result, outcome, status};
use crate::telemetry::metric::{self, Registry};
use crate::wire::endpoint::Endpoint;

/// Results that `TrunklineProviderOut` and `TrunklineKeyUnauthorized` look at.
const RESULTS: [&str; 6] = [
    attempt_result::RESPONDED,
    attempt_result::NOT_SENT,
    attempt_result::NO_RESPONSE,
    attempt_result::THROTTLED,
    attempt_result::UNAUTHORIZED,
    attempt_result::FAILED,
];
/// Outcomes of `TrunklineErrors`, with the status classes that they have.
const OUTCOMES: [(&str, &str); 6] = [
    (outcome::OK, status::SUCCESS),
    (outcome::UPSTREAM_ERROR, status::SERVER_ERROR),
    // A provider's 429.
    (outcome::UPSTREAM_ERROR, status::CLIENT_ERROR),
    (outcome::TIMEOUT, status::SERVER_ERROR),
    (outcome::SHED, status::SERVER_ERROR),
    (outcome::INTERNAL_ERROR, status::SERVER_ERROR),
];

/// For each model at each of its providers, and for models that no provider can serve.
pub(super) fn create(registry: &Registry, catalog: &Catalog) {
    for (model, provider) in catalog.metric_rows() {
        let labels = [("model", model), ("provider", provider)];
        let _ = registry.histogram(&metric::TIME_TO_FIRST_TOKEN, &labels);
        for result in RESULTS {
            let labels = [labels[0], labels[1], ("result", result)];
            let _ = registry.counter(&metric::ATTEMPTS, &labels);
        }
        create_requests(registry, Endpoint::ChatCompletions, labels);
    }
    for (model, provider) in catalog.unready_rows() {
        // Of `TrunklineNotConfigured`.
        let labels = [
            ("endpoint", Endpoint::ChatCompletions.label()),
            ("model", model),
            ("provider", provider),
            ("status", status::SERVER_ERROR),
            ("outcome", outcome::NOT_CONFIGURED),
        ];
        let _ = registry.counter(&metric::REQUESTS, &labels);
    }
}

/// Of other endpoints than chat completions when they are first used: a model serves one
/// or two.
pub(super) fn create_requests(
    registry: &Registry,
    endpoint: Endpoint,
    [model, provider]: [(&'static str, &str); 2],
) {
    for (outcome, status) in OUTCOMES {
        let labels = [
            ("endpoint", endpoint.label()),
            model,
            provider,
            ("status", status),
            ("outcome", outcome),
        ];
        let _ = registry.counter(&metric::REQUESTS, &labels);
    }
}
