//! What is counted of targets that are left out.

use std::sync::OnceLock;

use crate::telemetry::metric::{self, Counter, Gauge, Registry};

/// Why a target is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// It failed too often.
    Failed,
    /// It asked to be left alone.
    Throttled,
    /// It refused its key.
    Denied,
    /// Nothing is left of its rate limit.
    Exhausted,
}

/// One provider's handles, so that counting looks nothing up.
#[derive(Debug)]
pub(super) struct Counts {
    /// Targets that are ejected now.
    pub(super) ejected: Gauge,
    /// By [`Reason`].
    left_out: [OnceLock<Counter>; Reason::COUNT],
    registry: Registry,
    provider: Box<str>,
}

impl Reason {
    const COUNT: usize = 4;

    /// Word for the log and the metrics.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Throttled => "throttled",
            Self::Denied => "denied",
            Self::Exhausted => "exhausted",
        }
    }
}

impl Counts {
    pub(super) fn new(registry: &Registry, provider: &str) -> Self {
        let labels = [("provider", provider)];
        Self {
            ejected: registry.gauge(&metric::TARGETS_EJECTED, &labels),
            left_out: Default::default(),
            registry: registry.clone(),
            provider: provider.into(),
        }
    }

    /// One of them is left out for this reason.
    pub(super) fn left_out(&self, reason: Reason) {
        let make = || {
            let labels = [("provider", &*self.provider), ("reason", reason.label())];
            self.registry.counter(&metric::EJECTIONS, &labels)
        };
        if let Some(cell) = self.left_out.get(reason as usize) {
            cell.get_or_init(make).increment(1);
        }
    }
}
