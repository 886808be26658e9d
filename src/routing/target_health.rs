//! A target's circuit breaker with the metrics and log lines of its ejections, and the
//! reports of how its responses end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::breaker::{CircuitBreaker, Ejection, ResponseKind, Success, millis};
use super::ejection_metrics::EjectionMetrics;
use super::target_state::Reason;
use crate::catalog::{Provider, Target};
use crate::config::Breaker;

/// Kept while a response is relayed, which may outlive its generation.
#[derive(Debug)]
pub(super) struct TargetHealth {
    pub(super) breaker: Arc<CircuitBreaker>,
    pub(super) rules: Breaker,
    /// Start of the fleet, from which times are counted.
    pub(super) started: Instant,
    /// None where the provider is not ready.
    pub(super) metrics: Option<Arc<EjectionMetrics>>,
    pub(super) name: TargetName,
}

/// A target in the log.
#[derive(Debug)]
pub(super) struct TargetName {
    provider: Arc<Provider>,
    model: Box<str>,
    credential: usize,
}

/// Reports how a response ends that has begun well. Dropped, it reports nothing: the
/// client left, or another attempt was faster.
#[derive(Debug)]
pub struct ResponseWatch {
    health: Arc<TargetHealth>,
    kind: ResponseKind,
}

// === impl TargetHealth ===

impl TargetHealth {
    /// The beginning of a response, which counts as a success.
    pub(super) fn watch(self: &Arc<Self>, is_stream: bool, now: Instant) -> ResponseWatch {
        self.record_success(Success::Begun, now);
        ResponseWatch {
            health: Arc::clone(self),
            kind: if is_stream {
                ResponseKind::Stream
            } else {
                ResponseKind::Other
            },
        }
    }

    pub(super) fn record_success(&self, success: Success, now: Instant) {
        let now = self.millis_since_start(now);
        if self.breaker.record_success(now, &self.rules, success) {
            self.on_restored();
        }
    }

    pub(super) fn record_failure(&self, now: Instant) {
        let now = self.millis_since_start(now);
        let ejection = self.breaker.record_failure(now, &self.rules);
        self.on_ejected(ejection, Reason::Failed);
    }

    /// `breaker` is the target's, or that of its credential.
    pub(super) fn cool_down(
        &self,
        breaker: &CircuitBreaker,
        duration: Duration,
        reason: Reason,
        now: Instant,
    ) {
        let now = self.millis_since_start(now);
        if breaker.is_available(now) {
            self.log_exclusion(reason, duration);
        }
        breaker.cool_down(now, duration);
    }

    /// Counts and logs that the target is excluded for this time.
    pub(super) fn log_exclusion(&self, reason: Reason, duration: Duration) {
        if let Some(metrics) = &self.metrics {
            metrics.record(reason);
        }
        let TargetName {
            provider,
            model,
            credential,
        } = &self.name;
        let (provider, model) = (&*provider.name, &**model);
        let (for_ms, reason) = (millis(duration), reason.label());
        warn!(
            provider,
            model, credential, reason, for_ms, "target ejected"
        );
    }

    fn on_ejected(&self, ejection: Option<Ejection>, reason: Reason) {
        let Some(ejection) = ejection else {
            return;
        };
        if let Some(metrics) = self.metrics.as_ref().filter(|_| ejection.is_new) {
            self.breaker.increment_gauge(&metrics.ejected);
        }
        self.log_exclusion(reason, ejection.duration);
    }

    fn on_restored(&self) {
        self.breaker.decrement_gauge();
        let provider = &*self.name.provider.name;
        let (model, credential) = (&*self.name.model, self.name.credential);
        info!(provider, model, credential, "target restored");
    }

    fn millis_since_start(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.started))
    }
}

// === impl TargetName ===

impl TargetName {
    pub(super) fn new(target: &Target) -> Self {
        Self {
            provider: Arc::clone(&target.provider),
            model: target.model_for_log(),
            credential: target.credential,
        }
    }
}

// === impl ResponseWatch ===

impl ResponseWatch {
    /// The response is complete.
    pub fn record_complete(self, now: Instant) {
        let now = self.health.millis_since_start(now);
        if self.health.breaker.record_good_end(now, self.kind) {
            self.health.on_restored();
        }
    }

    /// The response broke off, or ended with an error of the upstream.
    pub fn record_broken(self, now: Instant) {
        let health = &*self.health;
        let now = health.millis_since_start(now);
        let ejection = health.breaker.record_broken(now, &health.rules, self.kind);
        health.on_ejected(ejection, Reason::BrokenResponses);
    }
}
