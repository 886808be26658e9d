//! Metrics of ejections.

use std::sync::OnceLock;

use super::Reason;
use crate::telemetry::metric::{self, Counter, Gauge, Registry};

/// One provider's metric handles, kept to avoid lookups in the registry.
#[derive(Debug)]
pub(super) struct EjectionMetrics {
    /// Targets that are ejected now.
    pub(super) ejected: Gauge,
    /// By [`Reason`].
    ejections: [OnceLock<Counter>; Reason::COUNT],
    registry: Registry,
    provider: Box<str>,
}

impl EjectionMetrics {
    pub(super) fn new(registry: &Registry, provider: &str) -> Self {
        let labels = [("provider", provider)];
        Self {
            ejected: registry.gauge(&metric::TARGETS_EJECTED, &labels),
            ejections: Default::default(),
            registry: registry.clone(),
            provider: provider.into(),
        }
    }

    pub(super) fn record(&self, reason: Reason) {
        let make = || {
            let labels = [("provider", &*self.provider), ("reason", reason.label())];
            self.registry.counter(&metric::EJECTIONS, &labels)
        };
        if let Some(cell) = self.ejections.get(reason as usize) {
            cell.get_or_init(make).increment(1);
        }
    }
}
