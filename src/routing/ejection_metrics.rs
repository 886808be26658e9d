//! Metrics of ejections.

use metrics::{Counter, Gauge};

use super::Reason;
use crate::telemetry::metric::{self, Registry};

/// One provider's metric handles.
#[derive(Debug)]
pub(super) struct EjectionMetrics {
    /// Targets that are ejected now.
    pub(super) ejected: Gauge,
    /// By [`Reason`].
    ejections: [Counter; Reason::COUNT],
}

impl EjectionMetrics {
    pub(super) fn new(registry: &Registry, provider: &str) -> Self {
        let provider = ("provider", provider);
        let ejections = Reason::ALL.map(|reason| {
            let labels = [provider, ("reason", reason.label())];
            registry.counter(&metric::EJECTIONS, &labels)
        });
        Self {
            ejected: registry.gauge(&metric::TARGETS_EJECTED, &[provider]),
            ejections,
        }
    }

    pub(super) fn record(&self, reason: Reason) {
        if let Some(counter) = self.ejections.get(reason as usize) {
            counter.increment(1);
        }
    }
}
