//! Metrics of one upstream's connections.

use metrics::{Counter, Gauge};

use crate::telemetry::metric::label::{connect_result, shed_reason};
use crate::telemetry::metric::{self, Registry};

#[derive(Debug)]
pub(super) struct ConnectionMetrics {
    open: Gauge,
    connected: Counter,
    failed: Counter,
    shed: Counter,
}

/// Counts a connection as open until it is dropped.
#[derive(Debug)]
pub(super) struct OpenConnectionGuard(Gauge);

impl ConnectionMetrics {
    pub(super) fn new(registry: &Registry, provider: &str) -> Self {
        let connects = |result| {
            registry.counter(
                &metric::UPSTREAM_CONNECTS,
                &[("provider", provider), ("result", result)],
            )
        };
        Self {
            open: registry.gauge(&metric::UPSTREAM_CONNECTIONS, &[("provider", provider)]),
            connected: connects(connect_result::OK),
            failed: connects(connect_result::FAILED),
            shed: registry.counter(
                &metric::SHED,
                &[("reason", shed_reason::PROVIDER_IN_FLIGHT)],
            ),
        }
    }

    pub(super) fn record_connect(&self, succeeded: bool) {
        let counter = if succeeded {
            &self.connected
        } else {
            &self.failed
        };
        counter.increment(1);
    }

    pub(super) fn record_shed(&self) {
        self.shed.increment(1);
    }

    pub(super) fn track_open(&self) -> OpenConnectionGuard {
        self.open.increment(1);
        OpenConnectionGuard(self.open.clone())
    }
}

impl Drop for OpenConnectionGuard {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}
